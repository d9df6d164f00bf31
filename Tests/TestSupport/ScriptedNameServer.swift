// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import Synchronization

/// A name server on loopback that knows a few records, over UDP and TCP on one port, and does wrong
/// when told to. Its codec is its own, so that it proves the one under test.
package final class ScriptedNameServer: Sendable {
  package enum Fault: Sendable {
    /// Says nothing.
    case silent
    /// Answers with the code of RFC 6895 §2.3 alone.
    case code(UInt8)
    /// Sends an empty answer that says that it is too long for a datagram.
    case truncated
    /// Sends an answer with another number, then one to another question, then bytes that are
    /// none, each telling of 203.0.113.66; then the true one.
    case forgeries
    /// Answers with the code 1 while the query has an additional record.
    case refusesOptions
    /// Answers that the name leads to an alias, and nothing of that.
    case stopsAtAlias
  }

  private struct State {
    var records: [String: [String]]
    /// For the next queries over UDP, one each.
    var faults: [Fault]
    /// As they came: "udp www.example.com A".
    var queries: [String] = []
    var isAuthoritative = true
  }

  package let port: UInt16
  private let udp: Int32
  private let tcp: Int32
  private let stop: Int32
  private let state: Mutex<State>

  package var address: String { "127.0.0.1:\(port)" }
  package var queries: [String] { state.withLock { $0.queries } }

  /// - Parameter records: by name and type, as in a zone file: `"example.com SOA"`,
  ///   `"www.example.com CNAME"`; MX, CAA and SOA without the parts that no test looks at.
  package init(_ records: [String: [String]], faults: [Fault] = []) {
    state = Mutex(State(records: records, faults: faults))
    stop = eventfd(0, Int32(EFD_CLOEXEC))
    while true {
      let udp = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      var place = sockaddr_in()
      place.sin_family = sa_family_t(AF_INET)
      place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let bound = withUnsafeMutablePointer(to: &place) { place in
        place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
          bind(udp, place, length) == 0 && getsockname(udp, place, &length) == 0
            && bind(tcp, place, length) == 0 && listen(tcp, 8) == 0
        }
      }
      // The port of the one may be taken by another's of the other kind.
      guard bound else {
        close(udp)
        close(tcp)
        continue
      }
      (self.udp, self.tcp) = (udp, tcp)
      port = UInt16(bigEndian: place.sin_port)
      break
    }
    // The thread keeps the server until `close` has told it to end.
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<ScriptedNameServer>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(error == 0, "no thread for a test: \(error)")
    pthread_detach(thread)
  }

  /// Ends it; what it has answered stays answered.
  package func end() { eventfd_write(stop, 1) }

  package func set(_ key: String, _ values: [String]?) {
    state.withLock { $0.records[key] = values }
  }

  private func run() {
    var room = [UInt8](repeating: 0, count: 4_096)
    var events = [udp, tcp, stop].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      _ = poll(&events, 3, -1)
      if events[2].revents != 0 { break }
      if events[0].revents != 0 { answerDatagram(&room) }
      if events[1].revents != 0 { answerConnection() }
    }
    for descriptor in [udp, tcp, stop] { close(descriptor) }
  }

  private func answerDatagram(_ room: inout [UInt8]) {
    var peer = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let count = withUnsafeMutablePointer(to: &peer) { peer in
      peer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        recvfrom(udp, &room, room.count, 0, $0, &length)
      }
    }
    guard count > 12, let query = Query(Array(room[..<count])) else { return }
    func send(_ bytes: [UInt8]) {
      withUnsafePointer(to: &peer) { peer in
        _ = peer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(udp, bytes, bytes.count, 0, $0, length)
        }
      }
    }
    let fault = state.withLock { state -> Fault? in
      state.queries.append("udp \(query.name) \(query.typeName)")
      return state.faults.isEmpty ? nil : state.faults.removeFirst()
    }
    switch fault {
    case .silent?: break
    case .code(let code)?: send(query.answer(flags: 0x8400 | UInt16(code)))
    case .truncated?: send(query.answer(flags: 0x8600))
    case .refusesOptions? where query.hasOptions: send(query.answer(flags: 0x8401))
    case .stopsAtAlias?: send(answer(query, follows: false))
    case .forgeries?:
      let forged = [Record(name: query.name, type: 1, data: [203, 0, 113, 66])]
      var other = query
      other.id &+= 1
      send(other.answer(flags: 0x8400, answers: forged))
      other = query
      other.name = "other.example"
      send(other.answer(flags: 0x8400, answers: forged))
      send(Array(query.answer(flags: 0x8400, answers: forged).dropLast(3)))
      send(answer(query))
    default: send(answer(query))
    }
  }

  private func answerConnection() {
    let descriptor = accept(tcp, nil, nil)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    func fill(_ count: Int) -> [UInt8]? {
      var bytes = [UInt8](repeating: 0, count: count)
      let got = recv(descriptor, &bytes, count, Int32(MSG_WAITALL))
      return got == count ? bytes : nil
    }
    guard let prefix = fill(2), let bytes = fill(Int(prefix[0]) << 8 | Int(prefix[1])),
      let query = Query(bytes)
    else { return }
    state.withLock { $0.queries.append("tcp \(query.name) \(query.typeName)") }
    let reply = answer(query)
    let whole = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
    _ = send(descriptor, whole, whole.count, Int32(MSG_NOSIGNAL))
  }

  // MARK: What it knows

  private func answer(_ query: Query, follows: Bool = true) -> [UInt8] {
    let records = state.withLock { $0.records }
    var name = query.name
    var answers: [Record] = []
    while follows || answers.isEmpty, query.typeName != "CNAME",
      let target = records["\(name) CNAME"]?.first
    {
      answers.append(Record(name: name, typeName: "CNAME", text: target))
      name = target
      if answers.count > 40 { break }
    }
    if !follows { return query.answer(flags: 0x8400, answers: answers) }
    let found = (records["\(name) \(query.typeName)"] ?? []).map {
      Record(name: name, typeName: query.typeName, text: $0)
    }
    if !found.isEmpty { return query.answer(flags: 0x8400, answers: answers + found) }
    // Nothing: the zone says so.
    var authority: [Record] = []
    var zone = Substring(name)
    while true {
      if let text = records["\(zone) SOA"]?.first {
        authority = [Record(name: String(zone), typeName: "SOA", text: text)]
        break
      }
      guard let dot = zone.firstIndex(of: ".") else { break }
      zone = zone[zone.index(after: dot)...]
    }
    let exists = records.keys.contains {
      $0.hasPrefix("\(name) ") || $0.split(separator: " ")[0].hasSuffix(".\(name)")
    }
    if authority.isEmpty && answers.isEmpty { return query.answer(flags: 0x8005) }
    return query.answer(
      flags: exists ? 0x8400 : 0x8403, answers: answers, authorities: authority)
  }
}

