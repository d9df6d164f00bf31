// SPDX-License-Identifier: Apache-2.0

extension Distribution {
  /// An id nobody else has: "d" and 13 characters, 67 random bits.
  package static func makeID() -> String {
    var generator = SystemRandomNumberGenerator()
    return makeID(using: &generator)
  }

  package static func makeID(using generator: inout some RandomNumberGenerator) -> String {
    let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    var id: [UInt8] = [UInt8(ascii: "d")]
    for _ in 0..<13 { id.append(characters.randomElement(using: &generator)!) }
    return String(decoding: id, as: UTF8.self)
  }
}

extension TTL {
  package static let day = 86_400
  package static let year = 31_536_000
  /// RFC 9111 §1.2.2: what a cache takes for a larger number, and what fits the stored form.
  package static let longest = 2_147_483_647
}

extension Plan {
  /// Bytes of transfer a month, nil for no bound.
  package var monthlyTransfer: Int? {
    switch self {
    case .unlimited: nil
    case .small: 50_000_000_000
    case .medium: 200_000_000_000
    case .large: 500_000_000_000
    }
  }
}
