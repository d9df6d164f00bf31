// SPDX-License-Identifier: Apache-2.0
import CSystem

package func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

package func isAlphanumeric(_ byte: UInt8) -> Bool {
  isDigit(byte) || (byte | 0x20 >= 97 && byte | 0x20 <= 122)
}

func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20 >= 97 && byte | 0x20 <= 102) }

/// tchar of RFC 9110 §5.6.2.
package func isTokenByte(_ byte: UInt8) -> Bool { csystem_is_token_character(byte) != 0 }

/// RFC 9110 §5.6.2.
func isToken(_ bytes: some Collection<UInt8>) -> Bool {
  !bytes.isEmpty && bytes.allSatisfy(isTokenByte)
}

/// pchar and "/" of RFC 3986 §3.3, without "%".
func isPathByte(_ byte: UInt8) -> Bool {
  isAlphanumeric(byte) || "-._~!$&'()*+,;=:@/".utf8.contains(byte)
}

/// Percent-encodes (RFC 3986 §2.1) the bytes that do not stay as they are.
package func percentEncoded(
  _ text: some StringProtocol, except stays: (UInt8) -> Bool
) -> String {
  let buffer = ByteBuffer(capacity: text.utf8.count)
  for byte in text.utf8 {
    if stays(byte) {
      buffer.append(byte)
    } else {
      buffer.append(UInt8(ascii: "%"))
      appendHexByte(byte, letters: UInt8(ascii: "A"), to: buffer)
    }
  }
  return String(decoding: buffer.bytes, as: UTF8.self)
}

/// For messages: what errno says, in the case of a sentence's middle: "no such file or directory".
package func errorText(_ error: Int32) -> String {
  let text = String(cString: csystem_error_text(error))
  return text.prefix(1).lowercased() + text.dropFirst()
}

/// For messages: in double quotes, on one line, at most 80 characters of it.
func quoted(_ text: some StringProtocol) -> String {
  var result = "\""
  var length = 0
  for scalar in text.unicodeScalars {
    length += 1
    if length > 80 {
      result += "…"
      break
    }
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\t": result += "\\t"
    case "\r": result += "\\r"
    default:
      result += scalar.isControl ? scalar.escaped : String(scalar)
    }
  }
  return result + "\""
}

extension Unicode.Scalar {
  /// Could drive the reader's terminal; C1 characters can, too.
  package var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }

  package var escaped: String { "\\u{\(String(value, radix: 16))}" }
}

extension StringProtocol {
  /// The first occurrence of `text`.
  package func range(ofText text: String) -> Range<Index>? {
    let wanted = Array(text.utf8)
    var start = utf8.startIndex
    while start != utf8.endIndex {
      if utf8[start...].starts(with: wanted) {
        return start..<utf8.index(start, offsetBy: wanted.count)
      }
      start = utf8.index(after: start)
    }
    return nil
  }
}
