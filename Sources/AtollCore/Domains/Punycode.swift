// SPDX-License-Identifier: Apache-2.0

/// Labels of domain names that are written in other letters than ASCII's (RFC 5891, RFC 3492).
package enum Punycode {
  /// `xn--bcher-kva` of `bücher`. nil where that takes Unicode's normalization tables: letters put
  /// together of several characters, and characters that no label may have.
  package static func label(_ label: some StringProtocol) -> String? {
    // In ASCII it only grows, and 63 characters are the most that a label may have.
    if label.unicodeScalars.count > 63 { return nil }
    var scalars: [Unicode.Scalar] = []
    for scalar in label.unicodeScalars {
      // One that stands for several letters, such as the dotted capital I, is not told for certain.
      let lower = scalar.properties.lowercaseMapping.unicodeScalars
      guard lower.count == 1, let only = lower.first else { return nil }
      scalars.append(only)
    }
    // Letters and digits only: marks may want composing, and all else no label has.
    let isPlain = scalars.allSatisfy { scalar in
      if scalar.isASCII { return scalar == "-" || isAlphanumeric(UInt8(scalar.value)) }
      switch scalar.properties.generalCategory {
      case .lowercaseLetter, .otherLetter, .modifierLetter, .decimalNumber: break
      default: return false
      }
      return !isCompatibilityForm(scalar)
    }
    guard isPlain, let encoded = encode(scalars) else { return nil }
    return "xn--" + encoded
  }

  /// Forms that normalization would replace by other letters: full and half width, presentation
  /// forms, letters of a mathematical kind, compatibility ideographs, conjoining Hangul.
  private static func isCompatibilityForm(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0132...0x0133, 0x013f...0x0140, 0x0149, 0x017f, 0x01c4...0x01cc, 0x01f1...0x01f3,
      0x02b0...0x02b8, 0x02e0...0x02e4, 0x1100...0x11ff, 0x1d2c...0x1d6a, 0x1d9b...0x1dbf,
      0x2070...0x209c, 0x2100...0x214f, 0x3131...0x318e, 0xa960...0xa97c, 0xd7b0...0xd7fb,
      0xf900...0xfb06, 0xfb13...0xfdff, 0xfe70...0xffef, 0x1d400...0x1d7ff, 0x2f800...0x2fa1f:
      true
    default: false
    }
  }

  /// RFC 3492 §6.3, with the parameters of §5.
  private static func encode(_ scalars: [Unicode.Scalar]) -> String? {
    var output = scalars.filter(\.isASCII).map { UInt8($0.value) }
    let basic = UInt32(output.count)
    if basic > 0 { output.append(UInt8(ascii: "-")) }
    var handled = basic
    var next: UInt32 = 128
    var delta: UInt32 = 0
    var bias: UInt32 = 72
    while handled < scalars.count {
      let smallest = scalars.lazy.map(\.value).filter { $0 >= next }.min()!
      let (step, overflow) = (smallest - next).multipliedReportingOverflow(by: handled + 1)
      if overflow { return nil }
      delta &+= step
      next = smallest
      for scalar in scalars {
        if scalar.value < next { delta &+= 1 }
        guard scalar.value == next else { continue }
        var rest = delta
        var at: UInt32 = 36
        while true {
          let threshold = at <= bias ? 1 : min(at - bias, 26)
          if rest < threshold { break }
          output.append(digit(threshold + (rest - threshold) % (36 - threshold)))
          rest = (rest - threshold) / (36 - threshold)
          at += 36
        }
        output.append(digit(rest))
        bias = adapted(delta, handled + 1, isFirst: handled == basic)
        delta = 0
        handled += 1
      }
      delta &+= 1
      next += 1
    }
    return String(decoding: output, as: UTF8.self)
  }

  private static func adapted(_ delta: UInt32, _ count: UInt32, isFirst: Bool) -> UInt32 {
    var delta = isFirst ? delta / 700 : delta / 2
    delta += delta / count
    var bias: UInt32 = 0
    while delta > 455 {
      delta /= 35
      bias += 36
    }
    return bias + 36 * delta / (delta + 38)
  }

  private static func digit(_ value: UInt32) -> UInt8 {
    UInt8(value < 26 ? value + 97 : value + 22)
  }
}
