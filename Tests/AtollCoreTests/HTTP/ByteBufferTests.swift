// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct ByteBufferTests {
  private func decimal(_ value: UInt64) -> String {
    let buffer = ByteBuffer(capacity: 16)
    buffer.appendDecimal(value)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test func `numbers of any length are written whole`() {
    for value in UInt64(0)...20_000 { #expect(decimal(value) == String(value)) }
    var power: UInt64 = 10
    while true {
      for value in [power - 1, power, power + 1, power / 10 * 7 + 3] {
        #expect(decimal(value) == String(value))
      }
      let (next, overflows) = power.multipliedReportingOverflow(by: 10)
      if overflows { break }
      power = next
    }
    #expect(decimal(.max) == String(UInt64.max))
    // Digits of every kind in every place.
    for value in stride(from: UInt64(1), to: 100_000_000, by: 9_973) {
      #expect(decimal(value) == String(value))
    }
  }
}
