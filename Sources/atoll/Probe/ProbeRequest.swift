// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A request to be made: everything but the connection.
struct ProbeRequest: Equatable {
  var url: ProbeURL
  /// As written on the request line.
  var method = "GET"
  /// In order; one named like a field of ours replaces it, one without a value removes it.
  var headers: [Header] = []
  var route = ProbeRoute()
  /// Seconds for look-up and connecting.
  var connectTimeout = 10.0
  /// Seconds for everything.
  var timeout = 30.0

  struct Header: Equatable {
    var name: String
    var value: String

    init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }

    /// `Name: value`, as for curl's -H.
    init(parsing text: String) throws(ValueError) {
      guard let colon = text.firstIndex(of: ":") else {
        throw ValueError(
          "has no colon", hint: "write 'Name: value', or 'Name:' to leave it out")
      }
      name = String(text[..<colon])
      let value = text[text.index(after: colon)...].trimmed
      guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
        throw ValueError("does not begin with a field name")
      }
      guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }) else {
        throw ValueError("has a control character in its value")
      }
      self.value = String(value)
    }
  }

  /// The head on the wire. Each request has its own connection, so that connecting is measured too.
  func head(userAgent: String) -> [UInt8] {
    var lines = [
      Header("Host", url.authority), Header("User-Agent", userAgent), Header("Accept", "*/*"),
      Header("Connection", "close"),
    ]
    if ["POST", "PUT", "PATCH"].contains(method) { lines.append(Header("Content-Length", "0")) }
    var replaced: Set<String> = []
    for header in headers {
      let name = header.name.lowercased()
      if replaced.insert(name).inserted { lines.removeAll { $0.name.lowercased() == name } }
      if !header.value.isEmpty { lines.append(header) }
    }
    var text = "\(method) \(url.target) HTTP/1.1\r\n"
    for line in lines { text += "\(line.name): \(line.value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}

extension StringProtocol {
  /// Without spaces and tabs at either end.
  var trimmed: SubSequence {
    var rest = self[...]
    while rest.first == " " || rest.first == "\t" { rest = rest.dropFirst() }
    while rest.last == " " || rest.last == "\t" { rest = rest.dropLast() }
    return rest
  }
}
