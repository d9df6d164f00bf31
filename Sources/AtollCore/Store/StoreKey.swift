// SPDX-License-Identifier: Apache-2.0

/// Where a key's value lies under the store's directory.
///
/// A key is two parts or more of letters, digits, ".", "-" and "_", none of them starting with a
/// dot: so no key leads out of the directory, and names with a dot or "+" are the store's own. The
/// last part is the file's name; of a longer one than a file name may be, the first 200 characters
/// name a directory, with a "+" that no key has.
struct StoreKey: Equatable {
  static let suffix = ".json"
  static let headLength = 200

  /// Relative to the store's directory, without a trailing slash.
  let directory: String
  /// Without the suffix.
  let name: String
  /// The value is a directory of files.
  let isFolder: Bool

  init(_ key: String) throws(StoreError) {
    guard let slash = key.utf8.lastIndex(of: UInt8(ascii: "/")), Self.isValid(key[...]) else {
      throw .badKey(key)
    }
    let last = key[key.index(after: slash)...]
    if last.utf8.count > 255 { throw .badKey(key) }
    isFolder = StoreFolder.directories.contains(String(key[..<slash]))
    if last.utf8.count > Self.headLength {
      if isFolder { throw .badKey(key) }
      directory = "\(key[..<slash])/\(last.prefix(Self.headLength))+"
      name = String(last.dropFirst(Self.headLength))
    } else {
      directory = String(key[..<slash])
      name = String(last)
    }
  }

  /// Or its directory.
  var file: String { "\(directory)/\(name)\(isFolder ? "" : Self.suffix)" }

  /// The key of a directory entry, nil for entries that are no values.
  static func name(ofFile entry: String) -> String? {
    guard entry.hasSuffix(suffix), !entry.hasPrefix(".") else { return nil }
    return String(entry.dropLast(suffix.utf8.count))
  }

  static func checkPrefix(_ prefix: String) throws(StoreError) {
    if !prefix.hasSuffix("/") || !isValid(prefix.dropLast()) { throw .badKey(prefix) }
  }

  private static func isValid(_ key: Substring) -> Bool {
    key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy {
      part in
      !part.isEmpty && part.first != UInt8(ascii: ".")
        && part.allSatisfy { isAlphanumeric($0) || ".-_".utf8.contains($0) }
    }
  }
}

/// A number of fixed width, so that the order of texts is that of the numbers.
func twentyDigits(_ number: UInt64) -> String {
  let digits = String(number)
  return String(repeating: "0", count: 20 - digits.utf8.count) + digits
}
