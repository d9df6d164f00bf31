// SPDX-License-Identifier: Apache-2.0

/// An ISO 3166-1 alpha-2 code: two letters of A to Z.
package struct CountryCode: Hashable, Sendable {
  package let first: UInt8
  package let second: UInt8

  package init?(_ text: UnsafeBufferPointer<UInt8>) {
    guard text.count == 2, text[0] &- 0x41 < 26, text[1] &- 0x41 < 26 else { return nil }
    first = text[0]
    second = text[1]
  }

  package init?(_ text: String) {
    var text = text
    guard let code = text.withUTF8({ CountryCode($0) }) else { return nil }
    self = code
  }
}

/// A distribution's geo restriction in the form in which viewers are held against it
/// (CloudFront §26).
package struct CountryRestriction: Sendable {
  private enum Kind { case none, allow, block }

  private let kind: Kind
  private let codes: [CountryCode]

  package init(_ restriction: GeoRestriction) {
    switch restriction {
    case .none: (kind, codes) = (.none, [])
    case .allow(let names): (kind, codes) = (.allow, Self.codes(names))
    case .block(let names): (kind, codes) = (.block, Self.codes(names))
    }
  }

  private static func codes(_ names: [String]) -> [CountryCode] {
    names.compactMap { CountryCode($0.uppercased()) }
  }

  package var isEmpty: Bool { kind == .none }

  /// - Parameter country: nil when it is not known; such viewers are served.
  package func refuses(_ country: CountryCode?) -> Bool {
    guard let country else { return false }
    switch kind {
    case .none: return false
    case .allow: return !codes.contains(country)
    case .block: return codes.contains(country)
    }
  }
}
