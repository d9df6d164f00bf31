// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// What a running edge says about itself.
package struct EdgeRecord: Equatable, Sendable {
  package var id: String
  package var pid: Int32
  /// Seconds since 1970.
  package var started: Int64
  package var addresses: [String]
  /// Those where viewers speak TLS.
  package var secureAddresses: [String]
  package var adminSocket: String
  /// The store's revision whose configuration every loop uses.
  package var revision: UInt64
  /// The last purge in force.
  package var purge: UInt64
  /// The latest purges and what they met, oldest first.
  package var purges: [AppliedPurge]
  /// What keeps the edge from what the store says, for people.
  package var problems: [String]
  /// The distributions that it does not serve as the store has them; `problems` says why.
  package var refused: [RefusedDocument]
  /// The distribution of an edge that was started with an origin's URL and serves no other.
  package var unsaved: String?
  /// Tokens of the challenges that it answers now.
  package var challenges: [String]
  /// The certificates that it does not show as the store has them.
  package var refusedCertificates: [RefusedDocument]

  /// Kept of `purges`: what one command may purge and still be told the count of.
  package static let purgesKept = 4_096

  package init(
    id: String, pid: Int32, started: Int64, addresses: [String] = [],
    secureAddresses: [String] = [], adminSocket: String = "",
    revision: UInt64 = 0, purge: UInt64 = 0, purges: [AppliedPurge] = [], problems: [String] = [],
    refused: [RefusedDocument] = [], unsaved: String? = nil, challenges: [String] = [],
    refusedCertificates: [RefusedDocument] = []
  ) {
    self.id = id
    self.pid = pid
    self.started = started
    self.addresses = addresses
    self.secureAddresses = secureAddresses
    self.adminSocket = adminSocket
    self.revision = revision
    self.purge = purge
    self.purges = purges
    self.problems = problems
    self.refused = refused
    self.unsaved = unsaved
    self.challenges = challenges
    self.refusedCertificates = refusedCertificates
  }

  /// Notes a purge as in force.
  package mutating func apply(_ applied: AppliedPurge) {
    purge = max(purge, applied.number)
    purges.append(applied)
    if purges.count > Self.purgesKept { purges.removeFirst(purges.count - Self.purgesKept) }
  }
}

/// One purge as an edge carried it out.
package struct AppliedPurge: Equatable, Sendable {
  package var number: UInt64
  /// Entries removed or marked stale.
  package var count: Int
  /// Seconds since 1970.
  package var at: Int64

  package init(number: UInt64, count: Int, at: Int64) {
    self.number = number
    self.count = count
    self.at = at
  }
}

/// What an edge cannot take over in its present form: a distribution, or a certificate.
package struct RefusedDocument: Equatable, Sendable {
  package var name: String
  /// The revision that it goes on using; nil: none.
  package var kept: UInt64?

  package init(name: String, kept: UInt64? = nil) {
    self.name = name
    self.kept = kept
  }

  /// What the edge does instead: "keeps revision 7 of it", or `otherwise`.
  package func text(otherwise: String) -> String {
    kept.map { "keeps revision \($0) of it" } ?? otherwise
  }
}

/// How one edge stands to what is waited for.
package struct EdgeConfirmation: Equatable, Sendable {
  package var edge: EdgeRecord
  package var isConfirmed: Bool

  package init(edge: EdgeRecord, isConfirmed: Bool) {
    self.edge = edge
    self.isConfirmed = isConfirmed
  }

  /// What a purge met on this edge, if the edge still remembers it.
  package func applied(purge number: UInt64) -> AppliedPurge? {
    edge.purges.last { $0.number == number }
  }
}

