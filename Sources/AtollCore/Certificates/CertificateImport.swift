// SPDX-License-Identifier: Apache-2.0

/// Makes one certificate with its chain and key of what was in some files, in whatever order, and
/// says what keeps it from use.
package struct CertificateImport: Sendable {
  /// The leaf first, then its issuers, a root left out.
  package let chain: [CertificateInfo]
  package let key: PrivateKey
  /// What works, but is not as it should be.
  package let warnings: [CertificateError]
  /// What was done beside the obvious: an order mended, certificates left out.
  package let notes: [String]

  package var leaf: CertificateInfo { chain[0] }
  package var chainPEM: String { chain.map(\.pem).joined() }

  /// Everything that is wrong, at once.
  package struct Refusal: Error, Equatable, Sendable {
    package let problems: [CertificateError]
  }

  /// - Parameters:
  ///   - passphrase: of encrypted keys.
  ///   - allowsIncomplete: a chain that does not reach a root known here will do.
  ///   - isIssuedByTrusted: whether a root that this system trusts issued the certificate.
  package init(
    _ files: [CertificateFile], passphrase: [UInt8]? = nil, allowsIncomplete: Bool = false,
    now: Int64, isIssuedByTrusted: (CertificateInfo) -> Bool
  ) throws(Refusal) {
    var given: [CertificateInfo] = []
    for certificate in files.flatMap(\.certificates) where !given.contains(certificate) {
      given.append(certificate)
    }
    let pair = try Self.pair(of: given, files, passphrase)
    let (chain, root) = Self.chain(
      from: pair.certificate, among: given, now: now, isIssuedByTrusted)
    self.chain = chain
    key = pair.key

    var problems = Self.flaws(of: chain, now: now)
    var warnings: [CertificateError] = []
    var notes: [String] = []
    let last = chain[chain.count - 1]
    if chain.count == 1, last.isSelfIssued {
      warnings.append(
        CertificateError(
          "the certificate is signed by itself: viewers trust it only where it was installed",
          hint: "atoll cert create --local has one authority for all such certificates"))
    } else if root == nil, !isIssuedByTrusted(last) {
      let missing = Self.missing(last, isAllowed: allowsIncomplete)
      if allowsIncomplete {
        warnings.append(missing)
      } else {
        problems.append(missing)
      }
    } else if let root, !isIssuedByTrusted(last) {
      notes.append("only viewers that trust \(quoted(root.subject.shortText)) accept it")
    }
    if !problems.isEmpty { throw Refusal(problems: problems) }

    let leaf = chain[0]
    if leaf.notAfter - now < CertificateExpiry.warning {
      warnings.append(
        CertificateError(
          "the certificate expires on \(RFC3339.format(seconds: leaf.notAfter))",
          hint: "import its successor before that"))
    }
    if leaf.mustStaple, leaf.ocspURLs.isEmpty {
      warnings.append(
        CertificateError(
          "the certificate wants a stapled OCSP response, but names no responder",
          hint: "viewers that insist refuse it: ask the CA for one without \"must staple\""))
    }
    if [.ed25519, .ed448].contains(leaf.publicKey.algorithm) {
      warnings.append(
        CertificateError(
          "no browser knows keys of kind \(leaf.publicKey.algorithm.text)",
          hint: leaf.publicKey.algorithm.advice))
    }
    let used = chain + (root.map { [$0] } ?? [])
    let order = given.filter { used.contains($0) }
    if order != used { notes.append("the chain's order was mended") }
    if root != nil, given.count > 1 { notes.append("the root was left out: viewers have it") }
    let unused = given.filter { !used.contains($0) }
    if !unused.isEmpty {
      let names = unused.map { quoted($0.subject.shortText) }
      notes.append("left out, since no part of the chain: \(names.joined(separator: ", "))")
    }
    self.warnings = warnings
    self.notes = notes
  }

  // MARK: The pair

  private static func pair(
    of certificates: [CertificateInfo], _ files: [CertificateFile], _ passphrase: [UInt8]?
  ) throws(Refusal) -> (certificate: CertificateInfo, key: PrivateKey) {
    func refusal(_ message: String, _ hint: String) -> Refusal {
      Refusal(problems: [CertificateError(message, hint: hint)])
    }
    let names = files.map(\.name)
    let place = names.joined(separator: ", ")
    if certificates.isEmpty {
      throw refusal("\(place): no certificate there", "give the certificate's file, too")
    }
    var keys: [PrivateKey] = []
    var problems: [CertificateError] = []
    for file in files {
      for block in file.keys {
        do {
          keys.append(try PrivateKey(block, passphrase: passphrase))
        } catch {
          let hint =
            block.isEncrypted && passphrase == nil
            ? "put its passphrase into a file of yours, and add --passphrase-file <file>"
            : error.hint
          problems.append(
            CertificateError("\(file.name):\(block.line): \(error.message)", hint: hint))
        }
      }
    }
    if keys.isEmpty {
      if !problems.isEmpty { throw Refusal(problems: problems) }
      throw refusal("\(place): no private key there", "give the key's file, too")
    }
    var pairs: [(certificate: CertificateInfo, key: PrivateKey)] = []
    for certificate in certificates {
      if let key = keys.first(where: { $0.fits(certificate) }) { pairs.append((certificate, key)) }
    }
    // A key of one's own authority may lie in the same file.
    let leaves = pairs.filter { !$0.certificate.isAuthority }
    if leaves.count > 1 {
      // The same key certified again: the last one to expire is meant.
      if Set(leaves.map { $0.certificate.publicKey.encoding }).count == 1,
        Set(leaves.map { Set($0.certificate.domains) }).count == 1
      {
        return leaves.max { $0.certificate.notAfter < $1.certificate.notAfter }!
      }
      let all = leaves.map { quoted($0.certificate.subject.shortText) }.joined(separator: ", ")
      throw refusal(
        "several certificates have their keys there: \(all)",
        "import them one by one, each with a name of its own")
    }
    if let leaf = leaves.first { return leaf }
    if let authority = pairs.first?.certificate, !authority.isSelfIssued || pairs.count > 1 {
      throw refusal(
        "the private key is that of the authority \(quoted(authority.subject.shortText)), which is "
          + "for signing certificates", "give the key of the server's certificate")
    }
    if let own = pairs.first { return own }
    let leaf = certificates.first { !$0.isAuthority } ?? certificates[0]
    throw refusal(
      "the private key is not that of the certificate \(quoted(leaf.subject.shortText))",
      "give the key that the certificate was requested with; openssl pkey -pubout shows which")
  }

  // MARK: The chain

  /// From the leaf upwards, as far as the given certificates reach; the root apart.
  private static func chain(
    from leaf: CertificateInfo, among given: [CertificateInfo], now: Int64,
    _ isIssuedByTrusted: (CertificateInfo) -> Bool
  ) -> (chain: [CertificateInfo], root: CertificateInfo?) {
    var chain = [leaf]
    while let last = chain.last, !last.isSelfIssued {
      let issuers = given.filter { !chain.contains($0) && last.isIssued(by: $0) }
      // One that holds now, and of those one that an older root signed too: whoever gave it wants
      // it sent.
      let issuer =
        issuers.first { !$0.isSelfIssued && $0.isValid(at: now) }
        ?? issuers.first { $0.isSelfIssued } ?? issuers.first
      guard let issuer else { break }
      // What ties a root to an older one may outlive its use: bundles go on carrying it.
      if !issuer.isValid(at: now), isIssuedByTrusted(last) { break }
      if issuer.isSelfIssued { return (chain, issuer) }
      chain.append(issuer)
    }
    return (chain, nil)
  }

  private static func missing(_ last: CertificateInfo, isAllowed: Bool) -> CertificateError {
    let issuer = quoted(last.issuer.shortText)
    let source = last.issuerURLs.first.map { "; the CA has it at \($0)" } ?? ""
    return CertificateError(
      "the certificate of \(issuer), which issued \(quoted(last.subject.shortText)), is missing",
      hint:
        "give the CA's file with the intermediates\(source); if \(issuer) is a root of your own, "
        + (isAllowed
          ? "only viewers that have it accept the chain"
          : "give its certificate or add --allow-incomplete"))
  }

  private static func flaws(of chain: [CertificateInfo], now: Int64) -> [CertificateError] {
    var problems: [CertificateError] = []
    let leaf = chain[0]
    if !leaf.hasNames {
      let name = leaf.subject.commonName.map { " (\(quoted($0)) stands only in its subject)" } ?? ""
      problems.append(
        CertificateError(
          "the certificate names no domain\(name)",
          hint: "viewers look at its subject alternative names alone: ask the CA for one with them")
      )
    }
    if !leaf.isForServers {
      problems.append(
        CertificateError(
          "the certificate is not for servers", hint: "ask the CA for one for TLS servers"))
    }
    if leaf.isAuthority, !leaf.isSelfIssued {
      problems.append(
        CertificateError(
          "the certificate is an authority's", hint: "give the server's certificate"))
    }
    for certificate in chain {
      let name = certificate == leaf ? "the certificate" : quoted(certificate.subject.shortText)
      if now > certificate.notAfter {
        problems.append(
          CertificateError(
            "\(name) expired on \(RFC3339.format(seconds: certificate.notAfter))",
            hint: certificate == leaf ? "give its successor" : "the CA has a newer intermediate"))
      }
      if now < certificate.notBefore {
        problems.append(
          CertificateError(
            "\(name) is not valid before \(RFC3339.format(seconds: certificate.notBefore))",
            hint: "import it then, or check this machine's clock"))
      }
      if let weakness = certificate.publicKey.algorithm.weakness {
        problems.append(
          CertificateError(
            "\(name) is too weak: \(weakness)", hint: certificate.publicKey.algorithm.advice))
      }
      if certificate.hasWeakSignature, !certificate.isSelfIssued {
        problems.append(
          CertificateError(
            "\(name) is too weak: it is signed with \(certificate.signatureName)",
            hint: "ask the CA for one that is signed with SHA-256"))
      }
    }
    return problems
  }
}
