// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct RateTests {
  private static let rate = Rate(burst: 3, perSecond: 2)

  @Test func `so many at once, then so many per second`() {
    var use = Rate.Use()
    func isAllowed(_ count: Int64 = 1, at now: Int64) -> Bool {
      use.add(count, to: Self.rate, now)
    }
    for _ in 1...3 { #expect(isAllowed(at: 10_000)) }
    #expect(!isAllowed(at: 10_000))
    // What was too much counts as well.
    #expect(!isAllowed(at: 10_499))
    #expect(use.left(of: Self.rate, 10_500) == 0)
    #expect(use.left(of: Self.rate, 12_000) == 2)
    #expect(isAllowed(2, at: 12_500))
    #expect(isAllowed(at: 12_500))
    #expect(!isAllowed(at: 12_500))
  }

  @Test func `what is left grows back to the burst`() {
    var use = Rate.Use()
    #expect(use.left(of: Self.rate, 0) == 3)
    _ = use.add(2, to: Self.rate, 0)
    #expect(use.left(of: Self.rate, 0) == 1)
    #expect(use.left(of: Self.rate, 499) == 1)
    #expect(use.left(of: Self.rate, 500) == 2)
    #expect(use.left(of: Self.rate, 60_000) == 3)
    use.giveBack(9)
    #expect(use.left(of: Self.rate, 0) == 3)
  }
}