/// The edges that run on a store.
package struct EdgeRegistry: Sendable {
  package static let prefix = "edges/"

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// Makes an edge known to the commands, for as long as the process lives.
  package func register(_ record: EdgeRecord) throws(StoreError) -> EdgeRegistration {
    EdgeRegistration(try store.hold(Self.prefix + record.id, Self.encode(record)))
  }

  /// The live ones, by id.
  package func edges() throws(StoreError) -> [EdgeRecord] {
    try store.list(Self.prefix).values.compactMap { value in
      let id = String(value.key.dropFirst(Self.prefix.utf8.count))
      return (try? JSONReader.read(value.value)).flatMap { Self.decode($0, id: id) }
    }
  }

  /// Waits until every live edge uses the configuration of this revision or a later one. Edges that
  /// end meanwhile are not waited for.
  package func waitUntilApplied(revision: UInt64, timeout: Duration) throws(StoreError)
    -> [EdgeConfirmation]
  {
    try wait(timeout) { $0.revision >= revision }
  }

  /// Waits until this purge is in force on every live edge.
  package func waitUntilPurged(number: UInt64, timeout: Duration) throws(StoreError)
    -> [EdgeConfirmation]
  {
    try wait(timeout) { $0.purge >= number }
  }

  /// Waits until every live edge answers these challenges.
  package func waitUntilAnswered(tokens: [String], timeout: Duration) throws(StoreError)
    -> [EdgeConfirmation]
  {
    try wait(timeout) { edge in tokens.allSatisfy(edge.challenges.contains) }
  }

  private func wait(_ timeout: Duration, _ isDone: (EdgeRecord) -> Bool) throws(StoreError)
    -> [EdgeConfirmation]
  {
    func look() throws(StoreError) -> [EdgeConfirmation] {
      try edges().map { EdgeConfirmation(edge: $0, isConfirmed: isDone($0)) }
    }
    var result = try look()
    if result.allSatisfy(\.isConfirmed) { return result }
    let deadline = ContinuousClock.now + timeout
    let bell = Bell()
    let watch = try store.watch(Self.prefix) { _ in bell.ring() }
    defer { watch.cancel() }
    while true {
      // Looked at after the watch has begun, so that no change falls between.
      result = try look()
      if result.allSatisfy(\.isConfirmed) { return result }
      let left = deadline - ContinuousClock.now
      if left <= .zero { return result }
      bell.wait(min(left, .milliseconds(250)))
    }
  }

  // MARK: Values

  static func encode(_ record: EdgeRecord) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("schemaVersion", 1)
      writer.member("id", record.id)
      writer.member("pid", record.pid)
      writer.member("started", RFC3339.format(seconds: record.started))
      writer.member("addresses", record.addresses)
      writer.member("secureAddresses", record.secureAddresses)
      writer.member("adminSocket", record.adminSocket)
      writer.member("appliedRevision", record.revision)
      writer.member("appliedPurge", record.purge)
      writer.member("purges") { writer in
        writer.array { writer in
          for purge in record.purges {
            writer.element { writer in
              writer.object { writer in
                writer.member("number", purge.number)
                writer.member("count", purge.count)
                writer.member("at", RFC3339.format(seconds: purge.at))
              }
            }
          }
        }
      }
      writer.member("problems", record.problems)
      write("refused", record.refused, &writer)
      if !record.refusedCertificates.isEmpty {
        write("refusedCertificates", record.refusedCertificates, &writer)
      }
      if let unsaved = record.unsaved { writer.member("unsaved", unsaved) }
      if !record.challenges.isEmpty { writer.member("challenges", record.challenges) }
    }
  }

  private static func write(
    _ key: String, _ list: [RefusedDocument], _ writer: inout DocumentWriter
  ) {
    writer.member(key) { writer in
      writer.array { writer in
        for refused in list {
          writer.element { writer in
            writer.object { writer in
              writer.member("name", refused.name)
              if let kept = refused.kept { writer.member("keeps", kept) }
            }
          }
        }
      }
    }
  }

  private static func readRefused(_ node: JSONNode?) -> [RefusedDocument] {
    var list: [RefusedDocument] = []
    for element in node?.elements ?? [] {
      guard let name = element["name"]?.text else { continue }
      list.append(RefusedDocument(name: name, kept: element["keeps"]?.unsigned))
    }
    return list
  }

  static func decode(_ node: JSONNode, id: String) -> EdgeRecord? {
    guard let pid = node["pid"]?.integer, let started = node["started"]?.time else { return nil }
    var record = EdgeRecord(id: id, pid: Int32(truncatingIfNeeded: pid), started: started)
    record.addresses = (node["addresses"]?.elements ?? []).compactMap(\.text)
    record.secureAddresses = (node["secureAddresses"]?.elements ?? []).compactMap(\.text)
    record.adminSocket = node["adminSocket"]?.text ?? ""
    record.revision = UInt64(max(0, node["appliedRevision"]?.integer ?? 0))
    record.purge = UInt64(max(0, node["appliedPurge"]?.integer ?? 0))
    record.problems = (node["problems"]?.elements ?? []).compactMap(\.text)
    record.refused = readRefused(node["refused"])
    record.refusedCertificates = readRefused(node["refusedCertificates"])
    record.unsaved = node["unsaved"]?.text
    record.challenges = (node["challenges"]?.elements ?? []).compactMap(\.text)
    record.purges = (node["purges"]?.elements ?? []).compactMap { purge in
      guard let number = purge["number"]?.integer, let count = purge["count"]?.integer,
        let at = purge["at"]?.time
      else { return nil }
      return AppliedPurge(number: UInt64(max(0, number)), count: Int(count), at: at)
    }
    return record
  }
}

/// Keeps an edge known; ends with it.
package final class EdgeRegistration: Sendable {
  private let hold: any StoreHold

  fileprivate init(_ hold: any StoreHold) { self.hold = hold }

  package func update(_ record: EdgeRecord) throws(StoreError) {
    try hold.update(EdgeRegistry.encode(record))
  }

  package func release() { hold.release() }
}

/// Wakes one waiting thread from another.
private final class Bell: Sendable {
  private let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))

  deinit { _ = close(descriptor) }

  func ring() { eventfd_write(descriptor, 1) }

  func wait(_ time: Duration) {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let (seconds, attoseconds) = time.components
    let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    _ = poll(&wait, 1, Int32(clamping: milliseconds + 1))
    var count: UInt64 = 0
    eventfd_read(descriptor, &count)
  }
}
