// SPDX-License-Identifier: Apache-2.0
import CTLS

/// An X.509 certificate (RFC 5280), read from its DER.
package struct CertificateInfo: Equatable, Sendable {
  package let der: [UInt8]
  /// The highest byte first, without a leading zero.
  package let serial: [UInt8]
  package let subject: DistinguishedName
  package let issuer: DistinguishedName
  /// Seconds since 1970; valid on both of them.
  package let notBefore: Int64
  package let notAfter: Int64
  package let publicKey: PublicKey
  /// Object identifier.
  package let signature: String

  // Of the extensions.

  /// Lower case, wildcards among them.
  package private(set) var domains: [String] = []
  package private(set) var addresses: [IPAddress] = []
  /// Both.
  package var names: [String] { domains + addresses.map(\.description) }
  package private(set) var isAuthority = false
  /// Authorities that may stand below this one; nil: any number.
  package private(set) var pathLength: Int?
  package private(set) var subjectKeyID: [UInt8]?
  package private(set) var authorityKeyID: [UInt8]?
  /// Where its status is asked (RFC 6960), and where its issuer's certificate is.
  package private(set) var ocspURLs: [String] = []
  package private(set) var issuerURLs: [String] = []
  /// Object identifiers; empty: any use.
  package private(set) var uses: [String] = []
  /// Viewers want a stapled status with it (RFC 7633).
  package private(set) var mustStaple = false
  /// Critical extensions of which nothing is known here.
  package private(set) var unknownCritical: [String] = []

  package init(der: [UInt8]) throws(CertificateError) {
    do throws(DERError) {
      try self.init(reading: der)
    } catch {
      throw CertificateError(
        "the certificate cannot be read: \(error.what)",
        hint: "export it again as PEM, or ask the CA for another copy")
    }
  }

  private init(reading der: [UInt8]) throws(DERError) {
    self.der = der
    var outer = DERReader(der[...])
    var certificate = DERReader(try outer.next(DERTag.sequence))
    try outer.end()
    var body = DERReader(try certificate.next(DERTag.sequence))
    var algorithm = DERReader(try certificate.next(DERTag.sequence))
    signature = try algorithm.next(DERTag.object).object()
    _ = try certificate.next(DERTag.bits)
    try certificate.end()

    _ = try body.optional(DERTag.explicit(0))
    serial = Self.magnitude(try body.next(DERTag.integer))
    _ = try body.next(DERTag.sequence)
    issuer = try DistinguishedName(try body.next(DERTag.sequence))
    var validity = DERReader(try body.next(DERTag.sequence))
    notBefore = try validity.next().time()
    notAfter = try validity.next().time()
    try validity.end()
    subject = try DistinguishedName(try body.next(DERTag.sequence))
    publicKey = try PublicKey(try body.next(DERTag.sequence))
    _ = try body.optional(DERTag.implicit(1))
    _ = try body.optional(DERTag.implicit(2))
    if let extensions = try body.optional(DERTag.explicit(3)) {
      var wrapper = DERReader(extensions)
      var list = DERReader(try wrapper.next(DERTag.sequence))
      try wrapper.end()
      while !list.isAtEnd { try readExtension(try list.next(DERTag.sequence)) }
    }
    try body.end()
  }

  /// Some CAs have made negative serial numbers; their bytes are what they are.
  private static func magnitude(_ element: DERElement) -> [UInt8] {
    let bytes = element.content
    return Array(bytes.first == 0 && bytes.count > 1 ? bytes.dropFirst() : bytes)
  }

  private mutating func readExtension(_ element: DERElement) throws(DERError) {
    var reader = DERReader(element)
    let type = try reader.next(DERTag.object).object()
    let isCritical = try reader.optional(DERTag.boolean)?.boolean() ?? false
    var value = DERReader(try reader.next(DERTag.octets))
    try reader.end()
    switch type {
    case ObjectID.subjectNames: try readNames(try value.next(DERTag.sequence))
    case ObjectID.basicConstraints:
      var constraints = DERReader(try value.next(DERTag.sequence))
      isAuthority = try constraints.optional(DERTag.boolean)?.boolean() ?? false
      pathLength = try constraints.optional(DERTag.integer)?.small()
    case ObjectID.subjectKeyID: subjectKeyID = Array(try value.next(DERTag.octets).content)
    case ObjectID.authorityKeyID:
      var identifier = DERReader(try value.next(DERTag.sequence))
      if let id = try identifier.optional(DERTag.implicit(0)) { authorityKeyID = Array(id.content) }
    case ObjectID.authorityAccess: try readAccess(try value.next(DERTag.sequence))
    case ObjectID.extendedKeyUsage:
      var list = DERReader(try value.next(DERTag.sequence))
      while !list.isAtEnd { uses.append(try list.next(DERTag.object).object()) }
    case ObjectID.tlsFeature:
      var features = DERReader(try value.next(DERTag.sequence))
      // 5: status_request (RFC 6066 §8).
      while !features.isAtEnd {
        if try features.next(DERTag.integer).small() == 5 { mustStaple = true }
      }
    // Key usage and constraints on names are for whoever verifies.
    case ObjectID.keyUsage, "2.5.29.30", "2.5.29.36", "2.5.29.32": return
    default: if isCritical { unknownCritical.append(type) }
    }
  }

  private mutating func readNames(_ element: DERElement) throws(DERError) {
    var names = DERReader(element)
    while !names.isAtEnd {
      let name = try names.next()
      switch name.tag {
      case DERTag.implicit(2):
        domains.append(String(decoding: name.content, as: UTF8.self).lowercased())
      case DERTag.implicit(7):
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
          bytes.reduce(0) { $0 << 8 | UInt64($1) }
        }
        let bytes = name.content
        switch bytes.count {
        case 4: addresses.append(IPAddress(ipv4: UInt32(truncatingIfNeeded: number(bytes))))
        case 16:
          addresses.append(
            IPAddress(high: number(bytes.prefix(8)), low: number(bytes.suffix(8))))
        default: throw DERError("an address of \(bytes.count) bytes")
        }
      default: break
      }
    }
  }

  private mutating func readAccess(_ element: DERElement) throws(DERError) {
    var list = DERReader(element)
    while !list.isAtEnd {
      var access = DERReader(try list.next(DERTag.sequence))
      let method = try access.next(DERTag.object).object()
      let place = try access.next()
      guard place.tag == DERTag.implicit(6) else { continue }
      let url = String(decoding: place.content, as: UTF8.self)
      if method == ObjectID.ocsp { ocspURLs.append(url) }
      if method == ObjectID.issuers { issuerURLs.append(url) }
    }
  }
}

