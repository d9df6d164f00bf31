// SPDX-License-Identifier: Apache-2.0

/// What kind of key a certificate is for.
package enum KeyAlgorithm: Equatable, Sendable {
  case rsa(bits: Int)
  case p256, p384, p521
  case ed25519, ed448
  /// By name or object identifier.
  case other(String)

  package var text: String {
    switch self {
    case .rsa(let bits): "RSA \(bits)"
    case .p256: "ECDSA P-256"
    case .p384: "ECDSA P-384"
    case .p521: "ECDSA P-521"
    case .ed25519: "Ed25519"
    case .ed448: "Ed448"
    case .other(let name): name
    }
  }

  /// Of several certificates for a host with keys of one family a viewer is shown one only.
  package var family: String {
    switch self {
    case .rsa: "RSA"
    case .p256, .p384, .p521: "ECDSA"
    case .ed25519, .ed448, .other: text
    }
  }

  /// The kind to ask for when it is to be made again; nil for kinds that are not made here.
  package var keyType: KeyType? {
    switch self {
    case .p256: .p256
    case .p384: .p384
    case .rsa(2048): .rsa2048
    case .rsa(3072): .rsa3072
    case .rsa(4096): .rsa4096
    default: nil
    }
  }

  /// Why browsers refuse such a key, nil when they don't.
  package var weakness: String? {
    switch self {
    case .rsa(let bits) where bits < 2048: "its key has only \(bits) bits"
    case .rsa, .p256, .p384, .p521: nil
    case .ed25519, .ed448: nil
    case .other(let name): "viewers do not know keys of the kind \(name)"
    }
  }

  /// The sizes that are still accepted differ, so both are said.
  package var advice: String { "make a key of kind ECDSA P-256 or RSA 2048" }
}

/// A public key (RFC 5280 §4.1.2.7).
package struct PublicKey: Equatable, Sendable {
  /// SubjectPublicKeyInfo in DER.
  package let encoding: [UInt8]
  package let algorithm: KeyAlgorithm
  /// What the key's bit string holds.
  let bits: [UInt8]

  package init(encoding: [UInt8]) throws(CertificateError) {
    do throws(DERError) {
      var reader = DERReader(encoding[...])
      let element = try reader.next(DERTag.sequence)
      try reader.end()
      self = try PublicKey(element)
    } catch {
      throw CertificateError(
        "the public key cannot be read: \(error.what)", hint: "make the key anew")
    }
  }

  init(_ element: DERElement) throws(DERError) {
    encoding = Array(element.encoding)
    var reader = DERReader(element)
    var algorithm = DERReader(try reader.next(DERTag.sequence))
    let type = try algorithm.next(DERTag.object).object()
    bits = Array(try reader.next(DERTag.bits).bits())
    try reader.end()
    switch type {
    case ObjectID.rsa, ObjectID.rsaPSS:
      var key = DERReader(bits[...])
      var numbers = DERReader(try key.next(DERTag.sequence))
      let modulus = try numbers.next(DERTag.integer).unsigned()
      self.algorithm = .rsa(
        bits: modulus.count * 8 - (modulus.first.map { $0.leadingZeroBitCount } ?? 0))
    case ObjectID.ec:
      guard let parameters = try algorithm.optional(DERTag.object) else {
        self.algorithm = .other("EC with parameters of its own")
        return
      }
      switch try parameters.object() {
      case ObjectID.p256: self.algorithm = .p256
      case ObjectID.p384: self.algorithm = .p384
      case ObjectID.p521: self.algorithm = .p521
      case let curve: self.algorithm = .other("EC curve \(curve)")
      }
    case ObjectID.ed25519: self.algorithm = .ed25519
    case ObjectID.ed448: self.algorithm = .ed448
    case ObjectID.dsa: self.algorithm = .other("DSA")
    default: self.algorithm = .other(type)
    }
  }

  /// The numbers that make it up, for a JWK (RFC 7518 §6).
  package enum Numbers: Equatable, Sendable {
    case rsa(modulus: [UInt8], exponent: [UInt8])
    /// Both of the curve's width.
    case point(x: [UInt8], y: [UInt8])
  }

  /// nil for other kinds than RSA and the three curves.
  package var numbers: Numbers? {
    switch algorithm {
    case .rsa:
      var key = DERReader(bits[...])
      guard let sequence = try? key.next(DERTag.sequence) else { return nil }
      var numbers = DERReader(sequence)
      guard let modulus = try? numbers.next(DERTag.integer).unsigned(),
        let exponent = try? numbers.next(DERTag.integer).unsigned()
      else { return nil }
      return .rsa(modulus: modulus, exponent: exponent)
    case .p256, .p384, .p521:
      // 4: not compressed (SEC 1 §2.3.3).
      guard bits.first == 4, bits.count % 2 == 1 else { return nil }
      let width = bits.count / 2
      return .point(x: Array(bits[1...width]), y: Array(bits[(width + 1)...]))
    default: return nil
    }
  }

  /// RFC 7093 §2, method 1.
  var keyID: [UInt8] { Array(Digest.sha256(bits).prefix(20)) }
}
