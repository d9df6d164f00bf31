// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// The distribution that a purge is about.
struct PurgeTarget {
  let name: String
  let id: String
  /// Nil for one that only a running edge knows.
  let policy: DistributionPolicy?

  init(_ distribution: Distribution) {
    name = distribution.name
    id = distribution.id
    policy = DistributionPolicy(distribution, slot: 0)
  }

  /// Of `atoll serve <url>`, which saves nothing.
  init(unsaved name: String, id: String) {
    self.name = name
    self.id = id
    policy = nil
  }

  /// Whether viewers who ask for the host reach it.
  func answers(_ host: String) -> Bool {
    let host = host.lowercased()
    guard let distribution = policy?.distribution else {
      return [name, id].contains { "\($0.lowercased()).\(Distribution.standardBase)" == host }
    }
    return distribution.ownDomains.contains { $0.lowercased() == host }
      || distribution.domains.contains { $0.matches(host) }
  }

  /// The URL under which a response is stored: without the parameters that its behavior leaves out
  /// of the key.
  func keyed(_ path: String) -> String {
    guard let policy, path.utf8.contains(UInt8(ascii: "?")) else { return path }
    return String(decoding: policy.keyedURL(of: path), as: UTF8.self)
  }
}

/// A path as people give it to `atoll purge`, made the selector that edges apply.
enum PurgePath {
  /// Characters of one path, as CloudFront limits them.
  static let limit = 4_000

  static func selector(_ text: String, of target: PurgeTarget) throws(CommandError)
    -> PurgeSelector
  {
    var path = Substring(text)
    if let url = try cutHost(path, of: target) { path = url }
    guard path.first == "/" else {
      throw .usage(
        "path \"\(text)\" does not begin with a slash",
        hint: text == "*" ? "write '/*' or --all for everything" : "write /\(text)")
    }
    if path.contains("#") {
      throw .usage(
        "path \"\(text)\" has a fragment, which no request carries",
        hint: "leave out what follows #")
    }
    if let star = path.firstIndex(of: "*"), path.index(after: star) != path.endIndex {
      throw .usage(
        "path \"\(text)\" has a * that is not its last character",
        hint: "write '\(path[...star])' for everything that begins so")
    }
    guard path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      throw .usage("a path has a control character in it: \"\(printable(text))\"")
    }
    let encoded = RequestTarget.encode(path)
    guard encoded.utf8.count <= limit else {
      throw .usage(
        "path \"\(text.prefix(40))…\" is longer than 4,000 characters",
        hint: "purge a prefix of it, ending in *")
    }
    if encoded == "/*" { return .all }
    if encoded.hasSuffix("*") { return .prefix(String(encoded.dropLast())) }
    return .path(target.keyed(encoded))
  }

  /// As `selector` was read from.
  static func text(of selector: PurgeSelector) -> String {
    switch selector {
    case .all: "/*"
    case .path(let path): path
    case .prefix(let prefix): prefix + "*"
    case .tag(let tag): "tag \(tag)"
    }
  }

  /// What follows the host of an http URL; nil when the text is none.
  private static func cutHost(_ text: Substring, of target: PurgeTarget)
    throws(CommandError) -> Substring?
  {
    guard let scheme = ["http://", "https://"].first(where: text.lowercased().hasPrefix) else {
      return nil
    }
    let rest = text.dropFirst(scheme.count)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
    let path = rest[end...]
    let wanted = path.isEmpty ? "/" : String(path)
    guard let (host, _) = HostPort.split(rest[..<end]), !host.isEmpty else {
      throw .usage("\"\(text)\" is no URL", hint: "write the path alone: \(wanted)")
    }
    let isOwn = target.answers(host)
    // An edge with one distribution answers for it under any address of the machine.
    guard isOwn || host.lowercased() == "localhost" || SocketAddress(host: host, port: 0) != nil
    else {
      throw .usage(
        "\"\(text)\": the host \"\(host)\" is not known to belong to \"\(target.name)\"",
        hint: "write the path alone: \(wanted)")
    }
    if path.first == "?" { return "/" + path }
    return path.isEmpty ? "/" : path
  }

  private static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : $0 }))
  }
}
