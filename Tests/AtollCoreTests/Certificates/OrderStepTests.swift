// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct OrderStepTests {
  private func order(
    _ status: ACMEOrder.Status, certificate: String? = nil, error: ACMEProblem? = nil
  ) -> ACMEOrder {
    ACMEOrder(
      status: status, authorizations: [], finalize: "f", certificate: certificate, error: error)
  }

  private func authorization(
    _ status: ACMEAuthorization.Status, _ domain: String = "shop.example", wildcard: Bool = false,
    offers: [String] = ["http-01", "dns-01", "tls-alpn-01"], error: ACMEProblem? = nil
  ) -> ACMEAuthorization {
    ACMEAuthorization(
      status: status, domain: domain, isWildcard: wildcard,
      challenges: offers.map {
        ACMEChallenge(type: $0, url: "u", token: "token", error: error)
      })
  }

  private func next(
    _ order: ACMEOrder, _ authorizations: [ACMEAuthorization], told: Set<Int> = [],
    by challenge: ChallengeType = .http
  ) -> OrderStep {
    OrderStep.next(order, authorizations, told: told, by: challenge, ca: "ca.example")
  }

  private func failure(_ step: OrderStep) -> ACMEError? {
    if case .failed(let error) = step { error } else { nil }
  }

  @Test func `open authorizations are proven, each once`() {
    let all = [authorization(.pending), authorization(.valid), authorization(.pending)]
    #expect(next(order(.pending), all) == .prove([0, 2]))
    #expect(next(order(.pending), all, told: [0]) == .prove([2]))
    #expect(next(order(.pending), all, told: [0, 2]) == .wait)
    #expect(next(order(.pending), [authorization(.valid)]) == .wait)
  }

  @Test func `an order goes from ready to its certificate`() {
    #expect(next(order(.ready), [authorization(.valid)]) == .finalize)
    #expect(next(order(.processing), []) == .wait)
    #expect(next(order(.valid, certificate: "c"), []) == .download("c"))
    #expect(failure(next(order(.valid), []))?.fault == .transport)
  }

  @Test func `what the CA did not find is told for each name`() throws {
    let refused = ACMEProblem(
      type: "connection", detail: "Fetching http://shop.example/: Connection refused")
    let error = try #require(
      failure(
        next(
          order(.pending),
          [
            authorization(.invalid, error: refused), authorization(.valid, "b.example"),
            authorization(.expired, "c.example"),
          ])))
    #expect(
      error.message
        == "ca.example did not find the proof for shop.example: Fetching http://shop.example/: "
        + "Connection refused (connection)")
    #expect(error.details == ["c.example: its authorization is expired"])
    #expect(error.fault == .validation && error.hint.hasPrefix("port 80 "))
  }

  @Test func `an order that fails says the CA's reason`() throws {
    let invalid = order(.invalid, error: ACMEProblem(type: "caa", detail: "CAA forbids it"))
    let error = try #require(failure(next(invalid, [authorization(.valid)])))
    #expect(
      error.message == "ca.example refused to issue the certificate: CAA forbids it (caa)")
    let silent = try #require(failure(next(order(.invalid), [])))
    #expect(silent.message.hasSuffix("it gives no reason"))
  }

  @Test func `a challenge that is not offered names those that are`() throws {
    let wildcard = authorization(.pending, wildcard: true, offers: ["dns-01", "dns-account-01"])
    let error = try #require(failure(next(order(.pending), [wildcard])))
    #expect(error.message == "ca.example does not take http-01 for *.shop.example, only dns-01")
    #expect(error.hint == "give --challenge dns-01" && error.fault == .settings)
    #expect(next(order(.pending), [wildcard], by: .dns) == .prove([0]))
  }

  @Test(arguments: ["", "../key", "a/b", "a.b", String(repeating: "a", count: 201), "ä"])
  func `a token that is none names no place`(token: String) throws {
    var bad = authorization(.pending)
    bad.challenges[0].token = token
    let error = try #require(failure(next(order(.pending), [bad])))
    #expect(error.message == "ca.example sent a token for shop.example that is none")
  }

  @Test func `what proves a domain comes of token and key`() {
    // RFC 8555 §8.1 and §8.4, with the key of RFC 7638.
    let proof = ChallengeProof(
      domain: "www.example.org", token: "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0",
      thumbprint: "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI")
    #expect(
      proof.keyAuthorization
        == "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
    )
    #expect(proof.recordName == "_acme-challenge.www.example.org")
    #expect(
      proof.recordValue
        == Base64URL.encode(Digest.sha256(Array(proof.keyAuthorization.utf8))))
    #expect(proof.recordValue.utf8.count == 43)
  }

  @Test func `resources are read, and what is none is refused`() throws {
    func node(_ text: String) throws -> JSONNode { try JSONReader.read(Array(text.utf8)) }
    let order = try #require(
      ACMEOrder(
        try node(
          """
          {"status": "invalid", "finalize": "f", "authorizations": ["a", "b"], "error":
           {"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "No.\\n Never.",
            "status": 403, "subproblems": [{"type": "urn:ietf:params:acme:error:malformed",
            "detail": "bad", "identifier": {"type": "dns", "value": "x"}}]}}
          """)))
    #expect(order.authorizations == ["a", "b"])
    let problem = try #require(order.error)
    #expect(
      problem.type == "rejectedIdentifier" && problem.text == "No. Never (rejectedIdentifier)")
    #expect(problem.details == ["x: bad"] && problem.status == 403)
    let authorization = try #require(
      ACMEAuthorization(
        try node(
          """
          {"status": "pending", "identifier": {"type": "dns", "value": "x"}, "wildcard": true,
           "challenges": [{"type": "dns-01", "url": "u", "token": "t", "status": "pending"}]}
          """)))
    #expect(authorization.name == "*.x" && authorization.challenge(.dns)?.token == "t")
    #expect(authorization.challenge(.http) == nil)
    for bad in ["{}", #"{"status": "odd", "finalize": "f"}"#, "[]", "7"] {
      #expect(ACMEOrder(try node(bad)) == nil)
      #expect(ACMEAuthorization(try node(bad)) == nil)
      #expect(ACMEProblem(try node(bad)) == nil)
      #expect(ACMEDirectory(try node(bad)) == nil)
    }
  }

  @Test func `a rate limit says until when`() {
    let problem = ACMEProblem(
      type: "rateLimited", detail: "too many certificates (5) already issued for this exact set")
    let error = problem.error(
      from: "ca.example", while: "take the order", retryAfter: 1_735_790_400)
    #expect(
      error.message == "ca.example refused to take the order: too many certificates (5) already "
        + "issued for this exact set (rateLimited)")
    #expect(error.hint.hasPrefix("try again after 2025-01-02T04:00:00Z"))
    #expect(error.notBefore == 1_735_790_400 && error.countsAsFailure)
  }

  @Test func `CAA records name who may issue`() {
    func record(_ tag: String, _ value: String) -> DNSData {
      .caa(isCritical: false, tag: tag, value: Array(value.utf8))
    }
    #expect(CAARule.allowed([], isWildcard: false) == nil)
    #expect(CAARule.allowed([record("iodef", "mailto:x@y")], isWildcard: false) == nil)
    let plain = [record("issue", "CA.example; validationmethods=dns-01"), record("issue", ";")]
    #expect(CAARule.allowed(plain, isWildcard: false) == ["ca.example"])
    #expect(CAARule.allowed(plain, isWildcard: true) == ["ca.example"])
    let both = plain + [record("issuewild", ";")]
    #expect(CAARule.allowed(both, isWildcard: false) == ["ca.example"])
    #expect(CAARule.allowed(both, isWildcard: true) == [])
  }
}
