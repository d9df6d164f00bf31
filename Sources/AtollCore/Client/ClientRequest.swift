// SPDX-License-Identifier: Apache-2.0

/// A request to be made: everything but the connection.
package struct ClientRequest: Equatable, Sendable {
  package var url: ClientURL
  /// As written on the request line.
  package var method: String
  /// In order; one named like a field of ours replaces it, one without a value removes it.
  package var headers: [HeaderField]
  package var body: [UInt8]

  package init(
    url: ClientURL, method: String = "GET", headers: [HeaderField] = [], body: [UInt8] = []
  ) {
    self.url = url
    self.method = method
    self.headers = headers
    self.body = body
  }

  /// The head on the wire. Each request has its own connection, so that connecting is measured too.
  package func head(userAgent: String) -> [UInt8] {
    var lines = [
      HeaderField(name: "Host", value: url.authority),
      HeaderField(name: "User-Agent", value: userAgent),
      HeaderField(name: "Accept", value: "*/*"),
      HeaderField(name: "Connection", value: "close"),
    ]
    if !body.isEmpty || ["POST", "PUT", "PATCH"].contains(method) {
      lines.append(HeaderField(name: "Content-Length", value: "\(body.count)"))
    }
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
