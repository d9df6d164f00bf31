// SPDX-License-Identifier: Apache-2.0
import CTLS
import Testing

@testable import AtollCore

/// The examples of RFC 7515, 7638 and 8555.
struct JWSTests {
  /// RFC 7515 appendix A.2.
  static let rsaKey = """
    -----BEGIN PRIVATE KEY-----
    MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
    jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
    aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
    juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
    ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
    toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
    VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
    PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
    O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
    kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
    XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
    4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
    pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
    0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
    lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
    kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
    rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
    kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
    5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
    9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
    evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
    yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
    OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
    tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
    ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
    03k2+ZQwVK0JKSHuLFkuQ3U=
    -----END PRIVATE KEY-----
    """

  /// RFC 7515 appendix A.3.
  static let ecKey = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
    H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
    7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
    -----END PRIVATE KEY-----
    """

  private static let payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
    + "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

  @Test func `HS256 signs as in appendix A1`() throws {
    let key = try #require(
      Base64URL.decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
    let input = JWS.signingInput("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", Self.payload)
    let signer = JWS.Signer.secret(key)
    #expect(signer.algorithm == "HS256")
    #expect(
      Base64URL.encode(try signer.sign(input)) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
  }

  @Test func `RS256 signs as in appendix A2`() throws {
    let signer = try #require(JWS.Signer(try PrivateKey(pem: Self.rsaKey)))
    #expect(signer.algorithm == "RS256")
    let signature = try signer.sign(JWS.signingInput("eyJhbGciOiJSUzI1NiJ9", Self.payload))
    #expect(
      Base64URL.encode(signature)
        == "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt"
        + "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIA"
        + "RNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv"
        + "hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw")
  }

  /// ECDSA signs differently each time: so the check, which takes appendix A3's signature, has to
  /// take ours.
  @Test func `ES256 signs so that who takes appendix A3 takes it`() throws {
    let key = try PrivateKey(pem: Self.ecKey)
    let input = JWS.signingInput("eyJhbGciOiJFUzI1NiJ9", Self.payload)
    let known = try #require(
      Base64URL.decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"))
    #expect(Self.verify(known, of: input, by: key.publicKey.encoding))
    let signer = try #require(JWS.Signer(key))
    #expect(signer.algorithm == "ES256")
    for _ in 0..<64 {
      let signature = try signer.sign(input)
      #expect(signature.count == 64)
      #expect(Self.verify(signature, of: input, by: key.publicKey.encoding))
    }
    #expect(!Self.verify(known, of: input + [0], by: key.publicKey.encoding))
  }

  @Test func `a key of another kind signs no requests`() throws {
    #expect(JWS.Signer(try .generate(.p384)) == nil)
  }

  @Test func `a thumbprint is that of RFC 7638`() throws {
    let modulus = try #require(
      Base64URL.decode(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJ"
          + "ECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
          + "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWh"
          + "AI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"))
    #expect(
      JWK.rsa(n: modulus, e: [1, 0, 1]).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
  }

  @Test func `a public key becomes a JWK`() throws {
    let ec = try #require(JWK(try PrivateKey(pem: Self.ecKey).publicKey))
    #expect(
      ec.canonical
        == #"{"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
        + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#)
    let rsa = try #require(JWK(try PrivateKey(pem: Self.rsaKey).publicKey))
    #expect(
      rsa.canonical.hasPrefix(#"{"e":"AQAB","kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4f"#))
    #expect(JWK(try PrivateKey.generate(.p384).publicKey) == nil)
  }

  @Test func `a request names nonce, URL and account under its signature`() throws {
    let bytes = try JWS.flattened(
      payload: Array("{}".utf8), url: "https://ca.example/order", nonce: "n-1",
      key: .id("https://ca.example/account/7"), signer: .secret([1, 2, 3]))
    let node = try JSONReader.read(bytes)
    let header = try #require(node["protected"]?.text.flatMap { Base64URL.decode($0) })
    #expect(
      String(decoding: header, as: UTF8.self)
        == #"{"alg":"HS256","kid":"https://ca.example/account/7","nonce":"n-1","#
        + #""url":"https://ca.example/order"}"#)
    #expect(node["payload"]?.text == Base64URL.encode("{}"))
    #expect(node["signature"]?.text.flatMap { Base64URL.decode($0) }?.count == 32)
    // POST-as-GET has an empty payload, which is not the payload "{}" (RFC 8555 §6.3).
    let get = try JWS.flattened(
      payload: nil, url: "https://ca.example/order", nonce: "n-1", key: .id("x"),
      signer: .secret([1]))
    #expect(try JSONReader.read(get)["payload"]?.text == "")
  }

  @Test(arguments: [
    ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"),
    ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"), ("\u{fb}\u{ff}", "w7vDvw"),
  ])
  func `base64url is RFC 4648's, without padding`(text: String, encoded: String) {
    #expect(Base64URL.encode(text) == encoded)
    #expect(Base64URL.decode(encoded) == Array(text.utf8))
  }

  @Test func `base64url has no plus and no slash`() {
    #expect(Base64URL.encode([0xfb, 0xef, 0xff]) == "--__")
    #expect(Base64URL.decode("--__") == [0xfb, 0xef, 0xff])
    #expect(Base64URL.decode("Zg==") == Array("f".utf8))
    for bad in ["+//+", "Z", "Zm9vY", "Zh", "Zm8 ", "Zm\n8", "é"] {
      #expect(Base64URL.decode(bad) == nil, "\(bad)")
    }
  }

  /// By OpenSSL, which wants the two numbers in DER.
  private static func verify(_ signature: [UInt8], of input: [UInt8], by spki: [UInt8]) -> Bool {
    func number(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
      var bytes = Array(bytes.drop { $0 == 0 })
      if bytes.first.map({ $0 >= 0x80 }) ?? true { bytes.insert(0, at: 0) }
      return [0x02, UInt8(bytes.count)] + bytes
    }
    let numbers = number(signature.prefix(32)) + number(signature.dropFirst(32))
    let encoded = [0x30, UInt8(numbers.count)] + numbers
    return spki.withUnsafeBufferPointer { buffer in
      var start = buffer.baseAddress
      guard let key = d2i_PUBKEY(nil, &start, buffer.count) else { return false }
      defer { EVP_PKEY_free(key) }
      let context = EVP_MD_CTX_new()
      defer { EVP_MD_CTX_free(context) }
      return EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
        && EVP_DigestVerify(context, encoded, encoded.count, input, input.count) == 1
    }
  }
}