extension CertificateInfo {
  /// The first certificate of a PEM text.
  package init(pem: String) throws(CertificateError) {
    guard let first = try Self.chain(pem: pem).first else {
      throw CertificateError("there is no certificate in it", hint: "it begins -----BEGIN CERT")
    }
    self = first
  }

  /// All certificates of a PEM text in their order.
  package static func chain(pem: String) throws(CertificateError) -> [CertificateInfo] {
    let blocks: [PEM.Block]
    do {
      blocks = try PEM.blocks(Array(pem.utf8))
    } catch {
      throw CertificateError(
        "line \(error.line): \(error.what)", hint: "copy the file again, whole")
    }
    var chain: [CertificateInfo] = []
    for block in blocks where block.isCertificate {
      chain.append(try CertificateInfo(der: block.bytes))
    }
    return chain
  }

  package var pem: String { PEM.encode("CERTIFICATE", der) }

  /// Subject and issuer are one, which is so of roots.
  package var isSelfIssued: Bool { subject.encoding == issuer.encoding }

  /// SHA-256 of the whole certificate.
  package var fingerprint: [UInt8] { Digest.sha256(der) }

  package var signatureName: String { ObjectID.signatures[signature]?.name ?? signature }

  package var hasWeakSignature: Bool { ObjectID.signatures[signature]?.isWeak ?? false }

  /// It may be shown to viewers.
  package var isForServers: Bool {
    uses.isEmpty || uses.contains(ObjectID.serverAuthentication) || uses.contains(ObjectID.anyUse)
  }

  package func isValid(at now: Int64) -> Bool { now >= notBefore && now <= notAfter }

  /// Domains, then addresses; what is only in the subject's common name does not count
  /// (RFC 9525 §2).
  package var hasNames: Bool { !domains.isEmpty || !addresses.isEmpty }

  package func covers(_ host: String) -> Bool {
    if let address = IPAddress(host) { return addresses.contains(address) }
    return domains.contains { CertificateNames.matches($0, host: host) }
  }

  /// Whether the issuer's key made its signature, and its names fit.
  package func isIssued(by issuer: CertificateInfo) -> Bool {
    guard self.issuer.encoding == issuer.subject.encoding else { return false }
    if let wanted = authorityKeyID, let key = issuer.subjectKeyID, wanted != key { return false }
    return isSigned(by: issuer)
  }

  private func isSigned(by issuer: CertificateInfo) -> Bool {
    withOpenSSL { certificate in
      issuer.withOpenSSL { issuer in
        X509_verify(certificate, X509_get0_pubkey(issuer)) == 1
      }
    }
  }

  /// The certificate in OpenSSL's form; false when that cannot read it.
  func withOpenSSL(_ body: (OpaquePointer) -> Bool) -> Bool {
    der.withUnsafeBufferPointer { buffer in
      var bytes = buffer.baseAddress
      let certificate = d2i_X509(nil, &bytes, buffer.count)
      defer {
        X509_free(certificate)
        ERR_clear_error()
      }
      return certificate.map(body) ?? false
    }
  }
}
