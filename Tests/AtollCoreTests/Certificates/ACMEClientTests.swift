// SPDX-License-Identifier: Apache-2.0
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

/// A CA that says what a test tells it.
final class ScriptedCA: ACMETransport {
  static let directory = "https://ca.example/dir"

  enum Step: Sendable {
    case answer(ACMEResponse)
    case broken
  }

  private struct State {
    var steps: [String: [Step]] = [:]
    var requests: [ACMERequest] = []
    var nonces = 0
    var now: Int64 = 1_750_000_000
    var paused = 0
  }

  private let state = Mutex(State())

  /// - Parameter directory: members beside the three that every directory has.
  init(directory members: String = "") {
    let text = """
      {"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
       "newOrder": "https://ca.example/order"\(members.isEmpty ? "" : ", " + members)}
      """
    script("/dir", .answer(Self.json(text)))
  }

  static func json(_ text: String, status: Int = 200, _ fields: [String: String] = [:])
    -> ACMEResponse
  {
    ACMEResponse(
      status: status, fields: fields.map { HeaderField(name: $0.key, value: $0.value) },
      body: Array(text.utf8))
  }

  static func problem(
    _ type: String, _ detail: String, status: Int = 403, _ fields: [String: String] = [:]
  ) -> Step {
    .answer(
      json(
        #"{"type": "urn:ietf:params:acme:error:\#(type)", "detail": "\#(detail)"}"#,
        status: status, fields))
  }

  /// What a path answers, one after the other; the last again and again.
  func script(_ path: String, _ steps: Step...) {
    state.withLock { $0.steps[path] = steps }
  }

  var requests: [ACMERequest] { state.withLock { $0.requests } }
  /// Milliseconds.
  var paused: Int { state.withLock { $0.paused } }

  func pass(seconds: Int64) { state.withLock { $0.now += seconds } }

  var now: Int64 { state.withLock { $0.now } }

  /// Time passes by waiting only.
  var time: ACMETime {
    ACMETime(
      now: { self.now },
      pause: { milliseconds in
        self.state.withLock {
          $0.paused += milliseconds
          $0.now += Int64(milliseconds / 1_000)
        }
      })
  }

  func send(_ request: ACMERequest) throws(ACMEError) -> ACMEResponse {
    let path = String(request.url.dropFirst("https://ca.example".utf8.count))
    let step: Step? = state.withLock { state in
      state.requests.append(request)
      if path == "/nonce" {
        state.nonces += 1
        return .answer(ACMEResponse(status: 200, fields: [Self.nonce(state.nonces)]))
      }
      guard var steps = state.steps[path], let step = steps.first else { return nil }
      if steps.count > 1 { steps.removeFirst() }
      state.steps[path] = steps
      guard case .answer(var response) = step, request.method == "POST" else { return step }
      state.nonces += 1
      response.fields.append(Self.nonce(state.nonces))
      return .answer(response)
    }
    switch step {
    case .answer(let response)?: return response
    case .broken?: throw ACMEError(.transport, "the line is dead", hint: "mend it")
    case nil: return ScriptedCA.json("{}", status: 404)
    }
  }

  private static func nonce(_ number: Int) -> HeaderField {
    HeaderField(name: "Replay-Nonce", value: "nonce-\(number)")
  }

  /// The protected header of a signed request.
  static func header(_ request: ACMERequest) throws -> JSONNode {
    let protected = try JSONReader.read(request.body)["protected"]?.text ?? ""
    return try JSONReader.read(Base64URL.decode(protected) ?? [])
  }

  static func payload(_ request: ACMERequest) throws -> String {
    let payload = try JSONReader.read(request.body)["payload"]?.text ?? ""
    return String(decoding: Base64URL.decode(payload) ?? [], as: UTF8.self)
  }
}

