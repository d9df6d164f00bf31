// SPDX-License-Identifier: Apache-2.0

/// Why there is no answer from DNS.
package enum DNSError: Error, Equatable, Sendable {
  /// None of the servers answered in time.
  case noAnswer([DNSServer])
  /// The server could not tell (SERVFAIL), does not want to (REFUSED), or said something else that
  /// is neither a yes nor a no: the code of RFC 6895 §2.3.
  case failure(DNSServer, code: UInt8)
  /// It answered with what is no DNS message, or none to this question.
  case malformed(DNSServer)
  /// Nothing listens there, or there is no way to it.
  case unreachable(DNSServer, reason: Int32)
  /// Its aliases lead round in a circle, or on and on.
  case aliases(DNSName)
  /// No zone of it was found: not even the root has answered.
  case noZone(DNSName)

  package static let refused: UInt8 = 5
}

extension DNSError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noAnswer(let servers):
      let names = servers.map(\.description).joined(separator: ", ")
      return servers.count == 1
        ? "the name server \(names) did not answer in time"
        : "no name server (\(names)) answered in time"
    case .failure(let server, let code):
      let name = Self.codes[code] ?? "code \(code)"
      return "the name server \(server) answered \(name)"
    case .malformed(let server): return "the name server \(server) gave an answer that is none"
    case .unreachable(let server, let reason):
      return "the name server \(server) can't be reached: \(errorText(reason))"
    case .aliases(let name): return "the aliases of \"\(name)\" never end"
    case .noZone(let name): return "no zone of \"\(name)\" was found"
    }
  }

  private static let codes: [UInt8: String] = [
    1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH",
  ]
}

/// What DNS says of one name and type.
package struct DNSReply: Equatable, Sendable {
  package enum Outcome: Equatable, Sendable {
    /// Of the type that was asked for, of the last name of the chain.
    case records([DNSRecord])
    /// The name exists, without records of that type.
    case noData
    /// There is no such name (NXDOMAIN).
    case noName
    /// A server that answers for its own zones alone knows no more than the alias that leads out of
    /// them: `canonicalName`.
    case elsewhere
  }

  package var outcome: Outcome
  /// The name that was asked for, then the names that its aliases (CNAME) lead to.
  package var chain: [DNSName]
  package var server: DNSServer
  package var isAuthoritative: Bool
  /// The zone that says that there is nothing (RFC 2308 §3), where it was told.
  package var zone: DNSName?

  package var canonicalName: DNSName { chain.last! }

  package var records: [DNSRecord] {
    if case .records(let records) = outcome { return records }
    return []
  }

  package var addresses: [IPAddress] { records.compactMap(\.data.address) }

  /// Of TXT records.
  package var texts: [String] {
    records.compactMap {
      if case .txt(let bytes) = $0.data { String(decoding: bytes, as: UTF8.self) } else { nil }
    }
  }
}

/// A part of the name space that the same servers answer for.
package struct DNSZone: Equatable, Sendable {
  package struct Server: Equatable, Sendable {
    package var name: DNSName
    package var addresses: [IPAddress]
  }

  package var apex: DNSName
  /// The server that changes are made at (RFC 1035 §3.3.13).
  package var primary: DNSName
  package var servers: [Server]
}

