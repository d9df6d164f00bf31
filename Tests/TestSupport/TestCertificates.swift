// SPDX-License-Identifier: Apache-2.0
import CTLS
import Glibc

/// A certificate with its key, both PEM.
package struct TestCertificate: Sendable {
  /// The leaf, then its issuers.
  package let chain: String
  package let key: String

  package init(chain: String, key: String) {
    self.chain = chain
    self.key = key
  }
}

/// A certificate authority that lives for one test.
package final class TestAuthority: @unchecked Sendable {
  private let pair: OpaquePointer
  private let root: OpaquePointer
  private let name: String
  /// PEM.
  package let certificate: String

  package init(name: String = "Test Authority") {
    self.name = name
    pair = makePair()
    root = makeCertificate(
      subject: name, issuer: name, pair: pair, signer: pair, from: -86_400, until: 864_000,
      extensions: [
        (NID_basic_constraints, "critical,CA:TRUE"),
        (NID_key_usage, "critical,keyCertSign,cRLSign"),
      ])
    certificate = pem(root)
  }

  deinit {
    X509_free(root)
    EVP_PKEY_free(pair)
  }

  /// - Parameters:
  ///   - names: `DNS:a.example` or `IP:127.0.0.1`; without any there is no subjectAltName.
  ///   - from: seconds from now, like `until`.
  package func issue(
    _ names: String..., from: Int = -3_600, until: Int = 86_400, common: String = "server"
  ) -> TestCertificate {
    let key = makePair()
    defer { EVP_PKEY_free(key) }
    var extensions: [(Int32, String)] = [
      (NID_basic_constraints, "critical,CA:FALSE"), (NID_ext_key_usage, "serverAuth,clientAuth"),
    ]
    if !names.isEmpty { extensions.append((NID_subject_alt_name, names.joined(separator: ","))) }
    let leaf = makeCertificate(
      subject: common, issuer: name, pair: key, signer: pair, from: from, until: until,
      extensions: extensions)
    defer { X509_free(leaf) }
    return TestCertificate(chain: pem(leaf), key: keyPEM(key))
  }

  package static func selfSigned(_ names: String..., common: String = "server") -> TestCertificate {
    let key = makePair()
    defer { EVP_PKEY_free(key) }
    let leaf = makeCertificate(
      subject: common, issuer: common, pair: key, signer: key, from: -3_600, until: 86_400,
      extensions: [(NID_subject_alt_name, names.joined(separator: ","))])
    defer { X509_free(leaf) }
    return TestCertificate(chain: pem(leaf), key: keyPEM(key))
  }
}

private func makePair() -> OpaquePointer {
  let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
  defer { EVP_PKEY_CTX_free(context) }
  EVP_PKEY_keygen_init(context)
  EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
  var pair: OpaquePointer?
  precondition(EVP_PKEY_keygen(context, &pair) == 1, "no key pair")
  return pair!
}

private func makeCertificate(
  subject: String, issuer: String, pair: OpaquePointer, signer: OpaquePointer, from: Int,
  until: Int, extensions: [(Int32, String)]
) -> OpaquePointer {
  let certificate = X509_new()!
  X509_set_version(certificate, 2)
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), .random(in: 1 ... .max))
  X509_gmtime_adj(X509_getm_notBefore(certificate), from)
  X509_gmtime_adj(X509_getm_notAfter(certificate), until)
  X509_set_pubkey(certificate, pair)
  for (text, name) in [
    (subject, X509_get_subject_name(certificate)), (issuer, X509_get_issuer_name(certificate)),
  ] {
    X509_NAME_add_entry_by_txt(name, "CN", 0x1001, text, -1, -1, 0)  // MBSTRING_UTF8
  }
  var context = X509V3_CTX()
  X509V3_set_ctx(&context, certificate, certificate, nil, nil, 0)
  for (id, value) in extensions {
    let made = X509V3_EXT_conf_nid(nil, &context, id, value)
    precondition(made != nil, "no extension \(value)")
    X509_add_ext(certificate, made, -1)
    X509_EXTENSION_free(made)
  }
  precondition(X509_sign(certificate, signer, EVP_sha256()) > 0, "no signature")
  return certificate
}

private func pem(_ certificate: OpaquePointer) -> String {
  text { PEM_write_bio_X509($0, certificate) }
}

private func keyPEM(_ pair: OpaquePointer) -> String {
  text { PEM_write_bio_PrivateKey($0, pair, nil, nil, 0, nil, nil) }
}

private func text(_ write: (OpaquePointer) -> Int32) -> String {
  let bio = BIO_new(BIO_s_mem())!
  defer { BIO_free(bio) }
  precondition(write(bio) == 1, "no PEM")
  var bytes = [UInt8](repeating: 0, count: 16_384)
  let count = Int(BIO_read(bio, &bytes, Int32(bytes.count)))
  return String(decoding: bytes[..<count], as: UTF8.self)
}
