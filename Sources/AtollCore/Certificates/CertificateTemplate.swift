// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What a certificate is to say that is made here, by a local authority or for a challenge.
package struct CertificateTemplate: Sendable {
  /// Domains, wildcards and addresses.
  package var names: [String]
  package var organization: String?
  package var commonName: String?
  /// Seconds since 1970.
  package var notBefore: Int64
  package var notAfter: Int64
  /// It signs others, which sign none themselves.
  package var isAuthority = false
  package var extensions: [CertificateExtension] = []

  package init(
    names: [String] = [], organization: String? = nil, commonName: String? = nil,
    notBefore: Int64, notAfter: Int64, isAuthority: Bool = false,
    extensions: [CertificateExtension] = []
  ) {
    self.names = names
    self.organization = organization
    self.commonName = commonName
    self.notBefore = notBefore
    self.notAfter = notAfter
    self.isAuthority = isAuthority
    self.extensions = extensions
  }

  /// - Parameter key: the certificate's own.
  /// - Parameter issuer: who signs; nil: the key itself.
  package func signed(
    for key: PrivateKey, by issuer: (certificate: CertificateInfo, key: PrivateKey)? = nil
  ) throws(CertificateError) -> CertificateInfo {
    let subject = DistinguishedName.encode(organization: organization, commonName: commonName)
    let signer = issuer?.key ?? key
    let algorithm = try Self.algorithm(of: signer)
    let extensions = try allExtensions(
      for: key, issuer: issuer?.certificate, hasSubject: subject.count > 2)
    let body = DER.sequence(
      DER.element(DERTag.explicit(0), DER.integer([2])),
      DER.integer(Self.serial()),
      algorithm,
      issuer?.certificate.subject.encoding ?? subject,
      DER.sequence(DER.time(notBefore), DER.time(notAfter)),
      subject,
      key.publicKey.encoding,
      DER.element(
        DERTag.explicit(3),
        DER.sequence(extensions.map(\.encoding))))
    let signature = try signer.signature(of: body)
    return try CertificateInfo(der: DER.sequence(body, algorithm, DER.bits(signature)))
  }

  private func allExtensions(
    for key: PrivateKey, issuer: CertificateInfo?, hasSubject: Bool
  ) throws(CertificateError) -> [CertificateExtension] {
    var result: [CertificateExtension] = []
    // Bits of RFC 5280 §4.2.1.3: an authority signs certificates and lists, a server its
    // handshakes, and an RSA key decrypts those of TLS 1.2 in its old form.
    if isAuthority {
      result.append(
        CertificateExtension(
          ObjectID.basicConstraints, isCritical: true,
          DER.sequence(DER.boolean(true), DER.integer([0]))))
      result.append(
        CertificateExtension(
          ObjectID.keyUsage, isCritical: true, DER.bits([0b0000_0110], unused: 1)))
    } else {
      result.append(
        CertificateExtension(ObjectID.basicConstraints, isCritical: true, DER.sequence([])))
      var usage = DER.bits([0b1000_0000], unused: 7)
      if case .rsa = key.algorithm { usage = DER.bits([0b1010_0000], unused: 5) }
      result.append(CertificateExtension(ObjectID.keyUsage, isCritical: true, usage))
      result.append(
        CertificateExtension(
          ObjectID.extendedKeyUsage, DER.sequence(DER.object(ObjectID.serverAuthentication))))
    }
    result.append(
      CertificateExtension(ObjectID.subjectKeyID, DER.octets(key.publicKey.keyID)))
    if let id = issuer?.subjectKeyID {
      result.append(
        CertificateExtension(
          ObjectID.authorityKeyID, DER.sequence(DER.element(DERTag.implicit(0), id))))
    }
    if !names.isEmpty {
      result.append(try Self.subjectNames(names, isCritical: !hasSubject))
    }
    return result + extensions
  }

  /// RFC 5280 §4.2.1.6.
  static func subjectNames(
    _ names: [String], isCritical: Bool
  ) throws(CertificateError) -> CertificateExtension {
    var parts: [[UInt8]] = []
    for name in names {
      if let address = IPAddress(name) {
        parts.append(DER.element(DERTag.implicit(7), address.bytes))
      } else {
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
          throw CertificateError(
            "\(quoted(name)) cannot stand on a certificate",
            hint: "write domains in ASCII, as xn--… where they have other letters")
        }
        parts.append(DER.element(DERTag.implicit(2), Array(name.utf8)))
      }
    }
    return CertificateExtension(
      ObjectID.subjectNames, isCritical: isCritical, DER.sequence(parts))
  }

  static func algorithm(of key: PrivateKey) throws(CertificateError) -> [UInt8] {
    guard let algorithm = key.signatureAlgorithm else {
      throw CertificateError(
        "a key of kind \(key.algorithm.text) signs no certificates",
        hint: "use a key of kind ECDSA P-256 or RSA 2048")
    }
    return algorithm
  }

  /// 127 random bits, the highest of them set: positive, and of one length.
  private static func serial() -> [UInt8] {
    var bytes = Digest.randomBytes(16)
    bytes[0] = bytes[0] & 0x7f | 0x40
    return bytes
  }
}

package struct CertificateExtension: Equatable, Sendable {
  /// Object identifier.
  package var type: String
  package var isCritical: Bool
  /// DER.
  package var value: [UInt8]

  package init(_ type: String, isCritical: Bool = false, _ value: [UInt8]) {
    self.type = type
    self.isCritical = isCritical
    self.value = value
  }

  /// The proof of tls-alpn-01 (RFC 8737 §3).
  /// - Parameter digest: SHA-256 of the key authorization.
  package static func acmeIdentifier(_ digest: [UInt8]) -> CertificateExtension {
    CertificateExtension(ObjectID.acmeIdentifier, isCritical: true, DER.octets(digest))
  }

  var encoding: [UInt8] {
    DER.sequence(
      DER.object(type), isCritical ? DER.boolean(true) : [], DER.octets(value))
  }
}

/// Asks a CA for a certificate with these names (RFC 2986): PKCS #10 in DER. The first domain is
/// the subject's common name too, where it fits.
package func makeCSR(domains: [String], key: PrivateKey) throws(CertificateError) -> [UInt8] {
  let algorithm = try CertificateTemplate.algorithm(of: key)
  let first = domains.first { IPAddress($0) == nil }
  let subject = DistinguishedName.encode(commonName: commonName(first))
  let names = try CertificateTemplate.subjectNames(domains, isCritical: subject.count == 2)
  let body = DER.sequence(
    DER.integer([0]), subject, key.publicKey.encoding,
    DER.element(
      DERTag.explicit(0),
      DER.sequence(
        DER.object(ObjectID.extensionRequest), DER.set(DER.sequence(names.encoding)))))
  return DER.sequence(body, algorithm, DER.bits(try key.signature(of: body)))
}

/// A common name has at most 64 characters (RFC 5280 appendix A.1).
func commonName(_ domain: String?) -> String? {
  domain.flatMap { $0.utf8.count <= 64 ? $0 : nil }
}

extension IPAddress {
  /// 4 or 16 of them.
  var bytes: [UInt8] {
    let all = [high, low].flatMap { half in
      (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
    }
    return isIPv4 ? Array(all.suffix(4)) : all
  }
}
