// SPDX-License-Identifier: Apache-2.0
import CTLS

/// A JSON Web Signature in the flattened serialization that ACME asks for (RFC 7515 §7.2.2,
/// RFC 8555 §6.2).
package enum JWS {
  /// Signs what a key can sign: the bytes of a signature as JWA writes them (RFC 7518 §3).
  package struct Signer {
    /// "ES256", "RS256" or "HS256".
    package let algorithm: String
    package let sign: ([UInt8]) throws -> [UInt8]

    package init(algorithm: String, sign: @escaping ([UInt8]) throws -> [UInt8]) {
      self.algorithm = algorithm
      self.sign = sign
    }

    /// A shared secret, as external account bindings are signed (RFC 7518 §3.2).
    package static func secret(_ key: [UInt8]) -> Signer {
      Signer(algorithm: "HS256") { JWS.hmacSHA256($0, key: key) }
    }
  }

  /// How the CA knows whose signature it is.
  package enum Key {
    /// The public key itself, of an account that the CA has yet to learn of.
    case jwk(JWK)
    /// The URL of an account, or the name of an external account's key.
    case id(String)
  }

  /// - Parameter nonce: nil leaves it out, as the inner signature of an external account binding
  ///   has to (RFC 8555 §7.3.4).
  /// - Parameter payload: nil asks for a resource (POST-as-GET, RFC 8555 §6.3).
  package static func flattened(
    payload: [UInt8]?, url: String, nonce: String?, key: Key, signer: Signer
  ) throws -> [UInt8] {
    let header = compact { json in
      json.member("alg", signer.algorithm)
      switch key {
      case .jwk(let jwk): json.member("jwk", raw: jwk.canonical)
      case .id(let id): json.member("kid", id)
      }
      if let nonce { json.member("nonce", nonce) }
      json.member("url", url)
    }
    let protected = Base64URL.encode(header)
    let content = Base64URL.encode(payload ?? [])
    let signature = try signer.sign(signingInput(protected, content))
    return Array(
      compact { json in
        json.member("protected", protected)
        json.member("payload", content)
        json.member("signature", Base64URL.encode(signature))
      }.utf8)
  }

  /// RFC 7515 §5.1 step 5.
  package static func signingInput(_ protected: String, _ payload: String) -> [UInt8] {
    Array("\(protected).\(payload)".utf8)
  }

  package static func hmacSHA256(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    var length = 0
    // An empty key needs an address all the same.
    let padded = key + [0]
    let done = EVP_Q_mac(
      nil, "HMAC", nil, "SHA256", nil, padded, key.count, bytes, bytes.count, &code, code.count,
      &length)
    precondition(done != nil && length == 32, "no memory for a digest")
    return code
  }

  /// A JSON object without white space.
  package static func compact(_ body: (inout CompactJSON) -> Void) -> String {
    var json = CompactJSON()
    body(&json)
    return "{" + json.members.joined(separator: ",") + "}"
  }
}

/// The members of a JSON object in the order of the calls, without white space.
package struct CompactJSON {
  fileprivate var members: [String] = []

  package mutating func member(_ key: String, _ value: String) {
    member(key, raw: Self.string(value))
  }

  package mutating func member(_ key: String, _ value: Bool) {
    member(key, raw: value ? "true" : "false")
  }

  package mutating func member(_ key: String, _ values: [String]) {
    member(key, raw: "[" + values.map(Self.string).joined(separator: ",") + "]")
  }

  /// - Parameter raw: JSON already.
  package mutating func member(_ key: String, raw: String) {
    members.append("\(Self.string(key)):\(raw)")
  }

  private static func string(_ text: String) -> String {
    var text = text
    let buffer = ByteBuffer(capacity: text.utf8.count + 16)
    text.withUTF8 { appendJSONString($0, to: buffer) }
    return String(decoding: buffer.bytes, as: UTF8.self)
  }
}

/// A public key as JOSE writes it (RFC 7517, RFC 7518 §6).
package enum JWK: Equatable, Sendable {
  /// Coordinates on P-256, 32 bytes each.
  case p256(x: [UInt8], y: [UInt8])
  /// Modulus and exponent without leading zeros.
  case rsa(n: [UInt8], e: [UInt8])

  /// With the members that a thumbprint needs, sorted, without white space (RFC 7638 §3).
  package var canonical: String {
    switch self {
    case .p256(let x, let y):
      JWS.compact { json in
        json.member("crv", "P-256")
        json.member("kty", "EC")
        json.member("x", Base64URL.encode(x))
        json.member("y", Base64URL.encode(y))
      }
    case .rsa(let n, let e):
      JWS.compact { json in
        json.member("e", Base64URL.encode(e))
        json.member("kty", "RSA")
        json.member("n", Base64URL.encode(n))
      }
    }
  }

  /// RFC 7638, with SHA-256.
  package var thumbprint: String { Base64URL.encode(Digest.sha256(Array(canonical.utf8))) }

  /// nil for other keys than the two kinds.
  package init?(_ key: PublicKey) {
    switch (key.algorithm, key.numbers) {
    case (.p256, .point(let x, let y)?): self = .p256(x: x, y: y)
    case (.rsa, .rsa(let modulus, let exponent)?): self = .rsa(n: modulus, e: exponent)
    default: return nil
    }
  }
}
