// SPDX-License-Identifier: Apache-2.0

/// Why bytes are no DNS message.
package enum DNSFormatError: Error, Equatable, Sendable {
  /// It ends before what it announces.
  case truncated
  /// A compressed name points forward, to itself, or to a byte that starts no label.
  case pointer
  /// A name of more than 255 bytes.
  case name
  /// A record's data is shorter or longer than its type has it.
  case data
  /// Anything but one question.
  case question
}

/// A message of RFC 1035 §4: what the commands ask, and what they are told.
package struct DNSMessage: Equatable, Sendable {
  package struct Question: Equatable, Sendable {
    package var name: DNSName
    /// Of a record, by number: the question of an answer may be one that nobody asked.
    package var type: UInt16

    package init(name: DNSName, type: UInt16) {
      self.name = name
      self.type = type
    }
  }

  package var id: UInt16
  package var isResponse: Bool
  package var operation: UInt8 = 0
  package var isAuthoritative = false
  package var isTruncated = false
  package var wantsRecursion = false
  package var offersRecursion = false
  /// The four bits of the header (RFC 6895 §2.3).
  package var responseCode: UInt8 = 0
  /// Nil where the server has left it out, as some do with an error.
  package var question: Question?
  package var answers: [DNSRecord] = []
  package var authorities: [DNSRecord] = []
  package var additional: [DNSRecord] = []

  package init(id: UInt16, isResponse: Bool, question: Question?) {
    self.id = id
    self.isResponse = isResponse
    self.question = question
  }

  /// Bytes of an answer over UDP that pass every path whole (RFC 9715 §3).
  package static let datagram = 1_232

  // MARK: Writing

  /// The bytes of a query.
  /// - Parameter announcesSize: whether it says how much may come back in one datagram (RFC 6891).
  package func query(announcesSize: Bool) -> [UInt8] {
    guard let question else { preconditionFailure("a query without a question") }
    var bytes: [UInt8] = []
    func add(_ number: UInt16) {
      bytes.append(UInt8(number >> 8))
      bytes.append(UInt8(truncatingIfNeeded: number))
    }
    add(id)
    add(wantsRecursion ? 0x0100 : 0)
    for count: UInt16 in [1, 0, 0, announcesSize ? 1 : 0] { add(count) }
    bytes += Self.bytes(of: question.name)
    add(question.type)
    add(1)
    if announcesSize {
      bytes.append(0)
      for number in [Self.optionType, UInt16(Self.datagram), 0, 0, 0] { add(number) }
    }
    return bytes
  }

  /// On the wire, uncompressed.
  package static func bytes(of name: DNSName) -> [UInt8] {
    var bytes: [UInt8] = []
    for label in name.labels {
      bytes.append(UInt8(label.count))
      bytes += label
    }
    bytes.append(0)
    return bytes
  }

  private static let optionType: UInt16 = 41
  private static let headerLength = 12

  // MARK: Reading

  package init(_ bytes: [UInt8]) throws(DNSFormatError) {
    var reader = Reader(bytes: bytes)
    let id = try reader.short()
    let flags = try reader.short()
    self.init(id: id, isResponse: flags & 0x8000 != 0, question: nil)
    operation = UInt8(flags >> 11 & 15)
    isAuthoritative = flags & 0x0400 != 0
    isTruncated = flags & 0x0200 != 0
    wantsRecursion = flags & 0x0100 != 0
    offersRecursion = flags & 0x0080 != 0
    responseCode = UInt8(flags & 15)
    let questions = try reader.short()
    let counts = [try reader.short(), try reader.short(), try reader.short()]
    if questions > 1 { throw .question }
    if questions == 1 {
      let name = try reader.name()
      question = Question(name: name, type: try reader.short())
      // The class: there is one.
      _ = try reader.short()
    }
    // What has not arrived is asked for again, so nothing behind the cut is looked at.
    if isTruncated { return }
    answers = try reader.records(counts[0])
    authorities = try reader.records(counts[1])
    additional = try reader.records(counts[2])
  }

  private struct Reader {
    let bytes: [UInt8]
    var at = 0

    mutating func byte() throws(DNSFormatError) -> UInt8 {
      guard at < bytes.count else { throw .truncated }
      defer { at += 1 }
      return bytes[at]
    }

    mutating func short() throws(DNSFormatError) -> UInt16 {
      let high = try byte()
      return UInt16(high) << 8 | UInt16(try byte())
    }

    mutating func long() throws(DNSFormatError) -> UInt32 {
      let high = try short()
      return UInt32(high) << 16 | UInt32(try short())
    }

    mutating func take(_ count: Int) throws(DNSFormatError) -> [UInt8] {
      guard bytes.count - at >= count else { throw .truncated }
      defer { at += count }
      return Array(bytes[at..<at + count])
    }

    /// RFC 1035 §4.1.4. Every pointer has to lead before the labels it stands behind, so that no
    /// name can lead back to itself.
    mutating func name() throws(DNSFormatError) -> DNSName {
      var labels: [[UInt8]] = []
      var length = 1
      var place = at
      var start = at
      var end: Int?
      while true {
        guard place < bytes.count else { throw .truncated }
        let first = Int(bytes[place])
        switch first >> 6 {
        case 0:
          if first == 0 {
            at = end ?? place + 1
            guard let name = DNSName(labels: labels) else { throw .name }
            return name
          }
          guard place + first < bytes.count else { throw .truncated }
          length += first + 1
          if length > DNSName.longest { throw .name }
          labels.append(Array(bytes[place + 1...place + first]))
          place += first + 1
        case 3:
          guard place + 1 < bytes.count else { throw .truncated }
          let target = (first & 0x3f) << 8 | Int(bytes[place + 1])
          if target >= start || target < DNSMessage.headerLength { throw .pointer }
          end = end ?? place + 2
          place = target
          start = target
        default: throw .pointer
        }
      }
    }

    mutating func records(_ count: UInt16) throws(DNSFormatError) -> [DNSRecord] {
      var result: [DNSRecord] = []
      for _ in 0..<count {
        let name = try name()
        let type = try short()
        let recordClass = try short()
        let lifetime = try long()
        let length = Int(try short())
        guard bytes.count - at >= length else { throw .truncated }
        let end = at + length
        // Another class, and the pseudo-record of RFC 6891, hold nothing that is asked for.
        guard recordClass == 1, type != DNSMessage.optionType else {
          at = end
          continue
        }
        let data = try data(type, end: end)
        if at != end { throw .data }
        // RFC 2181 §8: a time with its first bit set counts as none.
        result.append(
          DNSRecord(name: name, lifetime: lifetime >> 31 == 0 ? lifetime : 0, data: data))
      }
      return result
    }

    private mutating func data(_ type: UInt16, end: Int) throws(DNSFormatError) -> DNSData {
      switch DNSRecordType(rawValue: type) {
      case .a?:
        if end - at != 4 { throw .data }
        return .a(IPAddress(ipv4: try long()))
      case .aaaa?:
        if end - at != 16 { throw .data }
        let high = UInt64(try long()) << 32 | UInt64(try long())
        return .aaaa(IPAddress(high: high, low: UInt64(try long()) << 32 | UInt64(try long())))
      case .ns?: return .ns(try name())
      case .cname?: return .cname(try name())
      case .soa?:
        let primary = try name()
        let mailbox = try name()
        let serial = try long()
        for _ in 0..<3 { _ = try long() }
        return .soa(primary: primary, mailbox: mailbox, serial: serial, minimum: try long())
      case .mx?:
        let preference = try short()
        return .mx(preference: preference, try name())
      case .txt?:
        var text: [UInt8] = []
        while at < end {
          let length = Int(try byte())
          if end - at < length { throw .data }
          text += try take(length)
        }
        return .txt(text)
      case .caa?:
        if end - at < 2 { throw .data }
        let flags = try byte()
        let length = Int(try byte())
        if end - at < length { throw .data }
        let tag = String(decoding: try take(length), as: UTF8.self).lowercased()
        return .caa(isCritical: flags & 0x80 != 0, tag: tag, value: try take(end - at))
      case nil: return .other(type: type, try take(end - at))
      }
    }
  }
}