private let typeNumbers: [String: UInt16] = [
  "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "CAA": 257,
]

private struct Query {
  var id: UInt16
  var name: String
  var type: UInt16
  var hasOptions: Bool

  var typeName: String { typeNumbers.first { $0.value == type }?.key ?? "\(type)" }

  init?(_ bytes: [UInt8]) {
    guard bytes.count > 16, bytes[2] & 0x80 == 0, bytes[4] == 0, bytes[5] == 1 else { return nil }
    id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    var labels: [String] = []
    var at = 12
    while at < bytes.count, bytes[at] != 0 {
      let length = Int(bytes[at])
      guard length < 64, at + length + 5 <= bytes.count else { return nil }
      labels.append(String(decoding: bytes[at + 1...at + length], as: UTF8.self))
      at += length + 1
    }
    guard at + 5 <= bytes.count else { return nil }
    name = labels.joined(separator: ".")
    type = UInt16(bytes[at + 1]) << 8 | UInt16(bytes[at + 2])
    hasOptions = bytes[11] != 0
  }

  func answer(flags: UInt16, answers: [Record] = [], authorities: [Record] = []) -> [UInt8] {
    var bytes = short(id) + short(flags)
    for count in [1, answers.count, authorities.count, 0] { bytes += short(UInt16(count)) }
    bytes += wire(name) + short(type) + short(1)
    for record in answers + authorities {
      // The question's name is written once: every answer has a pointer in it.
      bytes += record.name == name && !name.isEmpty ? [0xc0, 12] : wire(record.name)
      bytes += short(record.type) + short(1) + [0, 0, 0, 60]
      bytes += short(UInt16(record.data.count)) + record.data
    }
    return bytes
  }
}

private struct Record {
  var name: String
  var type: UInt16
  var data: [UInt8]

  init(name: String, type: UInt16, data: [UInt8]) {
    self.name = name
    self.type = type
    self.data = data
  }

  init(name: String, typeName: String, text: String) {
    let words = text.split(separator: " ").map { String($0) }
    var data: [UInt8] = []
    switch typeName {
    case "A", "AAAA":
      data = [UInt8](repeating: 0, count: typeName == "A" ? 4 : 16)
      inet_pton(typeName == "A" ? AF_INET : AF_INET6, text, &data)
    case "NS", "CNAME": data = wire(text)
    case "SOA":
      data = wire(words[0]) + wire("hostmaster.\(name)")
      for number: UInt8 in [7, 1, 1, 1, 60] { data += [0, 0, 0, number] }
    case "MX": data = short(UInt16(words[0])!) + wire(words[1])
    case "TXT":
      // A string holds 255 bytes.
      var rest = Array(text.utf8)[...]
      repeat {
        data += [UInt8(min(rest.count, 255))] + rest.prefix(255)
        rest = rest.dropFirst(255)
      } while !rest.isEmpty
    case "CAA":
      data = [UInt8(words[0])!, UInt8(words[1].utf8.count)] + words[1].utf8 + words[2].utf8
    default: preconditionFailure("no such type: \(typeName)")
    }
    self.init(name: name, type: typeNumbers[typeName]!, data: data)
  }
}

private func short(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }

private func wire(_ name: String) -> [UInt8] {
  name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
}