struct ACMEClientTests {
  private func client(_ ca: ScriptedCA) -> ACMEClient {
    let client = ACMEClient(directory: ScriptedCA.directory, transport: ca, time: ca.time)
    client.sign(with: .secret([1]), as: .id("me"))
    return client
  }

  private func failure(_ ca: ScriptedCA) -> ACMEError? {
    do {
      _ = try client(ca).post("https://ca.example/thing", "{}", doing: "do the thing")
      return nil
    } catch {
      return error
    }
  }

  @Test func `each request has a nonce of its own, which the last answer brought`() throws {
    let ca = ScriptedCA()
    ca.script("/thing", .answer(ScriptedCA.json("{}")))
    let client = client(ca)
    for _ in 0..<3 { _ = try client.post("https://ca.example/thing", "{}", doing: "x") }
    #expect(ca.requests.map(\.method) == ["GET", "HEAD", "POST", "POST", "POST"])
    let nonces = try ca.requests.suffix(3).map { try ScriptedCA.header($0)["nonce"]?.text }
    #expect(nonces == ["nonce-1", "nonce-2", "nonce-3"])
  }

  @Test func `a nonce that the CA does not take is replaced`() throws {
    let ca = ScriptedCA()
    let bad = ScriptedCA.problem("badNonce", "used", status: 400)
    ca.script("/thing", bad, bad, bad, .answer(ScriptedCA.json("{}")))
    _ = try client(ca).post("https://ca.example/thing", "{}", doing: "x")
    #expect(ca.requests.filter { $0.method == "HEAD" }.count == 1)
    let nonces = try ca.requests.suffix(4).map { try ScriptedCA.header($0)["nonce"]?.text }
    #expect(Set(nonces).count == 4 && ca.paused == 0)
  }

  @Test func `a CA that takes no nonce at all is given up`() {
    let ca = ScriptedCA()
    ca.script("/thing", ScriptedCA.problem("badNonce", "used", status: 400))
    #expect(failure(ca)?.type == "badNonce")
    #expect(ca.requests.filter { $0.method == "POST" }.count == Limits.acmeBadNonces + 1)
  }

  @Test func `lost connections and failing machines are tried again`() throws {
    let ca = ScriptedCA()
    ca.script(
      "/thing", .broken, .answer(ScriptedCA.json("oops", status: 502)), .broken,
      .answer(ScriptedCA.json("{}", status: 201)))
    #expect(try client(ca).post("https://ca.example/thing", nil, doing: "x").status == 201)
    #expect(ca.paused == 500 + 1_000 + 2_000)
    let nonces = try ca.requests.filter { $0.method == "POST" }.map {
      try ScriptedCA.header($0)["nonce"]?.text
    }
    #expect(Set(nonces).count == 4)
  }

  @Test func `a CA that stays away is given up`() {
    let ca = ScriptedCA()
    ca.script("/thing", .broken)
    #expect(failure(ca)?.message == "the line is dead")
    #expect(ca.requests.filter { $0.method == "POST" }.count == Limits.acmeRetries + 1)
    let failing = ScriptedCA()
    failing.script("/thing", .answer(ScriptedCA.json("<html>", status: 500)))
    #expect(failure(failing)?.message == "ca.example answered 500 when asked to do the thing")
  }

  @Test func `a CA that is busy says until when`() {
    let ca = ScriptedCA()
    ca.script("/thing", .answer(ScriptedCA.json("", status: 503, ["Retry-After": "600"])))
    #expect(failure(ca)?.notBefore == ca.now + 600)
    #expect(ca.requests.filter { $0.method == "POST" }.count == 1)
  }

  @Test func `what the CA refuses is told in its words`() {
    let ca = ScriptedCA()
    ca.script("/thing", ScriptedCA.problem("malformed", "Not like that.", status: 400))
    let error = failure(ca)
    #expect(error?.message == "ca.example refused to do the thing: Not like that (malformed)")
    #expect(error?.fault == .refused)
  }

