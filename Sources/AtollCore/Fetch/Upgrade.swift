// SPDX-License-Identifier: Apache-2.0

/// Switching protocols (RFC 9110 §7.8): which upgrades are passed on, and whether an origin's 101
/// answers one of them.
///
/// Other versions of HTTP and TLS are not: beyond the switch the edge sees bytes alone, so requests
/// in them would get past every rule of the distribution.
struct UpgradeProtocols {
  private var line: Int?
  private let fields: FieldTable
  private let base: UnsafePointer<UInt8>
  private var members = ListMembers(UnsafeBufferPointer(start: nil, count: 0))

  init(_ fields: FieldTable, _ base: UnsafePointer<UInt8>) {
    self.fields = fields
    self.base = base
    line = fields.firstIndex(of: .upgrade)
    if let line { members = ListMembers(fields.value(at: line, in: base)) }
  }

  /// The next protocol that may be switched to.
  mutating func next() -> UnsafeBufferPointer<UInt8>? {
    while let index = line {
      while let member = members.next() {
        if Self.isPassed(member) { return member }
      }
      line = fields.nextIndex(of: .upgrade, after: index)
      if let line { members = ListMembers(fields.value(at: line, in: base)) }
    }
    return nil
  }

  private static func isPassed(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    !equalsIgnoringCase(name, "h2c") && !equalsIgnoringCase(name, "h2")
      && !equalsIgnoringCase(name, "http") && !beginsIgnoringCase(name, "http/")
      && !equalsIgnoringCase(name, "tls") && !beginsIgnoringCase(name, "tls/")
  }
}

extension RequestHead {
  /// Whether the request asks for a protocol that the edge passes on.
  package func asksPassedUpgrade(_ base: UnsafePointer<UInt8>) -> Bool {
    guard asksUpgrade else { return false }
    var protocols = UpgradeProtocols(fields, base)
    return protocols.next() != nil
  }

  /// Appends Connection and Upgrade of the request to the origin; false, with nothing appended, when
  /// no protocol is left to ask for.
  func appendUpgrade(_ base: UnsafePointer<UInt8>, to buffer: ByteBuffer) -> Bool {
    guard asksUpgrade else { return false }
    var protocols = UpgradeProtocols(fields, base)
    var separator: StaticString = "Connection: upgrade\r\nUpgrade: "
    while let name = protocols.next() {
      buffer.append(separator)
      buffer.append(name)
      separator = ", "
    }
    if separator.utf8CodeUnitCount != 2 { return false }
    buffer.append("\r\n")
    return true
  }
}

extension ResponseHead {
  /// Whether this 101 switches to a protocol that the request asked for: it names one at least, only
  /// such, and says so in HTTP/1.1 (RFC 9110 §7.8, §15.2.2).
  package func acceptsUpgrade(
    _ base: UnsafePointer<UInt8>, of request: RequestHead, _ requestBase: UnsafePointer<UInt8>
  ) -> Bool {
    guard status == 101, minorVersion >= 1, fields.contains(.upgrade),
      fields.contains(.connection), fields.connectionOptions(base).upgrades,
      request.asksUpgrade
    else { return false }
    var count = 0
    var line = fields.firstIndex(of: .upgrade)
    while let index = line {
      var members = ListMembers(fields.value(at: index, in: base))
      while let member = members.next() {
        count += 1
        var asked = UpgradeProtocols(request.fields, requestBase)
        var isAsked = false
        while let name = asked.next() {
          if sameName(name, member) { isAsked = true }
        }
        if !isAsked { return false }
      }
      line = fields.nextIndex(of: .upgrade, after: index)
    }
    return count > 0
  }
}
