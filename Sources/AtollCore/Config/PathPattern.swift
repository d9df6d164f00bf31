// SPDX-License-Identifier: Apache-2.0

/// A path override's pattern in its one canonical form, for comparing patterns with each other.
///
/// Canonical: a leading slash (it is optional, and every path has one), but for `*/` at the start,
/// whose `*` may stand for nothing; a trailing slash written out as `/*`; and within a run of
/// wildcards each `?` before a single `*` (`*?*` is `?*`).
package struct PathPattern: Hashable, Sendable {
  /// Canonical text.
  package let text: String
  private let elements: [Element]

  private enum Element: Hashable, Sendable {
    case literal(UInt8)
    /// `?`: exactly one byte.
    case one
    /// `?`…`*`: this many bytes or more.
    case atLeast(Int)
  }

  package init(_ path: String) {
    var bytes = Array(path.utf8)
    if bytes.first(where: { $0 != UInt8(ascii: "*") }) != UInt8(ascii: "/") {
      bytes.insert(UInt8(ascii: "/"), at: 0)
    }
    if bytes.last == UInt8(ascii: "/") { bytes.append(UInt8(ascii: "*")) }
    var elements: [Element] = []
    var canonical: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      guard byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") else {
        elements.append(.literal(byte))
        canonical.append(byte)
        index += 1
        continue
      }
      var ones = 0
      var hasStar = false
      while index < bytes.count {
        if bytes[index] == UInt8(ascii: "?") {
          ones += 1
        } else if bytes[index] == UInt8(ascii: "*") {
          hasStar = true
        } else {
          break
        }
        index += 1
      }
      canonical += Array(repeating: UInt8(ascii: "?"), count: ones)
      if hasStar {
        canonical.append(UInt8(ascii: "*"))
        elements.append(.atLeast(ones))
      } else {
        elements += Array(repeating: .one, count: ones)
      }
    }
    text = String(decoding: canonical, as: UTF8.self)
    self.elements = elements
  }

  /// Whether every path that `other` matches is matched by this pattern.
  ///
  /// It is, exactly when this pattern can be laid over the other's symbols: a letter over the same
  /// letter, a `?` over one letter or `?`, and a run with a `*` over any symbols of which enough
  /// are no `*`. (If no such layout exists, the leftmost failed one tells how to choose for each
  /// `*` of the other either nothing or a long run of a letter found in neither pattern, and the
  /// path so made is matched by the other alone.)
  package func covers(_ other: PathPattern) -> Bool {
    guard case .atLeast? = other.elements.first else { return covers(other.elements[...]) }
    // `*/a` matches paths only, all of which begin with a slash: it is `/a` or `/*/a`.
    return covers(other.elements.dropFirst())
      && covers([.literal(UInt8(ascii: "/"))] + other.elements)
  }

  private func covers(_ other: ArraySlice<Element>) -> Bool {
    // The other's symbols, one by one: nil is a `*`.
    var symbols: [Element?] = []
    for element in other {
      if case .atLeast(let count) = element {
        symbols += Array(repeating: .one, count: count)
        symbols.append(nil)
      } else {
        symbols.append(element)
      }
    }
    // fits[j]: the elements looked at so far, from the end, can be laid over symbols[j...].
    var fits = Array(repeating: false, count: symbols.count + 1)
    fits[symbols.count] = true
    for element in elements.reversed() {
      var row = Array(repeating: false, count: symbols.count + 1)
      switch element {
      case .literal, .one:
        for j in symbols.indices where fits[j + 1] {
          guard let symbol = symbols[j] else { continue }
          row[j] = element == .one || element == symbol
        }
      case .atLeast(let count):
        // The more symbols it takes the better, so the last position that fits decides.
        guard let end = fits.lastIndex(of: true) else { break }
        var ones = Array(repeating: 0, count: symbols.count + 1)
        for j in symbols.indices { ones[j + 1] = ones[j] + (symbols[j] == nil ? 0 : 1) }
        for j in 0...end where ones[end] - ones[j] >= count { row[j] = true }
      }
      fits = row
    }
    return fits[0]
  }
}
