// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import TestSupport
import Testing

/// Answers for certificate authorities (RFC 8555 §8.3), before anything that a distribution says.
@Suite(.timeLimit(.minutes(20)))
struct ChallengeTests {
  private static let token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
  private static let path = "/.well-known/acme-challenge/\(token)"

  private func challenge(_ token: String = token, domain: String = "shop.example")
    -> PendingChallenge
  {
    PendingChallenge(
      type: .http, domain: domain, token: token, keyAuthorization: "\(token).9jg46WB3rR_AHD-EBXdN7c"
    )
  }

  private func waitUntilAnswered(_ edge: SupervisedEdge, _ tokens: [String]) throws {
    let result = try EdgeRegistry(edge.store).waitUntilAnswered(
      tokens: tokens, timeout: .seconds(10))
    #expect(result.map(\.isConfirmed) == [true])
  }

  @Test(arguments: [ViewerProtocol.allowAll, .redirectToHTTPS, .httpsOnly])
  func `a pending challenge is answered whatever the distribution says`(
    policy: ViewerProtocol
  ) throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge()
    try edge.put(
      try site(origin) {
        $0.settings.viewerProtocol = policy
        $0.isEnabled = policy != .httpsOnly
      })
    let hold = try PendingChallenges(edge.store).post(challenge())
    try waitUntilAnswered(edge, [Self.token])
    for host in ["shop.example", "test.example", "192.0.2.1:8080"] {
      let response = try edge.get(Self.path, host: host)
      #expect(response.status == 200 && response.text == challenge().keyAuthorization)
      #expect(response["content-type"]?.hasPrefix("text/plain") == true)
      #expect(response["cache-control"] == "no-store")
      #expect(response.cacheStatus == ["detail=acme-challenge"])
    }
    #expect(origin.requestCount == 0)
    // Others' challenges are the origin's, or whatever the distribution makes of them.
    let other = try edge.get("/.well-known/acme-challenge/other")
    #expect(other.status == (policy == .allowAll ? 200 : policy == .redirectToHTTPS ? 301 : 403))
    hold.release()
    #expect(eventually { edge.record?.challenges == [] })
    #expect(try edge.get(Self.path).status == other.status)
  }

  @Test func `an edge without distributions answers too, GET and HEAD alone`() throws {
    let edge = try SupervisedEdge()
    let holds = try ["one", "two"].map { try PendingChallenges(edge.store).post(challenge($0)) }
    defer { for hold in holds { hold.release() } }
    try waitUntilAnswered(edge, ["one", "two"])
    #expect(
      try edge.get("/.well-known/acme-challenge/two").text == challenge("two").keyAuthorization)
    #expect(try edge.get("/").status == 421)
    for (method, status) in [("HEAD", 200), ("POST", 421)] {
      let viewer = try ScriptedViewer(port: edge.port)
      let response = try viewer.request(method, "/.well-known/acme-challenge/one")
      #expect(response.status == status && response.text.isEmpty == (method == "HEAD"))
    }
  }

  @Test func `a challenge from before the start is answered from the first request on`() throws {
    let directory = TemporaryDirectory()
    let store = DirectoryStore(home: directory.file("store"))
    let hold = try PendingChallenges(store).post(challenge())
    defer { hold.release() }
    let edge = try SupervisedEdge(in: directory)
    #expect(try edge.get(Self.path).text == challenge().keyAuthorization)
  }

  @Test func `an unsaved distribution's edge answers for its store`() throws {
    let origin = try numberingOrigin()
    let edge = try SupervisedEdge(unsaved: try site(origin))
    #expect(try edge.get(Self.path).text == "1")
    let hold = try PendingChallenges(edge.store).post(challenge())
    defer { hold.release() }
    try waitUntilAnswered(edge, [Self.token])
    #expect(try edge.get(Self.path).text == challenge().keyAuthorization)
  }
}