/// Asks name servers: the system's, or chosen ones. Blocks the thread that calls it.
package struct DNSClient: Sendable {
  /// Asked in this order until one gives an answer.
  package var servers: [DNSServer]
  /// Seconds that a server has for its first answer; every further round doubles them.
  package var timeout: Double
  /// Rounds over all servers.
  package var attempts: Int
  /// Whether the servers find out what they do not know themselves.
  package var wantsRecursion: Bool
  /// Where the servers of zones listen; anything but 53 in tests only.
  package var zonePort: UInt16

  package init(
    servers: [DNSServer], timeout: Double = 2, attempts: Int = 3, wantsRecursion: Bool = true,
    zonePort: UInt16 = DNSServer.port
  ) {
    precondition(!servers.isEmpty && attempts > 0, "nobody to ask")
    self.servers = servers
    self.timeout = timeout
    self.attempts = attempts
    self.wantsRecursion = wantsRecursion
    self.zonePort = zonePort
  }

  /// Asks the servers of this machine's resolv.conf.
  package static var system: DNSClient {
    let configuration = ResolverConfiguration.system
    return DNSClient(
      servers: configuration.servers, timeout: Double(min(configuration.timeout, 3)),
      attempts: configuration.attempts)
  }

  /// The same, with these servers, which answer for their own zones alone.
  package func asking(_ servers: [DNSServer]) -> DNSClient {
    DNSClient(
      servers: servers, timeout: timeout, attempts: attempts, wantsRecursion: false,
      zonePort: zonePort)
  }

  // MARK: Questions

  /// Follows aliases to the records of the type, of which CNAME follows none.
  package func query(_ name: DNSName, _ type: DNSRecordType) throws(DNSError) -> DNSReply {
    var chain = [name]
    while true {
      let (message, server) = try ask(chain.last!, type)
      var reply = DNSReply(
        outcome: .noData, chain: chain, server: server, isAuthoritative: message.isAuthoritative)
      let known = chain.count
      if type != .cname {
        while let target = message.alias(of: chain.last!) {
          if chain.contains(target) || chain.count > Limits.aliases { throw .aliases(name) }
          chain.append(target)
        }
        reply.chain = chain
      }
      let found = message.answers.filter {
        $0.name == chain.last! && $0.data.type == type.rawValue
      }
      for record in message.authorities {
        if case .soa = record.data { reply.zone = record.name }
      }
      if !found.isEmpty {
        reply.outcome = .records(found)
        return reply
      }
      if message.responseCode == Self.nameError {
        reply.outcome = .noName
        return reply
      }
      // The negative answer is of the chain's end if the server has looked there (RFC 2308 §2.1);
      // else the end has to be asked for.
      if chain.count == known || reply.zone?.contains(chain.last!) == true { return reply }
      if !wantsRecursion {
        reply.outcome = .elsewhere
        return reply
      }
    }
  }

  /// A and AAAA together; the outcome is that of A where neither has records.
  package func addresses(of name: DNSName) throws(DNSError) -> DNSReply {
    var four = try query(name, .a)
    if four.outcome == .noName { return four }
    let six = try query(name, .aaaa)
    let records = four.records + six.records
    if !records.isEmpty {
      four.outcome = .records(records)
      if six.chain.count > four.chain.count { four.chain = six.chain }
    }
    return four
  }

  /// The zone that holds the name (which need not exist), with its servers.
  package func zone(of name: DNSName) throws(DNSError) -> DNSZone {
    var candidate: DNSName? = name
    while let asked = candidate {
      let (message, _) = try ask(asked, .soa)
      // Its own record, or the one that comes with a denial.
      for record in message.answers + message.authorities {
        guard case .soa(let primary, _, _, _) = record.data, record.name.contains(asked),
          // An alias's answer tells of the target's zone.
          message.alias(of: asked) == nil
        else { continue }
        return DNSZone(
          apex: record.name, primary: primary, servers: try servers(of: record.name))
      }
      candidate = asked.parent
    }
    throw .noZone(name)
  }

  private func servers(of apex: DNSName) throws(DNSError) -> [DNSZone.Server] {
    let reply = try query(apex, .ns)
    var servers: [DNSZone.Server] = []
    for record in reply.records {
      guard case .ns(let name) = record.data else { continue }
      // One that can't be found leaves the others.
      let addresses = (try? self.addresses(of: name).addresses) ?? []
      servers.append(DNSZone.Server(name: name, addresses: addresses))
    }
    return servers
  }

  /// What each server of the name's zone says by itself, past every cache: whether a new record has
  /// arrived everywhere.
  package func authoritative(_ name: DNSName, _ type: DNSRecordType) throws(DNSError)
    -> [(server: DNSServer, result: Result<DNSReply, DNSError>)]
  {
    let zone = try zone(of: name)
    var results: [(server: DNSServer, result: Result<DNSReply, DNSError>)] = []
    for address in zone.servers.flatMap(\.addresses) {
      let server = DNSServer(address: address, port: zonePort)
      if results.contains(where: { $0.server == server }) { continue }
      do throws(DNSError) {
        results.append((server, .success(try asking([server]).query(name, type))))
      } catch {
        results.append((server, .failure(error)))
      }
    }
    return results
  }

  // MARK: One question

  private static let nameError: UInt8 = 3

  /// The first answer that says yes or no.
  private func ask(_ name: DNSName, _ type: DNSRecordType) throws(DNSError)
    -> (DNSMessage, DNSServer)
  {
    var failure: DNSError?
    var silent: [DNSServer] = []
    // A server that refuses does so again.
    var remaining = servers
    for round in 0..<attempts {
      for server in remaining {
        let exchange = DNSExchange(
          server: server, question: DNSMessage.Question(name: name, type: type.rawValue),
          wantsRecursion: wantsRecursion, timeout: timeout * Double(1 << min(round, 4)))
        do throws(DNSError) {
          let message = try exchange.run()
          if message.responseCode == 0 || message.responseCode == Self.nameError {
            return (message, server)
          }
          failure = failure ?? .failure(server, code: message.responseCode)
          if message.responseCode == DNSError.refused { remaining.removeAll { $0 == server } }
        } catch {
          if case .noAnswer = error {
            if !silent.contains(server) { silent.append(server) }
          } else {
            failure = failure ?? error
          }
        }
      }
    }
    throw failure ?? .noAnswer(silent)
  }
}

extension DNSMessage {
  /// Where the answer says that the name leads.
  fileprivate func alias(of name: DNSName) -> DNSName? {
    for record in answers where record.name == name {
      if case .cname(let target) = record.data { return target }
    }
    return nil
  }
}
