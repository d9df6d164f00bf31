// SPDX-License-Identifier: Apache-2.0
import AtollCore

extension HeaderField {
  /// `Name: value`, as for curl's -H.
  init(parsing text: String) throws(ValueError) {
    guard let colon = text.firstIndex(of: ":") else {
      throw ValueError("has no colon", hint: "write 'Name: value', or 'Name:' to leave it out")
    }
    let name = String(text[..<colon])
    let value = String(text[text.index(after: colon)...].trimmed)
    guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
      throw ValueError("does not begin with a field name")
    }
    guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }) else {
      throw ValueError("has a control character in its value")
    }
    self.init(name: name, value: value)
  }
}
