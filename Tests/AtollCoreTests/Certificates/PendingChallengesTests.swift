// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import AtollCore

/// What is posted for edges to answer, and how it is answered (RFC 8555 §8.1, §8.3).
struct PendingChallengesTests {
  private let directory = TemporaryDirectory()
  private var challenges: PendingChallenges { PendingChallenges(directory.store) }

  private func challenge(
    _ token: String = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA", _ type: ChallengeType = .http
  ) -> PendingChallenge {
    PendingChallenge(
      type: type, domain: "shop.example", token: token, keyAuthorization: "\(token).thumb")
  }

  @Test func `a challenge stands as long as it is held`() throws {
    let one = try challenges.post(challenge("one"))
    let two = try challenges.post(challenge("two_-", .tls))
    #expect(try challenges.all() == [challenge("one"), challenge("two_-", .tls)])
    one.release()
    #expect(try challenges.all() == [challenge("two_-", .tls)])
    two.release()
    #expect(try challenges.all().isEmpty)
  }

  @Test(arguments: [
    "", "a/b", "../x", ".", "a.b", "a=", "ä", "a b", String(repeating: "a", count: 129),
  ])
  func `a token that no CA may send is not posted`(token: String) throws {
    #expect(throws: StoreError.badKey(token)) { try challenges.post(challenge(token)) }
    #expect(try challenges.all().isEmpty)
  }

  @Test func `a value that another hand has put there hides no other`() throws {
    let hold = try challenges.post(challenge("one"))
    defer { hold.release() }
    for (index, text) in ["{\n  \"a\": 1\n}\n", "{\n  \"type\": \"http-01\"\n}\n"].enumerated() {
      try directory.store.write("challenges/x\(index)", Array(text.utf8), ifRevision: nil)
    }
    #expect(try challenges.all() == [challenge("one")])
  }

  @Test func `only the path of a pending http-01 challenge is answered`() {
    let answers = ChallengeAnswers([challenge("one"), challenge("two", .tls)])
    for (path, answer) in [
      ("/.well-known/acme-challenge/one", "one.thumb"), ("/.well-known/acme-challenge/two", nil),
      ("/.well-known/acme-challenge/one/", nil), ("/.well-known/acme-challenge/", nil),
      ("/.well-known/acme-challenge/One", nil), ("/.well-known/acme-challeng", nil),
      ("/one", nil), ("/", nil), ("/.well-known/acme-challenge/%6fne", nil),
    ] as [(String, String?)] {
      #expect(withBytes(Array(path.utf8)) { answers.answer(toPath: $0) } == answer)
    }
    #expect(ChallengeAnswers().isEmpty && ChallengeAnswers([challenge("two", .tls)]).isEmpty)
  }
}
