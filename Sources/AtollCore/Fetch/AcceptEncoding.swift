// SPDX-License-Identifier: Apache-2.0

/// Accept-Encoding reduced to what makes a difference to the cache, so that the many ways in which
/// viewers write it do not become as many variants.
enum AcceptedCodings: UInt8 {
  /// No such field: the origin gets none.
  case unstated
  /// None of the known codings.
  case identity
  case gzip, brotli
  case both

  init(_ head: RequestHead, _ base: UnsafePointer<UInt8>) {
    guard let first = head.fields.firstIndex(of: .acceptEncoding) else {
      self = .unstated
      return
    }
    let name: StaticString = "accept-encoding"
    if head.withholds(
      UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), base)
    {
      self = .unstated
      return
    }
    var gzip = false
    var brotli = false
    var line: Int? = first
    while let index = line {
      var members = ListMembers(head.fields.value(at: index, in: base))
      while let member = members.next() {
        var end = 0
        while end < member.count, member[end] != 0x3b, member[end] > 0x20 { end &+= 1 }
        let coding = UnsafeBufferPointer(rebasing: member[..<end])
        let isGzip = equalsIgnoringCase(coding, "gzip") || equalsIgnoringCase(coding, "x-gzip")
        let isBrotli = equalsIgnoringCase(coding, "br")
        if (isGzip || isBrotli)
          && !Self.isRefused(UnsafeBufferPointer(rebasing: member[end...]))
        {
          gzip = gzip || isGzip
          brotli = brotli || isBrotli
        }
      }
      line = head.fields.nextIndex(of: .acceptEncoding, after: index)
    }
    self = gzip ? (brotli ? .both : .gzip) : (brotli ? .brotli : .identity)
  }

  /// Whether parameters hold a weight of zero (RFC 9110 §12.4.2).
  private static func isRefused(_ parameters: UnsafeBufferPointer<UInt8>) -> Bool {
    var at = 0
    while at &+ 2 < parameters.count {
      if parameters[at] | 0x20 == 0x71, parameters[at &+ 1] == 0x3d {
        for byte in parameters[(at &+ 2)...] {
          if byte == 0x3b || byte <= 0x20 { break }
          if byte != 0x30 && byte != 0x2e { return false }
        }
        return true
      }
      at &+= 1
    }
    return false
  }

  /// What the origin gets; empty for nothing. Lightsail's presets know only gzip.
  func text(gzipOnly: Bool) -> StaticString {
    switch self {
    case .unstated: ""
    case .identity: gzipOnly ? "" : "identity"
    case .gzip: "gzip"
    case .brotli: gzipOnly ? "" : "br"
    case .both: gzipOnly ? "gzip" : "br, gzip"
    }
  }
}
