// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// A path as people give it to `atoll purge`, made the selector that edges apply.
enum PurgePath {
  /// Characters of one path, as CloudFront limits them.
  static let limit = 4_000

  /// - Parameter distribution: whose hosts a full URL may name.
  static func selector(_ text: String, of distribution: Distribution) throws(CommandError)
    -> PurgeSelector
  {
    var path = Substring(text)
    if let url = try cutHost(path, of: distribution) { path = url }
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
    return .path(encoded)
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
  private static func cutHost(_ text: Substring, of distribution: Distribution)
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
    let own = ["\(distribution.name).atoll.localhost", "\(distribution.id).atoll.localhost"]
    let isOwn = own.contains { $0.lowercased() == host.lowercased() }
    // An edge with one distribution answers for it under any address of the machine.
    guard isOwn || host.lowercased() == "localhost" || SocketAddress(host: host, port: 0) != nil
    else {
      throw .usage(
        "\"\(text)\": the host \"\(host)\" is not known to belong to \"\(distribution.name)\"",
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
