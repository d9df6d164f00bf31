// SPDX-License-Identifier: Apache-2.0
import Glibc

extension Origin {
  /// From `http://host[:port][/path]`, with the defaults for the rest.
  package init(url: String) throws(ConfigError) {
    try self.init(url: url, place: "origin")
  }

  init(url: String, place: String) throws(ConfigError) {
    func refusal(_ what: String, _ hint: String) -> ConfigError {
      ConfigError(where: place, what: "\(quoted(url)) \(what)", hint: hint)
    }
    let example = "write a URL such as http://shop.example:8080"
    let bytes = Array(url.utf8)
    func text(_ slice: ArraySlice<UInt8>) -> String { String(decoding: slice, as: UTF8.self) }
    if bytes.count > 2_048 { throw refusal("is longer than 2048 characters", example) }
    let schemeEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
    guard bytes[schemeEnd...].starts(with: "://".utf8) else {
      throw refusal("has no scheme", isPlainAuthority(url) ? "write http://\(url)" : example)
    }
    let schemeText = text(bytes[..<schemeEnd]).lowercased()
    guard let scheme = Scheme(rawValue: schemeText) else {
      throw refusal("has the scheme \(quoted(schemeText))", "write http:// or https://")
    }
    let rest = bytes[(schemeEnd + 3)...]
    let authority = rest.prefix { !"/?#".utf8.contains($0) }
    var pathBytes = rest[authority.endIndex...]
    if authority.contains(UInt8(ascii: "@")) {
      throw refusal(
        "carries a user name", "remove everything up to the @: atoll sends no credentials")
    }
    if pathBytes.contains(UInt8(ascii: "?")) || pathBytes.contains(UInt8(ascii: "#")) {
      throw refusal(
        "carries a query or a fragment", "end the URL with its path: viewers bring their own query")
    }
    var hostBytes = authority
    var port: UInt16 = scheme.defaultPort
    let bracket = authority.lastIndex(of: UInt8(ascii: "]")) ?? -1
    if let colon = authority.lastIndex(of: UInt8(ascii: ":")), colon > bracket {
      let digits = authority[(colon + 1)...]
      guard let number = UInt16(text(digits)), number > 0, digits.allSatisfy(isDigit) else {
        throw refusal("has the port \(quoted(text(digits)))", "write a port from 1 to 65535")
      }
      port = number
      hostBytes = authority[..<colon]
    }
    var host = text(hostBytes).lowercased()
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      if !isIPv6(host) {
        throw refusal(
          "has no valid address between the brackets", "write it like http://[2001:db8::1]:8080")
      }
    } else if host.utf8.contains(UInt8(ascii: ":")) {
      throw refusal(
        "has an IPv6 address without brackets", "write it like http://[2001:db8::1]:8080")
    }
    if let flaw = hostFlaw(host) { throw refusal(flaw, example) }
    if pathBytes.last == UInt8(ascii: "/") { pathBytes.removeLast() }
    let path = text(pathBytes)
    if let flaw = originPathFlaw(path) { throw refusal(flaw.what, flaw.hint) }
    self.init(scheme: scheme, host: host, port: port, path: path)
  }

  /// As a person writes it: the default port left out, an IPv6 address in brackets.
  package var url: String { "\(scheme.rawValue)://\(authority)\(path)" }

  /// `host[:port]` as in a Host field.
  package var authority: String {
    let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    return port == scheme.defaultPort ? name : "\(name):\(port)"
  }
}

extension Scheme {
  package var defaultPort: UInt16 { self == .http ? 80 : 443 }
}

/// What is wrong with a host name or address, as the end of a sentence; nil when nothing is.
func hostFlaw(_ host: String) -> String? {
  if host.isEmpty { return "names no host" }
  if isIPv6(host) { return nil }
  if host.utf8.count > 253 { return "has a host name longer than 253 characters" }
  let labels = Array(host.utf8).split(
    separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  for (index, label) in labels.enumerated() {
    // A single final dot means the DNS root.
    if label.isEmpty && index == labels.count - 1 && labels.count > 1 { continue }
    if label.isEmpty { return "has a host name with an empty part" }
    if label.count > 63 { return "has a host name with a part longer than 63 characters" }
    if !label.allSatisfy({
      isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
    }) {
      return "has a host name with a character other than letters, digits, - and ."
    }
    if label.first == UInt8(ascii: "-") || label.last == UInt8(ascii: "-") {
      return "has a host name with a part that starts or ends with -"
    }
  }
  // Four numbers are an address (RFC 3986 §3.2.2), and some resolvers read 1.2.3 as one too.
  if labels.allSatisfy({ $0.allSatisfy(isDigit) }) && !isIPv4(host) {
    return "has a host that is neither a name nor an IPv4 address"
  }
  return nil
}

/// What is wrong with the path put before the viewer's.
func originPathFlaw(_ path: String) -> (what: String, hint: String)? {
  if path.isEmpty { return nil }
  if !path.hasPrefix("/") {
    return ("has a path without a leading /", "write /\(path)")
  }
  if path.hasSuffix("/") {
    return ("has a path with a trailing /", "remove the / at its end")
  }
  if path.utf8.count > 1_024 {
    return ("has a path longer than 1024 characters", "shorten the path")
  }
  var rest = path.utf8[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%") {
      guard let high = rest.popFirst(), let low = rest.popFirst(), isHex(high), isHex(low) else {
        return ("has a path with a % that two hexadecimal digits don't follow", "write %25 for a %")
      }
    } else if !isPathByte(byte) {
      return (
        "has a path with a character that no URL path may hold",
        "percent-encode it, as in %20 for a space"
      )
    }
  }
  return nil
}

/// `host[:port]` written where a URL belongs.
private func isPlainAuthority(_ text: String) -> Bool {
  let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
  guard let authority = parts.first, !authority.isEmpty else { return false }
  let host = authority.prefix { $0 != ":" }
  let port = authority[host.endIndex...].dropFirst()
  // `unix:/path` and `http:/host` end in their colon: no port was meant.
  return hostFlaw(host.lowercased()) == nil && port.utf8.allSatisfy(isDigit)
    && authority.last != ":"
}

func isIPv4(_ text: String) -> Bool {
  var address = in_addr()
  return inet_pton(AF_INET, text, &address) == 1
}

func isIPv6(_ text: String) -> Bool {
  guard text.utf8.contains(UInt8(ascii: ":")) else { return false }
  var address = in6_addr()
  return inet_pton(AF_INET6, text, &address) == 1
}
