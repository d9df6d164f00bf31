// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct RenewalScheduleTests {
  private static let day: Int64 = 86_400

  private func schedule(
    days: Int64 = 90, seed: UInt64 = 0, _ state: RenewalState = RenewalState()
  ) -> RenewalSchedule {
    RenewalSchedule(notBefore: 0, notAfter: days * Self.day, state: state, seed: seed)
  }

  @Test(arguments: [(90, 60), (6, 4), (365, 243)])
  func `it is due at two thirds of its life`(days: Int, due: Int) {
    let schedule = schedule(days: Int64(days))
    #expect(schedule.due / Self.day == Int64(due))
    #expect(!schedule.isDue(at: schedule.due - 1))
    #expect(schedule.isDue(at: schedule.due))
  }

  @Test func `certificates fall due spread over a sixtieth of their life`() {
    var moments: Set<Int64> = []
    for seed in 0..<5_000 as Range<UInt64> {
      let due = schedule(seed: seed &* 0x9e37_79b9_7f4a_7c15).due
      #expect((60 * Self.day...61 * Self.day + Self.day / 2).contains(due))
      moments.insert(due)
    }
    #expect(moments.count > 4_000)
    #expect(schedule(seed: 77).due == schedule(seed: 77).due)
  }

  @Test func `the CA's window goes before two thirds`() {
    let window = 10 * Self.day...12 * Self.day
    let state = RenewalState(window: window)
    for seed in [0, 1, 86_400, .max] as [UInt64] {
      #expect(window.contains(schedule(seed: seed, state).due))
    }
    #expect(schedule(seed: 0, state).due == window.lowerBound)
    #expect(schedule(seed: UInt64(2 * Self.day), state).due == window.upperBound)
    // A window that has passed, as after a revocation, is now.
    #expect(schedule(RenewalState(window: -100...(-50))).isDue(at: 0))
    // One that would let it expire is not followed.
    let late = schedule(RenewalState(window: 95 * Self.day...99 * Self.day))
    #expect(late.due < 90 * Self.day)
  }

  @Test func `the CA is asked when it said so, and no longer once it has expired`() {
    #expect(schedule().wantsInformation(at: 0))
    let asked = schedule(RenewalState(askAgain: 5_000))
    #expect(!asked.wantsInformation(at: 4_999))
    #expect(asked.wantsInformation(at: 5_000))
    #expect(!schedule().wantsInformation(at: 90 * Self.day))
  }

  @Test func `pauses grow with failures and end with success`() {
    let failure = ACMEError(.validation, "it was not found", hint: "", details: ["b: neither"])
    var state = RenewalState()
    var pauses: [Int64] = []
    for _ in 0..<9 {
      state.fail(failure, at: 1_000)
      pauses.append((state.notBefore ?? 1_000) - 1_000)
    }
    #expect(pauses == [0, 60, 300, 1_800, 7_200, 43_200, 86_400, 86_400, 86_400])
    #expect(state.failures == 9 && state.lastAttempt == 1_000)
    #expect(state.lastError == "it was not found; b: neither")
    #expect(schedule(days: 0, state).next == 87_400)
    state.succeed(at: 2_000)
    #expect(state == RenewalState(lastAttempt: 2_000))
  }

  @Test func `what was not the CA's costs no pause`() {
    var state = RenewalState()
    for _ in 0..<5 {
      state.fail(ACMEError(.preparation, "no record", hint: ""), at: 1_000)
    }
    #expect(state.failures == 0 && state.notBefore == nil && state.lastError == "no record")
  }

  @Test func `what the CA asks for is kept`() {
    var state = RenewalState()
    state.fail(ACMEError(.refused, "too many", hint: "", notBefore: 700_000), at: 1_000)
    #expect(state.notBefore == 700_000)
    state.fail(ACMEError(.refused, "too many", hint: "", notBefore: 1_001), at: 1_000)
    #expect(state.notBefore == 1_060)
  }

  @Test func `close to the end the pauses shorten`() {
    var state = RenewalState(failures: 20)
    let failure = ACMEError(.transport, "gone", hint: "")
    state.fail(failure, at: 0, notAfter: 40_000)
    #expect(state.notBefore == 10_000)
    state.fail(failure, at: 0, notAfter: 100)
    #expect(state.notBefore == 600)
  }

  @Test(
    arguments: [
      (nil, 1_000 + 21_600), (1_030, 1_060), (5_000, 5_000), (1_000 + 10 * 86_400, 1_000 + 86_400),
    ] as [(Int64?, Int64)])
  func `the CA is asked again within a minute and a day`(retryAfter: Int64?, expected: Int64) {
    var state = RenewalState(window: 1...2)
    state.take(window: nil, retryAfter: retryAfter, at: 1_000)
    #expect(state.askAgain == expected)
    #expect(state.window == 1...2)
    state.take(window: 3...4, retryAfter: retryAfter, at: 1_000)
    #expect(state.window == 3...4)
  }

  /// The example of RFC 9773 §4.1.
  @Test func `a certificate is named by its issuer's key and its serial`() {
    let key: [UInt8] = [
      0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae,
      0x2c, 0xde, 0x01, 0xc8, 0xd4,
    ]
    let name = ACMERenewalInfo.identifier(
      keyIdentifier: key, serial: [0x00, 0x87, 0x65, 0x43, 0x21])
    #expect(name == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
  }

  @Test func `a window is read, and nonsense is none`() throws {
    func read(_ text: String) -> ACMERenewalInfo? {
      (try? JSONReader.read(Array(text.utf8))).flatMap(ACMERenewalInfo.init)
    }
    let good = try #require(
      read(
        """
        {"suggestedWindow": {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"},
         "explanationURL": "https://acme.example.com/docs/ari"}
        """))
    #expect(good.window == 1_735_790_400...1_735_876_800)
    #expect(good.explanation == "https://acme.example.com/docs/ari")
    for text in [
      "{}", #"{"suggestedWindow": {"start": "2025-01-02T04:00:00Z"}}"#,
      #"{"suggestedWindow": {"start": "2025-01-03T04:00:00Z", "end": "2025-01-02T04:00:00Z"}}"#,
    ] {
      #expect(read(text) == nil)
    }
  }

  @Test(
    arguments: [
      ("0", 1_000), ("120", 1_120), (" 5 ", 1_005), ("Thu, 01 Jan 1970 01:00:00 GMT", 3_600),
      ("Thu, 01 Jan 1970 00:00:01 GMT", 1_000), ("99999999999999999999", 1_000 + 2_592_000),
      ("Fri, 31 Dec 1999 23:59:59 GMT", 1_000 + 2_592_000), ("", nil), ("soon", nil), ("-1", nil),
      ("1.5", nil),
    ] as [(String, Int64?)])
  func `Retry-After is seconds or a date, within a month`(text: String, moment: Int64?) {
    #expect(RetryAfter.moment(text, now: 1_000) == moment)
  }
}
