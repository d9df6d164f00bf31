// SPDX-License-Identifier: Apache-2.0

/// What ACME wants of keys and certificates.
enum ACMEKeys {
  struct Account {
    var signer: JWS.Signer
    var jwk: JWK
  }

  /// PEM, of a new account.
  static func make() throws(ACMEError) -> String {
    do throws(CertificateError) {
      return try PrivateKey.generate(.p256).pem
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
  }

  static func read(_ pem: String) throws(ACMEError) -> Account {
    let key: PrivateKey
    do throws(CertificateError) {
      key = try PrivateKey(pem: pem)
    } catch {
      throw ACMEError(
        .preparation, "the account's key in the store can't be used: \(error.message)",
        hint: "give --new-account to make another")
    }
    guard let jwk = JWK(key.publicKey), let signer = JWS.Signer(key) else {
      throw ACMEError(
        .preparation, "the account's key is of the kind \(key.algorithm.text)",
        hint: "give --new-account to make another")
    }
    return Account(signer: signer, jwk: jwk)
  }

  /// A new key, and what asks for its certificate.
  static func makeRequest(_ names: [CertifiedName], _ type: KeyType) throws(ACMEError) -> (
    pem: String, csr: [UInt8]
  ) {
    do throws(CertificateError) {
      let key = try PrivateKey.generate(type)
      return (key.pem, try makeCSR(domains: names.map(\.text), key: key))
    } catch {
      throw ACMEError(.preparation, error.message, hint: error.hint)
    }
  }

  /// Whether what the CA hands out is what was asked for: nothing else replaces a certificate.
  static func check(
    _ chain: String, for names: [CertifiedName], key: String, ca: String
  ) throws(ACMEError) {
    do throws(CertificateError) {
      let leaf = try CertificateInfo(pem: chain)
      let missing = names.filter { name in
        name.kind == .address
          ? !leaf.addresses.contains { $0.description == name.text }
          : !leaf.domains.contains(name.text)
      }
      if let first = missing.first {
        throw CertificateError("it is not for \(first.text)", hint: "")
      }
      if !(try PrivateKey(pem: key).fits(leaf)) {
        throw CertificateError("it is for another key", hint: "")
      }
    } catch {
      throw ACMEError(
        .transport, "\(ca) handed out a certificate that is of no use: \(error.message)",
        hint: "try again later; what is served is not touched")
    }
  }

  /// Whether the last of a chain was issued by this root.
  static func isIssued(_ chain: String, byRoot name: String) -> Bool {
    guard let last = (try? CertificateInfo.chain(pem: chain))?.last else { return false }
    return last.issuer.text.lowercased().contains(name.lowercased())
  }
}

extension JWS.Signer {
  /// nil for other keys than ECDSA on P-256 and RSA.
  package init?(_ key: PrivateKey) {
    switch key.algorithm {
    case .p256: self.init(algorithm: "ES256") { try key.joseSignature(of: $0) }
    case .rsa: self.init(algorithm: "RS256") { try key.joseSignature(of: $0) }
    default: return nil
    }
  }
}
