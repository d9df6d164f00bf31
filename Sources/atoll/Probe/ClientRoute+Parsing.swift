// SPDX-License-Identifier: Apache-2.0
import AtollCore

extension ClientRoute.Resolution {
  init(parsing text: String) throws(ValueError) {
    let wrong = ValueError(
      "is not host:port:address", hint: "such as www.example.com:80:127.0.0.1")
    guard let (host, rest) = ClientRoute.cutHost(Substring(text)),
      let colon = rest.firstIndex(of: ":"), let port = UInt16(rest[..<colon]), port > 0
    else { throw wrong }
    let addresses = rest[rest.index(after: colon)...].split(separator: ",")
    guard !host.isEmpty, !addresses.isEmpty else { throw wrong }
    let list = addresses.map { address in
      let bare = address.first == "[" && address.last == "]"
      return String(bare ? address.dropFirst().dropLast() : address)
    }
    for address in list where SocketAddress(host: address, port: 0) == nil {
      throw ValueError(
        "has no IP address in \"\(address)\"", hint: "use --connect-to to name a host")
    }
    self.init(host: host.lowercased(), port: port, addresses: list)
  }
}

extension ClientRoute.Redirection {
  init(parsing text: String) throws(ValueError) {
    self.init()
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard !path.isEmpty, path.utf8.count <= SocketAddress.longestUnixPath else {
        throw ValueError(
          "is no path for a socket: those have 1 to \(SocketAddress.longestUnixPath) bytes",
          hint: "such as unix:/run/atoll.sock")
      }
      unixPath = path
      return
    }
    let wrong = ValueError(
      "is no address",
      hint: "write address:port, host:port:address:port or unix:/path")
    let parts = ClientRoute.parts(text)
    switch parts?.count {
    case 2:
      guard let parts, !parts[0].isEmpty, let port = UInt16(parts[1]), port > 0 else {
        throw wrong
      }
      toHost = parts[0]
      toPort = port
    case 4:
      guard let parts else { throw wrong }
      func number(_ text: String) throws(ValueError) -> UInt16? {
        if text.isEmpty { return nil }
        guard let value = UInt16(text), value > 0 else { throw wrong }
        return value
      }
      host = parts[0].isEmpty ? nil : parts[0].lowercased()
      port = try number(parts[1])
      toHost = parts[2]
      toPort = try number(parts[3])
    default: throw wrong
    }
  }
}

extension ClientRoute {
  /// Cuts `host:` or `[address]:` off the front.
  fileprivate static func cutHost(_ text: Substring) -> (host: String, rest: Substring)? {
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { return nil }
      let after = text[text.index(after: close)...]
      guard after.first == ":" else { return nil }
      return (String(text[text.index(after: text.startIndex)..<close]), after.dropFirst())
    }
    guard let colon = text.firstIndex(of: ":") else { return nil }
    return (String(text[..<colon]), text[text.index(after: colon)...])
  }

  /// The parts between colons, with brackets around IPv6 addresses respected and removed.
  fileprivate static func parts(_ text: String) -> [String]? {
    var parts: [String] = []
    var current = ""
    var isBracketed = false
    for character in text {
      switch character {
      case "[" where current.isEmpty && !isBracketed: isBracketed = true
      case "]" where isBracketed: isBracketed = false
      case ":" where !isBracketed:
        parts.append(current)
        current = ""
      default: current.append(character)
      }
    }
    parts.append(current)
    return isBracketed ? nil : parts
  }
}
