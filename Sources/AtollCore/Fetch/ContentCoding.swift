// SPDX-License-Identifier: Apache-2.0

/// The form in which the edge sends a body (RFC 9110 §8.4.1). Raw values are those of the entries'
/// `KeyKind`.
package enum ContentCoding: UInt8, Sendable, CaseIterable {
  case identity = 0
  case gzip = 2
  case brotli = 3

  /// Those that the edge makes.
  package static let compressed: [ContentCoding] = [.brotli, .gzip]

  /// As Content-Encoding names it.
  package var name: StaticString {
    switch self {
    case .identity: "identity"
    case .gzip: "gzip"
    case .brotli: "br"
    }
  }

  package var set: CodingSet {
    switch self {
    case .identity: []
    case .gzip: .gzip
    case .brotli: .brotli
    }
  }
}

// MARK: Negotiation

extension ContentCoding {
  /// The coding that a viewer likes best of those that the edge offers (RFC 9110 §12.5.3): the
  /// highest weight, Brotli on a tie. Identity is always available, and wins where the viewer gives
  /// it more weight; who sends no Accept-Encoding gets it, as does HTTP/1.0 (CloudFront §8).
  package init(_ head: RequestHead, _ base: UnsafePointer<UInt8>, offered: CodingSet) {
    self = .identity
    guard head.minorVersion > 0, let first = head.fields.firstIndex(of: .acceptEncoding),
      !head.withholds(head.fields.name(at: first, in: base), base)
    else { return }
    if head.fields.repeated & KnownField.acceptEncoding.bit == 0,
      let usual = Self.usual(head.fields.value(at: first, in: base))
    {
      self = Self.best(usual, offered)
      return
    }
    var weights = Weights()
    var line: Int? = first
    while let index = line {
      weights.add(line: head.fields.value(at: index, in: base))
      line = head.fields.nextIndex(of: .acceptEncoding, after: index)
    }
    self = weights.best(offered)
  }

  /// What browsers send, told by length and one comparison; nil for anything else.
  private static func usual(_ value: UnsafeBufferPointer<UInt8>) -> CodingSet? {
    switch value.count {
    case 23: equalsIgnoringCase(value, "gzip, deflate, br, zstd") ? [.gzip, .brotli] : nil
    case 17: equalsIgnoringCase(value, "gzip, deflate, br") ? [.gzip, .brotli] : nil
    case 13: equalsIgnoringCase(value, "gzip, deflate") ? .gzip : nil
    case 4: equalsIgnoringCase(value, "gzip") ? .gzip : nil
    default: nil
    }
  }

  private static func best(_ accepted: CodingSet, _ offered: CodingSet) -> ContentCoding {
    let both = accepted.intersection(offered)
    return both.contains(.brotli) ? .brotli : both.contains(.gzip) ? .gzip : .identity
  }

  /// Weights in thousandths, -1 for what is not listed.
  private struct Weights {
    private var gzip = -1
    private var brotli = -1
    private var identity = -1
    private var others = -1

    mutating func add(line: UnsafeBufferPointer<UInt8>) {
      var members = ListMembers(line)
      while let member = members.next() {
        let end = member.firstIndex { $0 == 0x3b || $0 == 0x20 || $0 == 0x09 } ?? member.count
        let coding = UnsafeBufferPointer(rebasing: member[..<end])
        // What has no valid weight says nothing.
        guard let weight = weight(UnsafeBufferPointer(rebasing: member[end...])) else { continue }
        switch coding.count {
        case 1 where coding[0] == 0x2a: Self.merge(weight, into: &others)
        case 2 where equalsIgnoringCase(coding, "br"): Self.merge(weight, into: &brotli)
        case 4 where equalsIgnoringCase(coding, "gzip"): Self.merge(weight, into: &gzip)
        // RFC 9110 §8.4.1.3.
        case 6 where equalsIgnoringCase(coding, "x-gzip"): Self.merge(weight, into: &gzip)
        case 8 where equalsIgnoringCase(coding, "identity"): Self.merge(weight, into: &identity)
        default: break
        }
      }
    }

    /// Of a coding that is listed twice, the larger weight counts, unless one of them forbids it.
    private static func merge(_ weight: Int, into known: inout Int) {
      known = known < 0 ? weight : (known == 0 || weight == 0) ? 0 : max(known, weight)
    }

    func best(_ offered: CodingSet) -> ContentCoding {
      let gzip = offered.contains(.gzip) ? max(self.gzip < 0 ? others : self.gzip, 0) : 0
      let brotli = offered.contains(.brotli) ? max(self.brotli < 0 ? others : self.brotli, 0) : 0
      let most = max(gzip, brotli)
      // Identity is preferred only by its own name: that it is acceptable says nothing.
      if most == 0 || identity > most { return .identity }
      return brotli >= gzip ? .brotli : .gzip
    }
  }
}

/// The weight that parameters give, in thousandths (RFC 9110 §12.4.2): 1000 without any, nil when
/// they are something else than a weight.
private func weight(_ parameters: UnsafeBufferPointer<UInt8>) -> Int? {
  var at = 0
  func skipBlanks() {
    while at < parameters.count, parameters[at] == 0x20 || parameters[at] == 0x09 { at &+= 1 }
  }
  skipBlanks()
  if at == parameters.count { return 1000 }
  if parameters[at] != 0x3b { return nil }
  at &+= 1
  skipBlanks()
  guard at &+ 2 < parameters.count, lowercased(parameters[at]) == 0x71, parameters[at &+ 1] == 0x3d
  else { return nil }
  at &+= 2
  let whole = parameters[at] &- 0x30
  if whole > 1 { return nil }
  at &+= 1
  var weight = Int(whole) &* 1000
  if at < parameters.count, parameters[at] == 0x2e {
    at &+= 1
    var scale = 100
    while at < parameters.count, parameters[at] &- 0x30 <= 9 {
      // Three digits at most.
      if scale == 0 { return nil }
      weight &+= Int(parameters[at] &- 0x30) &* scale
      scale /= 10
      at &+= 1
    }
  }
  return at == parameters.count && weight <= 1000 ? weight : nil
}
