// SPDX-License-Identifier: Apache-2.0

/// What a file that was given for a certificate holds: PEM, of which the certificates and private
/// keys count, or something else that people give by mistake, which is named.
package struct CertificateFile: Sendable {
  /// For messages.
  package var name: String
  package var certificates: [CertificateInfo] = []
  package var keys: [PEM.Block] = []

  /// Bytes of one file: a chain has a few thousand.
  package static let limit = 1_048_576

  package init(name: String, _ bytes: [UInt8]) throws(CertificateError) {
    self.name = name
    guard bytes.contains(ascii: "-----BEGIN ") else {
      throw Self.notPEM(bytes).inFile(name)
    }
    let blocks: [PEM.Block]
    do {
      blocks = try PEM.blocks(bytes)
    } catch {
      throw CertificateError(
        "\(name):\(error.line): \(error.what)", hint: "copy or export the file again, whole")
    }
    for block in blocks {
      if block.isCertificate {
        do {
          certificates.append(try CertificateInfo(der: Self.certificate(block)))
        } catch {
          throw CertificateError("\(name):\(block.line): \(error.message)", hint: error.hint)
        }
      } else if block.label == "OPENSSH PRIVATE KEY" {
        throw CertificateError(
          "\(name):\(block.line): is a key for SSH", hint: "give the key of the certificate")
      } else if block.isPrivateKey {
        keys.append(block)
      }
    }
    guard certificates.isEmpty, keys.isEmpty else { return }
    throw Self.useless(blocks).inFile(name)
  }

  /// openssl's own label has settings for trust behind the certificate.
  private static func certificate(_ block: PEM.Block) -> [UInt8] {
    var reader = DERReader(block.bytes[...])
    guard block.label == "TRUSTED CERTIFICATE", let first = try? reader.next() else {
      return block.bytes
    }
    return Array(first.encoding)
  }

  private static func useless(_ blocks: [PEM.Block]) -> CertificateError {
    switch blocks.first?.label {
    case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
      CertificateError(
        "is a request for a certificate, not the certificate",
        hint: "give what the CA answered to it")
    case "PKCS7", "CMS":
      CertificateError(
        "is a PKCS #7 bundle",
        hint: "openssl pkcs7 -print_certs -in <file> -out chain.pem makes PEM of it")
    case "PUBLIC KEY", "RSA PUBLIC KEY":
      CertificateError("is a public key", hint: "give the certificate, and its private key")
    case let label?:
      CertificateError(
        "holds \(quoted(label)), but neither a certificate nor a private key",
        hint: "give the certificate, and its private key")
    case nil:
      CertificateError("has no block that ends", hint: "copy or export the file again, whole")
    }
  }

  private static func notPEM(_ bytes: [UInt8]) -> CertificateError {
    func command(_ what: String, _ arguments: String) -> CertificateError {
      CertificateError(
        "is \(what), not PEM", hint: "openssl \(arguments) makes PEM of it")
    }
    if (try? CertificateInfo(der: bytes)) != nil {
      return command("a certificate in DER", "x509 -inform der -in <file> -out cert.pem")
    }
    if bytes.starts(with: [0xfe, 0xed, 0xfe, 0xed]) {
      return CertificateError(
        "is a Java key store, not PEM",
        hint: "keytool -importkeystore -deststoretype pkcs12 makes PKCS #12 of it, openssl pkcs12 "
          + "makes PEM of that")
    }
    var outer = DERReader(bytes[...])
    if let sequence = try? outer.next(DERTag.sequence) {
      var inner = DERReader(sequence)
      let first = try? inner.next()
      if first?.tag == DERTag.object {
        return command("PKCS #7", "pkcs7 -inform der -print_certs -in <file> -out chain.pem")
      }
      if first?.tag == DERTag.integer {
        // PFX ::= SEQUENCE { version 3, … } (RFC 7292 §4); keys have version 0 or 1.
        if first.flatMap({ try? $0.small() }) == 3 {
          return command("PKCS #12", "pkcs12 -in <file> -nodes -out pair.pem")
        }
        return command("a private key in DER", "pkey -inform der -in <file> -out key.pem")
      }
      if first?.tag == DERTag.sequence, (try? inner.next(DERTag.octets)) != nil, inner.isAtEnd {
        return command(
          "an encrypted private key in DER", "pkcs8 -inform der -in <file> -out key.pem")
      }
    }
    // Indefinite lengths, which PKCS #12 may have.
    if bytes.starts(with: [0x30, 0x80, 0x02, 0x01, 0x03]) {
      return command("PKCS #12", "pkcs12 -in <file> -nodes -out pair.pem")
    }
    return CertificateError(
      bytes.isEmpty ? "is empty" : "holds neither certificates nor keys",
      hint: "give PEM files: they have lines such as -----BEGIN CERTIFICATE-----")
  }
}

extension CertificateError {
  fileprivate func inFile(_ name: String) -> CertificateError {
    CertificateError(
      "\(name): \(message)", hint: hint.replacing("<file>", with: name))
  }
}

extension Array where Element == UInt8 {
  fileprivate func contains(ascii text: String) -> Bool {
    let wanted = Array(text.utf8)
    return indices.contains { self[$0] == wanted[0] && self[$0...].starts(with: wanted) }
  }
}
