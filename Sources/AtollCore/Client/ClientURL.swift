// SPDX-License-Identifier: Apache-2.0

/// What to ask for: an http or https URL taken apart.
package struct ClientURL: Equatable, Sendable {
  package var scheme: Scheme
  /// Lower case, without brackets.
  package var host: String
  package var port: UInt16
  /// Path and query, as the request line carries them.
  package var target: String
  /// The value of the Host field: the port stands in it only when it is not the scheme's.
  package var authority: String

  /// As users read it.
  package var text: String { "\(scheme.rawValue)://\(authority)\(target)" }

  /// The same, from the same port, by another protocol.
  package func asked(by scheme: Scheme) -> ClientURL {
    var url = self
    url.scheme = scheme
    url.authority = Self.authority(host, port, scheme)
    return url
  }

  private static func authority(_ host: String, _ port: UInt16, _ scheme: Scheme) -> String {
    let bracketed = host.contains(":") ? "[\(host)]" : host
    return port == scheme.defaultPort ? bracketed : "\(bracketed):\(port)"
  }

  /// Reads a URL as curl does: the scheme may be left out, a fragment is dropped.
  package init(parsing source: String) throws(ClientError) {
    var rest = Substring(source)
    var scheme = Scheme.http
    if let separator = rest.range(ofText: "://") {
      let name = rest[..<separator.lowerBound].lowercased()
      guard let known = Scheme(rawValue: name) else {
        throw .usage(
          "\"\(source)\" has the scheme \"\(name)\"", hint: "write an http:// or https:// URL")
      }
      scheme = known
      rest = rest[separator.upperBound...]
    }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    let place = rest[..<end]
    rest = rest[end...]
    if place.contains("@") {
      throw .usage(
        "\"\(source)\" carries a user name", hint: "send it as a header: -H 'Authorization: …'")
    }
    guard let (host, port) = HostPort.split(place), !host.isEmpty else {
      throw .usage(
        "\"\(source)\" is no URL", hint: "write http://<host>[:<port>]/<path>")
    }
    self.host = host.lowercased()
    self.scheme = scheme
    self.port = port ?? scheme.defaultPort
    authority = Self.authority(self.host, self.port, scheme)
    if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
    target = rest.first == "/" ? RequestTarget.encode(rest) : "/" + RequestTarget.encode(rest)
    if target.utf8.count > 65_000 {
      throw .usage("the URL is longer than 65,000 characters")
    }
  }
}

/// The form in which a path travels.
package enum RequestTarget {
  /// Percent-encodes what may not stand in a request line (RFC 9112 §3.2) and leaves the rest,
  /// percent signs included, as it is: what the user wrote is what is meant.
  package static func encode(_ text: Substring) -> String {
    percentEncoded(text) { $0 > 0x20 && $0 < 0x7f }
  }
}

/// `host[:port]` with brackets around IPv6 addresses.
package enum HostPort {
  /// Nil when the text is neither; the host comes without brackets.
  package static func split(_ text: Substring) -> (host: String, port: UInt16?)? {
    var host = text
    var port: Substring?
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<close]
      let after = text[text.index(after: close)...]
      if !after.isEmpty {
        guard after.first == ":" else { return nil }
        port = after.dropFirst()
      }
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
    }
    let isPlain = host.utf8.allSatisfy {
      $0 > 0x20 && $0 < 0x7f && !"/?#@\\[]<>\"".utf8.contains($0)
    }
    guard isPlain else { return nil }
    guard let port, !port.isEmpty else { return (String(host), nil) }
    guard port.utf8.allSatisfy(isDigit), let number = UInt16(port),
      number > 0
    else { return nil }
    return (String(host), number)
  }
}
