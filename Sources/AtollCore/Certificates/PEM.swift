// SPDX-License-Identifier: Apache-2.0

/// Text encodings of keys and certificates (RFC 7468).
package enum PEM {
  /// One block with the line it begins on.
  package struct Block: Equatable, Sendable {
    /// `CERTIFICATE`, `PRIVATE KEY`.
    package var label: String
    /// DER; of an encrypted key in the old form what was encrypted.
    package var bytes: [UInt8]
    /// Headers of the old form (RFC 1421 §4.4), which only encrypted keys have.
    package var headers: [String]
    /// From 1.
    package var line: Int
    /// The whole block, both of its boundaries included.
    package var text: String

    package var isCertificate: Bool {
      ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].contains(label)
    }

    package var isPrivateKey: Bool { label.hasSuffix("PRIVATE KEY") }

    package var isEncrypted: Bool {
      label == "ENCRYPTED PRIVATE KEY"
        || headers.contains { $0.hasPrefix("Proc-Type:") && $0.hasSuffix("ENCRYPTED") }
    }
  }

  /// What is not a block, a place and a reason.
  package struct Flaw: Error, Equatable, Sendable {
    /// From 1.
    package var line: Int
    package var what: String
  }

  /// The blocks of a text in their order. What stands outside of blocks is for people
  /// (RFC 7468 §5.2).
  package static func blocks(_ text: [UInt8]) throws(Flaw) -> [Block] {
    var blocks: [Block] = []
    var open: Block?
    var data: [UInt8] = []
    var inHeaders = false
    var number = 0
    // Editors on Windows put a byte order mark before the first line.
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let text = text.starts(with: mark) ? text.dropFirst(mark.count) : text[...]
    for raw in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      let line = trimmed(raw)
      if let label = boundary(line, "-----BEGIN ") {
        if let open {
          throw Flaw(line: number, what: "the block of line \(open.line) has no end before it")
        }
        open = Block(label: label, bytes: [], headers: [], line: number, text: "")
        data = []
        inHeaders = true
      } else if let label = boundary(line, "-----END ") {
        guard var block = open else {
          throw Flaw(line: number, what: "a block ends that has not begun")
        }
        guard label == block.label else {
          throw Flaw(
            line: number,
            what: "\(quoted(block.label)) of line \(block.line) ends as \(quoted(label))")
        }
        guard let bytes = Base64.decode(data), !bytes.isEmpty else {
          throw Flaw(line: block.line, what: "the block that begins there is not Base64")
        }
        block.bytes = bytes
        block.text += String(decoding: line, as: UTF8.self) + "\n"
        blocks.append(block)
        open = nil
        continue
      } else if open != nil {
        if inHeaders, line.contains(UInt8(ascii: ":")) {
          open?.headers.append(String(decoding: line, as: UTF8.self))
        } else {
          if !line.isEmpty { inHeaders = false }
          data += line
        }
      }
      if open != nil { open?.text += String(decoding: line, as: UTF8.self) + "\n" }
    }
    if let open { throw Flaw(line: open.line, what: "the block that begins there has no end") }
    return blocks
  }

  /// Lines of 64 characters, with a newline at the end.
  package static func encode(_ label: String, _ bytes: [UInt8]) -> String {
    let digits = Array(Base64.encode(bytes).utf8)
    var text = "-----BEGIN \(label)-----\n"
    for start in stride(from: 0, to: digits.count, by: 64) {
      text += String(decoding: digits[start..<min(start + 64, digits.count)], as: UTF8.self) + "\n"
    }
    return text + "-----END \(label)-----\n"
  }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line
    while let first = line.first, first <= 0x20 { line.removeFirst() }
    while let last = line.last, last <= 0x20 { line.removeLast() }
    return line
  }

  private static func boundary(_ line: ArraySlice<UInt8>, _ start: String) -> String? {
    let end = Array("-----".utf8)
    guard line.count > start.utf8.count + end.count, line.starts(with: start.utf8),
      line.suffix(end.count).elementsEqual(end)
    else { return nil }
    return String(decoding: line.dropFirst(start.utf8.count).dropLast(end.count), as: UTF8.self)
  }
}

/// Base64 (RFC 4648 §4).
package enum Base64 {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  package static func encode(_ bytes: some Collection<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var rest = bytes[...]
    while !rest.isEmpty {
      let group = rest.prefix(3)
      rest = rest.dropFirst(3)
      var value: UInt32 = 0
      for byte in group { value = value << 8 | UInt32(byte) }
      value <<= UInt32(8 * (3 - group.count))
      for index in 0..<4 {
        text.append(
          index > group.count
            ? UInt8(ascii: "=") : digits[Int(value >> UInt32(18 - 6 * index)) & 63])
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// With padding or without; nil for anything else.
  package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.count / 4 * 3)
    var value: UInt32 = 0
    var bits: UInt32 = 0
    var count = 0
    var padding = 0
    for byte in text {
      let digit: UInt32
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt32(byte) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt32(byte) - 71
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(byte) + 4
      case UInt8(ascii: "+"): digit = 62
      case UInt8(ascii: "/"): digit = 63
      case UInt8(ascii: "="):
        padding += 1
        continue
      default: return nil
      }
      if padding > 0 { return nil }
      count += 1
      value = value << 6 | digit
      bits += 6
      if bits >= 8 {
        bits -= 8
        result.append(UInt8(truncatingIfNeeded: value >> bits))
        value &= (1 << bits) - 1
      }
    }
    // One digit alone is less than a byte; bits that are left over are zero.
    if count % 4 == 1 || value != 0 { return nil }
    if padding > 0 && (padding > 2 || (count + padding) % 4 != 0) { return nil }
    return result
  }
}
