// SPDX-License-Identifier: Apache-2.0
import CSystem

func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

func isAlphanumeric(_ byte: UInt8) -> Bool {
  isDigit(byte) || (byte | 0x20 >= 97 && byte | 0x20 <= 122)
}

func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20 >= 97 && byte | 0x20 <= 102) }

/// tchar of RFC 9110 §5.6.2.
func isTokenByte(_ byte: UInt8) -> Bool {
  isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
}

/// pchar and "/" of RFC 3986 §3.3, without "%".
func isPathByte(_ byte: UInt8) -> Bool {
  isAlphanumeric(byte) || "-._~!$&'()*+,;=:@/".utf8.contains(byte)
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
      // Control characters could drive the reader's terminal, C1 ones too.
      if scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
  }
  return result + "\""
}

extension StringProtocol {
  func range(ofText text: String) -> Range<Index>? {
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