  @Test func `a URL that is no directory is named`() {
    for (status, body) in [(200, "{}"), (200, "<html>"), (404, "{}")] {
      let ca = ScriptedCA()
      ca.script("/dir", .answer(ScriptedCA.json(body, status: status)))
      #expect(failure(ca)?.message.hasPrefix("https://ca.example/dir is no ACME directory") == true)
    }
  }

  @Test func `links are read`() {
    let response = ScriptedCA.json("", status: 200, ["Link": ""])
    #expect(response.links("alternate") == [])
    var many = ACMEResponse(status: 200)
    many.fields = [
      HeaderField(
        name: "Link", value: #"<https://ca/1>;rel="alternate", <https://ca/d>;rel="index""#),
      HeaderField(name: "link", value: "<https://ca/2>; title=x; rel=alternate"),
    ]
    #expect(many.links("alternate") == ["https://ca/1", "https://ca/2"])
  }
}

/// A certificate of a store and a scripted CA.
struct ACMEIssuerTests {
  private let ca: ScriptedCA
  private let home = TemporaryDirectory()
  private let store: DirectoryStore

  init() {
    ca = ScriptedCA(
      directory:
        #""renewalInfo": "https://ca.example/ari", "meta": {"caaIdentities": ["ca.example"]}"#)
    store = DirectoryStore(home: home.path + "/store")
  }

  private var catalog: CertificateCatalog { CertificateCatalog(store) }

  /// Its life began before now and lasts ninety days.
  private func put(daysOld days: Int64) throws -> StoredCertificate {
    let authority = LocalAuthority(store)
    let start = ca.now - days * 86_400
    let issued = try authority.issue(["shop.example"], now: start)
    var certificate = StoredCertificate(
      name: "shop", created: start, modified: start, source: .acme, domains: ["shop.example"],
      chain: issued.certificate.pem, key: issued.key.pem,
      acme: ACMESettings(directory: ScriptedCA.directory))
    certificate.revision = try catalog.put(certificate, ifRevision: 0)
    return certificate
  }

  private final class NoProver: ChallengeProver {
    let challenge = ChallengeType.http
    func present(_ proofs: [ChallengeProof]) {}
    func withdraw() {}
  }

  private func keep(
    _ demand: ACMEIssuer.Demand = .init(), as wanted: StoredCertificate? = nil
  ) throws -> ACMEIssuer.Outcome {
    let ca = ca
    return try ACMEIssuer(store, time: ca.time, transport: { _ in ca }, report: { _ in }).keep(
      "shop", as: wanted, demand, prover: { _ in NoProver() })
  }

  private func failure(_ demand: ACMEIssuer.Demand = .init()) -> ACMEError? {
    do {
      _ = try keep(demand)
      return nil
    } catch {
      return error as? ACMEError
    }
  }

  private func info(_ start: Int64, _ end: Int64) -> ScriptedCA.Step {
    let window =
      #""start": "\#(RFC3339.format(seconds: start))", "end": "\#(RFC3339.format(seconds: end))""#
    return .answer(ScriptedCA.json(#"{"suggestedWindow": {\#(window)}}"#, ["Retry-After": "3600"]))
  }

  private func path(of certificate: StoredCertificate) throws -> String {
    "/ari/" + (try #require(certificate.leaf?.renewalIdentifier))
  }

  @Test func `a good certificate is left alone, and the CA asked when to renew it`() throws {
    let certificate = try put(daysOld: 10)
    let start = ca.now + 86_400
    ca.script(try path(of: certificate), info(start, start + 3_600))
    guard case .unchanged(let kept, let next) = try keep() else {
      Issue.record("it was issued")
      return
    }
    #expect((start...start + 3_600).contains(next))
    #expect(kept.renewal.window == start...start + 3_600)
    #expect(kept.renewal.askAgain == ca.now + 3_600)
    let stored = try #require(try catalog.get("shop"))
    #expect(stored == kept && stored.chain == certificate.chain)
    // Asked once an hour, as the CA said.
    let asked = ca.requests.count
    _ = try keep()
    #expect(ca.requests.count == asked)
    ca.pass(seconds: 3_601)
    _ = try keep()
    #expect(ca.requests.count > asked)
  }

  @Test func `a damaged record stays until the new certificate is there`() throws {
    let wanted = try put(daysOld: 10)
    home.write("store/certificates/shop/certificate.json", "{")
    ca.script("/account", ScriptedCA.problem("malformed", "not today"))
    // Nobody says what it is to be.
    #expect(throws: StoreError.self) { try keep() }
    #expect(ca.requests.isEmpty)
    // Whoever read it before it was damaged has it issued anew as well.
    #expect(throws: ACMEError.self) { try keep(as: wanted) }
    #expect(!ca.requests.isEmpty)
    let key = try #require(readText(home.file("store/certificates/shop/key.pem")))
    #expect(key == wanted.key)
    #expect(readText(home.file("store/certificates/shop/certificate.json")) == "{")
  }

  @Test func `a damaged key has it issued anew`() throws {
    let certificate = try put(daysOld: 10)
    let start = ca.now + 86_400
    ca.script(try path(of: certificate), info(start, start + 3_600))
    ca.script("/account", ScriptedCA.problem("malformed", "not today"))
    _ = try keep()
    home.write("store/certificates/shop/key.pem", "none\n")
    #expect(failure()?.message == "ca.example refused to open an account: not today (malformed)")
  }

  @Test(arguments: [
    (ScriptedCA.Step.broken, "the line is dead"),
    (.answer(ScriptedCA.json("<html>")), "https://ca.example/dir is no ACME directory"),
    (
      .answer(ScriptedCA.json("{}", status: 404)),
      "https://ca.example/dir is no ACME directory: it answers 404"
    ),
  ])
  func `a URL without a directory makes no next try wait`(
    step: ScriptedCA.Step, message: String
  ) throws {
    _ = try put(daysOld: 70)
    ca.script("/dir", step)
    for _ in 0..<3 {
      #expect(failure()?.message == message)
      let renewal = try #require(try catalog.get("shop")).renewal
      #expect(renewal.failures == 0 && renewal.notBefore == nil)
      #expect(renewal.lastError == message)
    }
  }

  @Test func `a CA that says nothing is asked again later`() throws {
    let certificate = try put(daysOld: 10)
    ca.script(try path(of: certificate), .answer(ScriptedCA.json("{}", status: 500)))
    guard case .unchanged(let kept, _) = try keep() else {
      Issue.record("it was issued")
      return
    }
    #expect(kept.renewal.window == nil && kept.renewal.askAgain == ca.now + 21_600)
  }

  @Test func `a window that has passed has it renewed, in place of the old one`() throws {
    let certificate = try put(daysOld: 10)
    let start = ca.now - 86_400
    ca.script(try path(of: certificate), info(start, start + 3_600))
    ca.script(
      "/account", .answer(ScriptedCA.json("{}", status: 201, ["Location": "https://ca.example/me"]))
    )
    ca.script(
      "/order",
      ScriptedCA.problem(
        "rateLimited", "too many certificates already issued", status: 429,
        ["Retry-After": "86400"]))
    let error = try #require(failure())
    #expect(error.type == "rateLimited" && error.notBefore == ca.now + 86_400)
    let order = try #require(ca.requests.last { $0.url.hasSuffix("/order") })
    #expect(
      try ScriptedCA.payload(order)
        == #"{"identifiers":[{"type":"dns","value":"shop.example"}],"replaces":""#
        + (certificate.leaf?.renewalIdentifier ?? "") + #""}"#)
    // What is in use stays, and the next try waits as the CA wants.
    let stored = try #require(try catalog.get("shop"))
    #expect(stored.chain == certificate.chain && stored.key == certificate.key)
    #expect(stored.renewal.failures == 1 && stored.renewal.notBefore == ca.now + 86_400)
    let asked = ca.requests.count
    #expect(failure()?.fault == .busy)
    #expect(ca.requests.count == asked)
    var demand = ACMEIssuer.Demand()
    demand.ignoresPause = true
    #expect(failure(demand)?.type == "rateLimited")
  }

  @Test func `an order that may not replace is made for itself`() throws {
    _ = try put(daysOld: 61)
    ca.script(
      "/account", .answer(ScriptedCA.json("{}", status: 201, ["Location": "https://ca.example/me"]))
    )
    ca.script(
      "/order", ScriptedCA.problem("alreadyReplaced", "by another order", status: 409),
      ScriptedCA.problem("rejectedIdentifier", "not that one"))
    var demand = ACMEIssuer.Demand()
    demand.isForced = true
    #expect(failure(demand)?.type == "rejectedIdentifier")
    let orders = try ca.requests.filter { $0.url.hasSuffix("/order") }.map(ScriptedCA.payload)
    #expect(orders.count == 2)
    #expect(orders[0].contains("replaces") && !orders[1].contains("replaces"))
  }

  @Test func `the account is kept, and its key is its owner's alone`() throws {
    _ = try put(daysOld: 70)
    ca.script(
      "/account", .answer(ScriptedCA.json("{}", status: 201, ["Location": "https://ca.example/me"]))
    )
    ca.script("/order", ScriptedCA.problem("malformed", "no"))
    var demand = ACMEIssuer.Demand()
    demand.ignoresPause = true
    for _ in 0..<2 { #expect(failure(demand)?.type == "malformed") }
    #expect(ca.requests.filter { $0.url.hasSuffix("/account") }.count == 1)
    let (account, _) = try #require(try ACMEAccounts(store).get(ScriptedCA.directory))
    #expect(account.url == "https://ca.example/me")
    let first = try #require(ca.requests.first { $0.url.hasSuffix("/account") })
    let header = try ScriptedCA.header(first)
    #expect(header["kid"] == nil && header["jwk"]?["kty"]?.text == "EC")
    let last = try #require(ca.requests.last { $0.url.hasSuffix("/order") })
    #expect(try ScriptedCA.header(last)["kid"]?.text == "https://ca.example/me")
    // Another one leaves it behind.
    demand.wantsNewAccount = true
    #expect(failure(demand)?.type == "malformed")
    let (other, _) = try #require(try ACMEAccounts(store).get(ScriptedCA.directory))
    #expect(other.key != account.key)
    let accounts = try store.keys("accounts/")
    #expect(accounts.count == 1 && accounts[0].hasPrefix("accounts/ca.example-"))
    let mode = fileMode("\(home.path)/store/\(accounts[0]).json")
    #expect(mode == 0o600)
  }

  @Test func `an account that the CA has forgotten is registered again`() throws {
    _ = try put(daysOld: 70)
    ca.script(
      "/account",
      .answer(ScriptedCA.json("{}", status: 201, ["Location": "https://ca.example/me"])),
      .answer(ScriptedCA.json("{}", status: 201, ["Location": "https://ca.example/again"])))
    ca.script(
      "/order", ScriptedCA.problem("accountDoesNotExist", "who?", status: 400),
      ScriptedCA.problem("accountDoesNotExist", "who?", status: 400),
      ScriptedCA.problem("malformed", "no"))
    #expect(failure()?.type == "malformed")
    let keys = try ca.requests.filter { $0.url.hasSuffix("/account") }
      .map { try ScriptedCA.header($0)["jwk"]?["x"]?.text }
    #expect(keys.count == 2 && keys[0] == keys[1])
    let (account, _) = try #require(try ACMEAccounts(store).get(ScriptedCA.directory))
    #expect(account.url == "https://ca.example/again")
  }

  @Test func `an external account is bound with its secret, and asked for where it is needed`()
    throws
  {
    _ = try put(daysOld: 70)
    ca.script(
      "/dir",
      .answer(
        ScriptedCA.json(
          """
          {"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
           "newOrder": "https://ca.example/order", "meta": {"externalAccountRequired": true}}
          """)))
    ca.script("/account", ScriptedCA.problem("malformed", "no"))
    let missing = try #require(failure())
    #expect(missing.type == "externalAccountRequired" && missing.hint.contains("--eab-key-id"))
    #expect(!ca.requests.contains { $0.url.hasSuffix("/account") })
    var demand = ACMEIssuer.Demand()
    demand.ignoresPause = true
    demand.externalAccount = ExternalAccount(keyID: "kid-1", key: Array("secret".utf8))
    #expect(failure(demand)?.type == "malformed")
    let request = try #require(ca.requests.last { $0.url.hasSuffix("/account") })
    let payload = try JSONReader.read(Array(try ScriptedCA.payload(request).utf8))
    let binding = try #require(payload["externalAccountBinding"])
    let protected = try #require(binding["protected"]?.text)
    let header = String(decoding: try #require(Base64URL.decode(protected)), as: UTF8.self)
    #expect(
      header == #"{"alg":"HS256","kid":"kid-1","url":"https://ca.example/account"}"#)
    let content = try #require(binding["payload"]?.text)
    #expect(
      binding["signature"]?.text
        == Base64URL.encode(
          JWS.hmacSHA256(JWS.signingInput(protected, content), key: Array("secret".utf8))))
    // The inner payload is the account's key, which signs the outer request.
    #expect(
      try JSONReader.read(try #require(Base64URL.decode(content)))["x"]?.text
        == ScriptedCA.header(request)["jwk"]?["x"]?.text)
  }

  @Test func `who is about a certificate keeps others away`() throws {
    _ = try put(daysOld: 70)
    let hold = try store.hold("issuing/shop", Array("{\n}\n".utf8))
    #expect(failure()?.message == "another process is about the certificate \"shop\"")
    #expect(ca.requests.isEmpty)
    hold.release()
    ca.script("/account", ScriptedCA.problem("malformed", "no"))
    #expect(failure()?.type == "malformed")
  }

  @Test(arguments: [
    ("shop.example", true), ("www.shop.example,shop.example", false),
  ])
  func `other names have it issued anew`(domains: String, isSame: Bool) throws {
    var wanted = try put(daysOld: 10)
    wanted.domains = domains.split(separator: ",").map(String.init)
    ca.script("/account", ScriptedCA.problem("malformed", "no"))
    if isSame {
      guard case .unchanged = try keep(as: wanted) else {
        Issue.record("it was issued")
        return
      }
    } else {
      #expect(throws: ACMEError.self) { try keep(as: wanted) }
      // The old names count until the new ones are there.
      #expect(try catalog.get("shop")?.domains == ["shop.example"])
    }
  }

  @Test func `another key or CA has it issued anew, other settings are stored`() throws {
    let stored = try put(daysOld: 10)
    ca.script("/account", ScriptedCA.problem("malformed", "no"))
    var wanted = stored
    wanted.keyType = .rsa2048
    #expect(throws: ACMEError.self) { try keep(as: wanted) }
    wanted = stored
    wanted.acme?.directory = "https://ca.example/other"
    ca.script("/other", .answer(ScriptedCA.json("{}")))
    #expect(throws: ACMEError.self) { try keep(as: wanted) }
    wanted = stored
    wanted.acme?.contacts = ["me@shop.example"]
    guard case .unchanged(let kept, _) = try keep(as: wanted) else {
      Issue.record("it was issued")
      return
    }
    #expect(kept.acme?.contacts == ["me@shop.example"])
    #expect(try catalog.get("shop")?.acme?.contacts == ["me@shop.example"])
  }
}
