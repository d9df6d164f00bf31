// SPDX-License-Identifier: Apache-2.0
import CTLS
import Glibc

/// A private key. Its text is for files only their owner can read: it is never printed.
package final class PrivateKey: @unchecked Sendable {
  // An EVP_PKEY is counted, and only read after it was made: threads may share it.
  private let key: OpaquePointer
  package let publicKey: PublicKey

  /// - Parameter key: whose reference is taken over.
  private init(_ key: OpaquePointer) throws(CertificateError) {
    self.key = key
    var buffer: UnsafeMutablePointer<UInt8>?
    let count = i2d_PUBKEY(key, &buffer)
    defer { ctls_free(buffer) }
    ERR_clear_error()
    guard let buffer, count > 0 else {
      throw CertificateError(
        "the key has no public part that certificates know",
        hint: "use a key of kind ECDSA P-256 or RSA 2048")
    }
    publicKey = try PublicKey(
      encoding: Array(UnsafeBufferPointer(start: buffer, count: Int(count))))
  }

  deinit { EVP_PKEY_free(key) }

  package var algorithm: KeyAlgorithm { publicKey.algorithm }

  // MARK: Making

  package static func generate(_ type: KeyType) throws(CertificateError) -> PrivateKey {
    let isRSA = [.rsa2048, .rsa3072, .rsa4096].contains(type)
    let context = EVP_PKEY_CTX_new_from_name(nil, isRSA ? "RSA" : "EC", nil)
    defer { EVP_PKEY_CTX_free(context) }
    var isReady = context != nil && EVP_PKEY_keygen_init(context) == 1
    switch type {
    case .p256: isReady = isReady && EVP_PKEY_CTX_set_group_name(context, "P-256") == 1
    case .p384: isReady = isReady && EVP_PKEY_CTX_set_group_name(context, "P-384") == 1
    case .rsa2048: isReady = isReady && EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) == 1
    case .rsa3072: isReady = isReady && EVP_PKEY_CTX_set_rsa_keygen_bits(context, 3072) == 1
    case .rsa4096: isReady = isReady && EVP_PKEY_CTX_set_rsa_keygen_bits(context, 4096) == 1
    }
    var key: OpaquePointer?
    guard isReady, EVP_PKEY_generate(context, &key) == 1, let key else {
      ERR_clear_error()
      throw CertificateError(
        "no key of kind \(type.rawValue) could be made", hint: "free some memory, and repeat")
    }
    return try PrivateKey(key)
  }

  // MARK: Reading

  /// The first private key of a PEM text, in any of the forms that OpenSSL reads.
  package convenience init(
    pem: String, passphrase: [UInt8]? = nil
  ) throws(CertificateError) {
    let blocks: [PEM.Block]
    do {
      blocks = try PEM.blocks(Array(pem.utf8))
    } catch {
      throw CertificateError(
        "line \(error.line): \(error.what)", hint: "copy the file again, whole")
    }
    guard let block = blocks.first(where: \.isPrivateKey) else {
      throw CertificateError(
        "there is no private key in it",
        hint: "it begins -----BEGIN PRIVATE KEY----- or with a word more")
    }
    try self.init(block, passphrase: passphrase)
  }

  package convenience init(
    _ block: PEM.Block, passphrase: [UInt8]? = nil
  ) throws(CertificateError) {
    if block.isEncrypted && passphrase == nil {
      throw CertificateError(
        "the private key is encrypted", hint: "give a file with its passphrase")
    }
    guard let key = Self.read(block.text, Passphrase(bytes: passphrase ?? [])) else {
      if block.isEncrypted {
        throw CertificateError(
          "the passphrase does not open the private key", hint: "check the passphrase file")
      }
      throw CertificateError(
        "the private key cannot be read", hint: "export it again as PEM (PKCS #8)")
    }
    try self.init(key)
  }

  private struct Passphrase { var bytes: [UInt8] }

  private static func read(_ text: String, _ passphrase: Passphrase) -> OpaquePointer? {
    var text = text
    var passphrase = passphrase
    // The source copies nothing: the text has to outlive it.
    return text.withUTF8 { text in
      let source = BIO_new_mem_buf(text.baseAddress, Int32(clamping: text.count))
      defer {
        BIO_free(source)
        ERR_clear_error()
      }
      return withUnsafeMutablePointer(to: &passphrase) { passphrase in
        // Without a callback OpenSSL would ask at the terminal.
        PEM_read_bio_PrivateKey(
          source, nil,
          { buffer, size, _, user in
            let passphrase = user!.assumingMemoryBound(to: Passphrase.self).pointee.bytes
            guard let buffer, passphrase.count <= Int(size) else { return -1 }
            for (index, byte) in passphrase.enumerated() {
              buffer[index] = CChar(bitPattern: byte)
            }
            return Int32(passphrase.count)
          }, passphrase)
      }
    }
  }

  /// PKCS #8 in PEM, not encrypted.
  package var pem: String {
    let info = EVP_PKEY2PKCS8(key)
    defer { PKCS8_PRIV_KEY_INFO_free(info) }
    var buffer: UnsafeMutablePointer<UInt8>?
    let count = i2d_PKCS8_PRIV_KEY_INFO(info, &buffer)
    // Fails only without memory.
    guard let buffer, count > 0 else { preconditionFailure("a key could not be written") }
    defer {
      OPENSSL_cleanse(buffer, Int(count))
      ctls_free(buffer)
    }
    return PEM.encode(
      "PRIVATE KEY", Array(UnsafeBufferPointer(start: buffer, count: Int(count))))
  }

  package func fits(_ certificate: CertificateInfo) -> Bool {
    let key = certificate.publicKey
    if key.encoding == publicKey.encoding { return true }
    // The same numbers may be written with and without parameters.
    return key.algorithm == publicKey.algorithm && key.bits == publicKey.bits
  }

  // MARK: Signing

  /// The algorithm of `signature(of:)` as certificates name it; nil for kinds that sign none here.
  var signatureAlgorithm: [UInt8]? {
    switch algorithm {
    case .rsa: DER.sequence(DER.object(ObjectID.rsaSHA256), DER.null)
    case .p256: DER.sequence(DER.object(ObjectID.ecdsaSHA256))
    case .p384: DER.sequence(DER.object(ObjectID.ecdsaSHA384))
    case .p521: DER.sequence(DER.object(ObjectID.ecdsaSHA512))
    case .ed25519: DER.sequence(DER.object(ObjectID.ed25519))
    default: nil
    }
  }

  /// RSA: PKCS #1 1.5 with SHA-256; ECDSA: with the digest of the curve's width, in DER.
  package func signature(of bytes: [UInt8]) throws(CertificateError) -> [UInt8] {
    let digest: OpaquePointer? =
      switch algorithm {
      case .ed25519, .ed448: nil
      case .p384: EVP_sha384()
      case .p521: EVP_sha512()
      default: EVP_sha256()
      }
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var count = 0
    var signature: [UInt8] = []
    if EVP_DigestSignInit(context, nil, digest, nil, key) == 1,
      EVP_DigestSign(context, nil, &count, bytes, bytes.count) == 1
    {
      signature = [UInt8](repeating: 0, count: count)
      if EVP_DigestSign(context, &signature, &count, bytes, bytes.count) == 1 {
        return Array(signature.prefix(count))
      }
    }
    ERR_clear_error()
    throw CertificateError(
      "a key of kind \(algorithm.text) could not sign",
      hint: "use a key of kind ECDSA P-256 or RSA 2048")
  }

  /// The same as JOSE has it (RFC 7518 §3.3 and §3.4): both numbers of ECDSA in the curve's width.
  package func joseSignature(of bytes: [UInt8]) throws(CertificateError) -> [UInt8] {
    let signature = try signature(of: bytes)
    let width: Int
    switch algorithm {
    case .p256: width = 32
    case .p384: width = 48
    case .p521: width = 66
    default: return signature
    }
    do throws(DERError) {
      var reader = DERReader(signature[...])
      var numbers = DERReader(try reader.next(DERTag.sequence))
      var result: [UInt8] = []
      for _ in 0..<2 {
        let number = try numbers.next(DERTag.integer).unsigned()
        result += [UInt8](repeating: 0, count: max(0, width - number.count)) + number
      }
      return result
    } catch {
      preconditionFailure("OpenSSL made a signature that is none")
    }
  }
}
