// SPDX-License-Identifier: Apache-2.0

/// What a CA says went wrong: a problem document (RFC 7807) with ACME's types (RFC 8555 §6.7).
package struct ACMEProblem: Equatable, Sendable {
  package static let namespace = "urn:ietf:params:acme:error:"

  /// Without ACME's namespace: "rateLimited"; another URI as it is; "" for none.
  package var type: String
  package var detail: String
  package var status: Int?
  /// A page about it, where the CA names one.
  package var instance: String?
  package var subproblems: [Subproblem]

  package struct Subproblem: Equatable, Sendable {
    package var identifier: String?
    package var type: String
    package var detail: String
  }

  package init(
    type: String, detail: String, status: Int? = nil, instance: String? = nil,
    subproblems: [Subproblem] = []
  ) {
    self.type = type
    self.detail = detail
    self.status = status
    self.instance = instance
    self.subproblems = subproblems
  }

  package init?(_ node: JSONNode?) {
    guard let node, Self.isProblem(node) else { return nil }
    // All at once: what is filled member by member, the release's optimizer stumbles over.
    let status = node["status"]?.integer
    self.init(
      type: Self.shortened(node["type"]?.text), detail: Self.cleaned(node["detail"]?.text),
      status: status.map { Int(clamping: $0) }, instance: node["instance"]?.text,
      subproblems: Self.parts(of: node))
  }

  private static func isProblem(_ node: JSONNode) -> Bool {
    guard case .object = node.value else { return false }
    return node["type"] != nil || node["detail"] != nil
  }

  private static func parts(of node: JSONNode) -> [Subproblem] {
    var parts: [Subproblem] = []
    for part in (node["subproblems"]?.elements ?? []).prefix(Limits.certificateNames) {
      let identifier = part["identifier"]
      parts.append(
        Subproblem(
          identifier: identifier?["value"]?.text, type: shortened(part["type"]?.text),
          detail: cleaned(part["detail"]?.text)))
    }
    return parts
  }

  private static func shortened(_ type: String?) -> String {
    guard let type else { return "" }
    return type.hasPrefix(namespace) ? String(type.dropFirst(namespace.count)) : type
  }

  /// A CA's text becomes part of a line.
  private static func cleaned(_ text: String?) -> String {
    var words = (text ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    if words.count > 1_000 { words = words.prefix(1_000) + "…" }
    while words.last == "." { words.removeLast() }
    return words
  }

  /// As the CA said it.
  package var text: String {
    switch (detail.isEmpty, type.isEmpty) {
    case (false, false): "\(detail) (\(type))"
    case (false, true): detail
    case (true, false): type
    case (true, true): "it gives no reason"
    }
  }

  package var details: [String] {
    subproblems.map { part in
      let reason = part.detail.isEmpty ? part.type : part.detail
      return part.identifier.map { "\($0): \(reason)" } ?? reason
    }
  }

  /// - Parameter ca: who says it.
  /// - Parameter retryAfter: seconds since 1970, from the response's Retry-After.
  package func error(from ca: String, while doing: String, retryAfter: Int64? = nil) -> ACMEError {
    ACMEError(
      .refused, "\(ca) refused to \(doing): \(text)", hint: hint(retryAfter: retryAfter),
      details: details, type: type, notBefore: type == "rateLimited" ? retryAfter : nil)
  }

  /// What whoever asked can do about it.
  package func hint(retryAfter: Int64? = nil) -> String {
    switch type {
    case "rateLimited":
      let when = retryAfter.map { "try again after \(RFC3339.format(seconds: $0))" }
      return (when ?? "try again later")
        + "; what is served is not touched, and trials belong on --staging"
    case "externalAccountRequired":
      return "this CA wants an account that you have with it: give --eab-key-id and "
        + "--eab-hmac-file, as it hands them out"
    case "userActionRequired":
      return instance.map { "open \($0) and do what it says" }
        ?? "look at the CA's pages for what it wants of you"
    case "accountDoesNotExist": return "repeat the command: it makes the account anew"
    case "invalidContact", "unsupportedContact": return "give another --email, or none"
    case "rejectedIdentifier", "unsupportedIdentifier":
      return "leave that name out, or ask another CA with --acme"
    case "badPublicKey", "badCSR", "badSignatureAlgorithm":
      return "choose another key with --key"
    case "serverInternal":
      return "the fault is the CA's: try again later; what is served is not touched"
    case "caa", "dns", "connection", "tls", "incorrectResponse":
      return Self.hint(ofValidation: type, by: nil)
    case "unauthorized":
      return "if the CA has closed the account, --new-account makes another"
    case "invalidProfile": return "choose another --profile, or none"
    default: return "what is served is not touched; look up what the CA says about it"
    }
  }

  /// What to do where a domain could not be proven.
  package static func hint(ofValidation type: String, by challenge: ChallengeType?) -> String {
    switch (type, challenge) {
    case ("caa", _):
      return "the domain's CAA records do not allow this CA: add one for it, or remove them"
    case ("dns", .dns?):
      return "the record was not found: check that every name server of the zone has it, or give "
        + "them more time with --dns-timeout"
    case ("dns", _):
      return "check the domain's A, AAAA and CNAME records at its name servers"
    case ("connection", .tls?):
      return "port 443 of every address of the domain has to be open to everyone, IPv6 included"
    case ("connection", .dns?):
      return "the domain's name servers have to answer everyone"
    case ("connection", _):
      return "port 80 of every address of the domain has to be open to everyone, IPv6 included"
    case ("unauthorized", .http?), ("incorrectResponse", .http?):
      return "something else answered: have every address of the domain lead to this edge, and "
        + "nothing before it take /.well-known/acme-challenge/"
    case ("unauthorized", .dns?), ("incorrectResponse", .dns?):
      return "the record was not there yet, or another was: remove old ones, and give the name "
        + "servers more time with --dns-timeout"
    case ("unauthorized", .tls?), ("incorrectResponse", .tls?), ("tls", .tls?):
      return "something else answered: nothing before the edge may end TLS on port 443"
    case ("tls", _):
      return "a redirect led to a TLS server that could not be talked to: mend or remove it"
    default:
      return "have every address of the domain lead to this edge, and try again"
    }
  }
}
