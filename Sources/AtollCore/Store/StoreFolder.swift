// SPDX-License-Identifier: Apache-2.0

/// Values that are kept as directories: the document, and some texts of it as files of their own, so
/// that people and other programs can use them. `certificates/<name>/` has `certificate.pem`,
/// `key.pem` and in `certificate.json` the rest.
enum StoreFolder {
  /// Directories of the store in which all values are like that.
  static let directories = ["certificates", "authority"]
  static let document = "certificate.json"
  static let members: [(key: String, file: String)] = [
    ("certificate", "certificate.pem"), ("key", "key.pem"),
  ]

  static func isFile(_ name: String) -> Bool {
    name == document || members.contains { $0.file == name }
  }

  /// The files of a value, the document last.
  static func split(_ value: [UInt8]) -> [(name: String, bytes: [UInt8])] {
    var files: [(name: String, bytes: [UInt8])] = []
    var lines: [ArraySlice<UInt8>] = []
    var removedLast = false
    for line in value.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      let member = members.first { line.starts(with: "  \"\($0.key)\": \"".utf8) }
      if let member, let text = text(of: member.key, in: line) {
        files.append((member.file, Array(text.utf8)))
        removedLast = line.last != UInt8(ascii: ",")
      } else {
        // The member before the last one's is the last one now.
        if removedLast, lines.last?.last == UInt8(ascii: ",") {
          lines[lines.count - 1].removeLast()
        }
        removedLast = false
        lines.append(line)
      }
    }
    files.append((document, Array(lines.joined(separator: [UInt8(ascii: "\n")]))))
    return files
  }

  /// The value made of a document and the texts of the files beside it.
  static func join(_ document: [UInt8], _ texts: [(key: String, bytes: [UInt8])]) -> [UInt8] {
    guard let brace = document.firstIndex(of: UInt8(ascii: "{")) else { return document }
    var value = Array(document[...brace])
    for (key, bytes) in texts {
      let text = DocumentWriter.value { $0.string(String(decoding: bytes, as: UTF8.self)) }
      value += Array("\n  \"\(key)\": ".utf8) + text.dropLast() + [UInt8(ascii: ",")]
    }
    return value + document[(brace + 1)...]
  }

  /// Members stand one a line, and a text has no line break in it.
  private static func text(of key: String, in line: ArraySlice<UInt8>) -> String? {
    let member = line.last == UInt8(ascii: ",") ? line.dropLast() : line
    let object = [UInt8(ascii: "{")] + member + [UInt8(ascii: "}")]
    return (try? JSONReader.read(object))?[key]?.text
  }
}
