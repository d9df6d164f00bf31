// SPDX-License-Identifier: Apache-2.0
import AtollEdge
import CTLS

/// A self-signed certificate of a test, with its key.
struct TestCertificate: Sendable {
  enum Key: Sendable { case ec, rsa, shortRSA }

  let certificatePEM: String
  let keyPEM: String

  /// - Parameters:
  ///   - names: as OpenSSL writes them, `DNS:www.test.example` or `IP:127.0.0.1`; hosts without a
  ///     kind are DNS names.
  ///   - days: until it expires.
  init(_ names: String..., key type: Key = .ec, days: Int = 30) {
    let key = Self.makeKey(type)
    let certificate = X509_new()!
    defer {
      EVP_PKEY_free(key)
      X509_free(certificate)
    }
    X509_set_version(certificate, 2)
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), .random(in: 1...(1 << 62)))
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600)
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86_400)
    X509_set_pubkey(certificate, key)
    let subject = X509_get_subject_name(certificate)
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, "test", -1, -1, 0)
    X509_set_issuer_name(certificate, subject)
    let list = names.map { $0.contains(":") ? $0 : "DNS:\($0)" }.joined(separator: ",")
    let names = X509V3_EXT_conf_nid(nil, nil, NID_subject_alt_name, list)!
    X509_add_ext(certificate, names, -1)
    X509_EXTENSION_free(names)
    X509_sign(certificate, key, EVP_sha256())
    certificatePEM = Self.text { PEM_write_bio_X509($0, certificate) }
    keyPEM = Self.text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }
  }

  func served(
    _ name: String = "test", preferredHosts: [String] = [], ocsp: [UInt8]? = nil
  ) -> ServedCertificate {
    ServedCertificate(
      name: name, chainPEM: certificatePEM, keyPEM: keyPEM, preferredHosts: preferredHosts,
      ocsp: ocsp)
  }

  private static func makeKey(_ type: Key) -> OpaquePointer {
    let context = EVP_PKEY_CTX_new_from_name(nil, type == .ec ? "EC" : "RSA", nil)!
    defer { EVP_PKEY_CTX_free(context) }
    EVP_PKEY_keygen_init(context)
    if type == .ec {
      EVP_PKEY_CTX_set_group_name(context, "P-256")
    } else {
      EVP_PKEY_CTX_set_rsa_keygen_bits(context, type == .rsa ? 2048 : 1024)
    }
    var key: OpaquePointer?
    precondition(EVP_PKEY_generate(context, &key) == 1)
    return key!
  }

  private static func text(_ write: (OpaquePointer) -> Int32) -> String {
    let bio = BIO_new(BIO_s_mem())!
    defer { BIO_free(bio) }
    precondition(write(bio) == 1)
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = BIO_read(bio, &bytes, Int32(bytes.count))
    return String(decoding: bytes[..<Int(count)], as: UTF8.self)
  }
}
