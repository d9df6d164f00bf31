// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct ExpiryWarningsTests {
  private static let day: Int64 = 86_400
  private static let end: Int64 = 100 * day

  private func certificate(
    _ name: String = "shop", lifetime: Int64 = 90 * day, end: Int64 = end
  ) -> CertificateExpiry {
    CertificateExpiry(name: name, domains: [], notBefore: end - lifetime, notAfter: end)
  }

  @Test func `from 14 days on a certificate is warned of once a day`() {
    var warnings = ExpiryWarnings()
    var days: [Int64] = []
    for hour in Int64(0)..<24 * 16 {
      let now = Self.end - 16 * Self.day + hour * 3_600
      let lines = warnings.lines([(certificate(), nil)], at: now)
      if !lines.isEmpty { days.append((Self.end - now) / Self.day) }
    }
    #expect(days == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
  }

  @Test func `the end itself is told at once, and a successor ends the warnings`() {
    var warnings = ExpiryWarnings()
    let one = [(certificate(), nil as String?)]
    #expect(
      warnings.lines(one, at: Self.end - 60) == [
        "certificate \"shop\" expires in 1 minute, on 1970-04-11T00:00:00Z"
      ])
    #expect(warnings.lines(one, at: Self.end).isEmpty)
    #expect(
      warnings.lines(one, at: Self.end + 61) == [
        "certificate \"shop\" expired 1 minute ago, on 1970-04-11T00:00:00Z"
      ])
    #expect(
      warnings.lines([(certificate(end: Self.end + 90 * Self.day), nil)], at: Self.end + 62).isEmpty
    )
  }

  @Test func `one that lives for days only is warned of when its renewal is overdue`() {
    let short = certificate(lifetime: 6 * Self.day)
    #expect(!short.isNear(at: Self.end - 2 * Self.day))
    #expect(short.isNear(at: Self.end - Self.day))
    #expect(certificate().isNear(at: Self.end - 14 * Self.day))
    #expect(!certificate().isNear(at: Self.end - 14 * Self.day - 1))
  }

  @Test func `each certificate stands for itself, with what is known of its trouble`() {
    var warnings = ExpiryWarnings()
    var stored = StoredCertificate(
      name: "b", created: 0, modified: 0, source: .imported, domains: ["b.example"])
    #expect(stored.standstill == "import its successor with atoll cert import b")
    stored.source = .acme
    #expect(stored.standstill == nil)
    stored.renewal.lastError = "the CA is down"
    let lines = warnings.lines(
      [(certificate("a"), nil), (certificate("b"), stored.standstill)], at: Self.end - 3 * Self.day)
    #expect(
      lines == [
        "certificate \"a\" expires in 3 days, on 1970-04-11T00:00:00Z",
        "certificate \"b\" expires in 3 days, on 1970-04-11T00:00:00Z: its renewal failed: the CA is down",
      ])
    #expect(
      warnings.lines([(certificate("c"), nil)], at: Self.end - 3 * Self.day).count == 1)
  }

  @Test(arguments: [
    (90 * day, "in 90 days"), (2 * day, "in 2 days"), (2 * day - 1, "in 47 hours"),
    (7_200, "in 2 hours"), (7_199, "in 119 minutes"), (60, "in 1 minute"), (0, "in 0 minutes"),
    (-60, "1 minute ago"), (-3 * day, "3 days ago"),
  ])
  func `the distance in words`(seconds: Int64, text: String) {
    #expect(certificate().distance(at: Self.end - seconds) == text)
  }
}
