// SPDX-License-Identifier: Apache-2.0

/// A name that a certificate can be for, as a person wrote it.
package struct CertifiedName: Equatable, Hashable, Sendable {
  package enum Kind: Equatable, Sendable { case domain, wildcard, address }

  package var kind: Kind
  /// Lower case, in ASCII, without a dot at its end; a wildcard with its "*."; an address as RFC
  /// 5952 writes it.
  package var text: String

  /// What the CA is asked for, and looked up: a wildcard's parent.
  package var base: String { kind == .wildcard ? String(text.dropFirst(2)) : text }

  /// RFC 8738 §3.
  package var identifierType: String { kind == .address ? "ip" : "dns" }

  /// - Throws: what is wrong, continuing `--domain "x" …`.
  package init(_ written: String) throws(NameError) {
    var name = written.trimmed
    if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
    if let address = IPAddress(name) {
      kind = .address
      text = "\(address)"
      return
    }
    for scheme in ["http://", "https://"] where name.lowercased().hasPrefix(scheme) {
      let host = name.dropFirst(scheme.count).prefix { $0 != "/" && $0 != ":" }
      throw NameError("is a URL, not a name", hint: "write \(host)")
    }
    if name.hasSuffix(".") { name.removeLast() }
    kind = name.hasPrefix("*.") ? .wildcard : .domain
    let labels = (kind == .wildcard ? String(name.dropFirst(2)) : name)
      .split(separator: ".", omittingEmptySubsequences: false)
    if name.isEmpty { throw NameError("is empty", hint: "write it as shop.example") }
    if labels.contains(where: { $0.contains("*") }) {
      throw NameError(
        "has a * elsewhere than as its first label", hint: "a wildcard is written *.shop.example")
    }
    var ascii: [String] = []
    for label in labels { ascii.append(try Self.ascii(label)) }
    if ascii.count < 2, kind == .wildcard {
      throw NameError(
        "would stand for every name below a top-level domain", hint: "name a domain of yours")
    }
    // A name of digits alone at its end is an address gone wrong (RFC 1123 §2.1).
    if ascii[ascii.count - 1].utf8.allSatisfy({ $0 &- 0x30 < 10 }) {
      throw NameError("is neither a name nor an address", hint: "write it as shop.example")
    }
    text = (kind == .wildcard ? "*." : "") + ascii.joined(separator: ".")
    if text.utf8.count > 253 {
      throw NameError(
        "is longer than the 253 characters of a domain name", hint: "check the spelling")
    }
  }

  private static func ascii(_ label: Substring) throws(NameError) -> String {
    if label.isEmpty {
      throw NameError("has an empty label", hint: "remove the dot that is too many")
    }
    let ascii: String
    if label.utf8.allSatisfy({ $0 < 0x80 }) {
      ascii = label.lowercased()
    } else {
      guard let converted = Punycode.label(label) else {
        throw NameError(
          "has characters that cannot be told for certain in ASCII",
          hint: "write it in the form that begins with xn--, as your registrar shows it")
      }
      ascii = converted
    }
    guard ascii.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f }) else {
      throw NameError("is no domain name", hint: "use letters, digits, \"-\" and \".\"")
    }
    if ascii.hasPrefix("-") || ascii.hasSuffix("-") {
      throw NameError("has a label that begins or ends in \"-\"", hint: "check the spelling")
    }
    if ascii.utf8.count > 63 {
      throw NameError("has a label of more than 63 characters", hint: "check the spelling")
    }
    return ascii
  }

  /// Each once, in the order given; what `*.shop.example` covers beside it stays, since a
  /// certificate may name both.
  package static func unique(_ names: [CertifiedName]) -> [CertifiedName] {
    var seen: Set<CertifiedName> = []
    return names.filter { seen.insert($0).inserted }
  }
}

/// What is wrong with a name: `problem` continues the name.
package struct NameError: Error, Equatable, Sendable {
  package var problem: String
  package var hint: String

  package init(_ problem: String, hint: String) {
    self.problem = problem
    self.hint = hint
  }
}
