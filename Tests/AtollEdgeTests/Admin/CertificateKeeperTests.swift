// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import AtollEdge

/// Who looks after certificates while an edge runs, with a clock and a CA of the test's own.
@Suite(.timeLimit(.minutes(20)))
struct CertificateKeeperTests {
  private static let day: Int64 = 86_400
  private static let start: Int64 = 1_800_000_000
  private static let names = DefaultCertificate.names(base: "atoll.localhost", hosts: [])
  private let directory = TemporaryDirectory()
  private var store: DirectoryStore { DirectoryStore(home: directory.file("store")) }

  /// What a keeper was given, and what it did with it.
  private final class World: Sendable {
    let now = Shared(CertificateKeeperTests.start)
    let renewed = Shared<[String]>([])
    let failure = Shared<ACMEError?>(nil)
    let asked = Shared(0)
    let answer = Shared<[UInt8]?>(nil)
    let lines = Shared<[String]>([])
    let changes = Shared(0)

    var means: CertificateMeans {
      CertificateMeans(
        now: { self.now.value },
        renew: { name, _ in
          self.renewed.withLock { $0.append(name) }
          if let failure = self.failure.value { throw failure }
        },
        ask: { _, _ in
          self.asked.withLock { $0 += 1 }
          guard let answer = self.answer.value else { throw RevocationError("it is down") }
          return answer
        })
    }
  }

  private func keeper(_ world: World, _ id: String = "e1") -> CertificateKeeper {
    CertificateKeeper(
      store, edgeID: id, means: world.means,
      report: { line in world.lines.withLock { $0.append(line) } },
      changed: { world.changes.withLock { $0 += 1 } })
  }

  private func put(
    _ name: String, _ source: CertificateSource, at now: Int64 = start,
    domains: [String] = ["a.example"]
  ) throws {
    let issued = try LocalAuthority(store).issue(domains, now: now)
    var stored = StoredCertificate(
      name: name, created: now, modified: now, source: source, domains: domains,
      chain: issued.certificate.pem, key: issued.key.pem)
    if source == .acme {
      stored.acme = ACMESettings(directory: "https://ca.example/dir")
      stored.renewal.askAgain = now + 1_000 * Self.day
    }
    try CertificateCatalog(store).put(stored, ifRevision: 0)
  }

  private func leaf(_ name: String) throws -> CertificateInfo {
    let stored = try #require(try CertificateCatalog(store).get(name))
    return try CertificateInfo(pem: try #require(stored.chain))
  }

  @Test func `default domains get their certificate, and all are renewed in time`() throws {
    let world = World()
    let keeper = keeper(world)
    keeper.look(after: .init(defaultNames: Self.names))
    try put("local", .local)
    try put("acme", .acme)
    try put("mine", .imported)
    _ = keeper.round()
    let first = try leaf(DefaultCertificate.name)
    #expect(first.covers("shop.atoll.localhost"))
    #expect(world.renewed.value.isEmpty)
    let before = [try leaf("local"), try leaf("mine")]
    world.now.withLock { $0 += 59 * Self.day }
    _ = keeper.round()
    #expect(try leaf("local") == before[0])
    world.now.withLock { $0 += 3 * Self.day }
    _ = keeper.round()
    #expect(try leaf("local").notAfter > before[0].notAfter)
    #expect(try leaf(DefaultCertificate.name).notAfter > first.notAfter)
    #expect(try leaf("mine") == before[1])
    #expect(world.renewed.value == ["acme"])
    #expect(world.lines.value.isEmpty)
  }

  @Test func `what fails is told, tried again ever later, and holds up nothing else`() throws {
    let world = World()
    let keeper = keeper(world)
    try put("a-acme", .acme)
    try put("local", .local)
    let old = try leaf("local")
    world.failure.withLock { $0 = ACMEError(.refused, "the CA says no", hint: "ask it") }
    world.now.withLock { $0 += 62 * Self.day }
    var next = keeper.round()
    #expect(try leaf("local") != old)
    #expect(
      world.lines.value == ["certificate \"a-acme\" could not be renewed: the CA says no; ask it"])
    var waits: [Int64] = []
    for _ in 0..<5 {
      waits.append(next - world.now.value)
      // Looked at in between, as when the store changes: nothing is tried.
      world.now.withLock { $0 += 1 }
      let tries = world.renewed.value.count
      _ = keeper.round()
      #expect(world.renewed.value.count == tries)
      world.now.withLock { $0 = next }
      next = keeper.round()
      #expect(world.renewed.value.count == tries + 1)
    }
    #expect(waits == [60, 300, 1_800, 7_200, 21_600])
    #expect(world.lines.value.count == 6)
    // Another process that is about it is no trouble.
    world.failure.withLock { $0 = ACMEError(.busy, "another process is about it", hint: "") }
    world.now.withLock { $0 += 30_000 }
    _ = keeper.round()
    #expect(world.lines.value.count == 6)
  }

  @Test func `one edge of a store renews, and the next when that has ended`() throws {
    let world = World()
    let first = keeper(world, "e1")
    let second = keeper(world, "e2")
    try put("acme", .acme)
    world.now.withLock { $0 += 62 * Self.day }
    _ = first.round()
    let next = second.round()
    #expect(world.renewed.value == ["acme"])
    #expect(next - world.now.value <= 20)
    first.start()
    first.stop()
    #expect(eventually { (try? store.read(CertificateKeeper.leaseKey)) == .some(nil) })
    world.now.withLock { $0 += 60 }
    _ = second.round()
    #expect(world.renewed.value.count >= 2)
    #expect(
      try store.read(CertificateKeeper.leaseKey).flatMap {
        try JSONReader.read($0.value)["edge"]?.text
      } == "e2")
  }

  @Test func `a keeper that is about something ends all the same`() throws {
    let began = Shared(false)
    let ended = Shared(false)
    try put("acme", .acme)
    let keeper = CertificateKeeper(
      store, edgeID: "e1",
      means: CertificateMeans(
        now: { Self.start + 62 * Self.day },
        renew: { _, ends in
          began.withLock { $0 = true }
          while !ends() { usleep(1_000) }
          ended.withLock { $0 = true }
        }, ask: { _, _ in [] }),
      report: { _ in }, changed: {})
    keeper.start()
    #expect(eventually { began.value })
    keeper.stop()
    #expect(eventually { ended.value })
  }

  @Test func `a store that cannot be written is told once`() throws {
    guard getuid() != 0 else { return }
    let world = World()
    let keeper = keeper(world)
    try put("acme", .acme)
    chmod(directory.file("store"), 0o500)
    defer { chmod(directory.file("store"), 0o700) }
    for _ in 0..<3 { _ = keeper.round() }
    #expect(world.lines.value.count == 1)
  }

  // MARK: Status

  private func chainWithResponder() throws -> [CertificateInfo] {
    let root = try PrivateKey.generate(.p256)
    let issuer = try CertificateTemplate(
      commonName: "x", notBefore: Self.start - 60, notAfter: Self.start + 100 * Self.day,
      isAuthority: true
    ).signed(for: root)
    // One OCSP responder, http://o.example/ (RFC 5280 §4.2.2.1).
    let url = Array("http://o.example/".utf8)
    let location = [0x86, UInt8(url.count)] + url
    let method: [UInt8] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]
    let description = [0x30, UInt8(method.count + location.count)] + method + location
    let leaf = try CertificateTemplate(
      names: ["a.example"], notBefore: Self.start - 60, notAfter: Self.start + 90 * Self.day,
      extensions: [
        CertificateExtension("1.3.6.1.5.5.7.1.1", [0x30, UInt8(description.count)] + description)
      ]
    ).signed(for: try PrivateKey.generate(.p256), by: (issuer, root))
    return [leaf, issuer]
  }

  @Test func `a responder that is down is asked again later, and told of once`() throws {
    let world = World()
    let keeper = keeper(world)
    keeper.look(after: .init(chains: [try chainWithResponder()]))
    var next = keeper.round()
    #expect(world.asked.value == 1)
    #expect(
      world.lines.value == [
        "the status of the certificate for a.example is not to be had from http://o.example/: "
          + "it is down"
      ])
    for round in 2...4 {
      _ = keeper.round()
      #expect(world.asked.value == round - 1)
      world.now.withLock { $0 = max(next, $0 + 3_600) }
      next = keeper.round()
      #expect(world.asked.value == round)
    }
    #expect(world.lines.value.count == 1)
    #expect(world.changes.value == 0 && keeper.staples(at: world.now.value).isEmpty)
    // Nobody asks about what is not shown any more.
    keeper.look(after: .init())
    world.now.withLock { $0 += Self.day }
    _ = keeper.round()
    #expect(world.asked.value == 4)
  }

  @Test func `an answer that is none is as good as no answer`() throws {
    let world = World()
    world.answer.withLock { $0 = Array("<html>".utf8) }
    let keeper = keeper(world)
    keeper.look(after: .init(chains: [try chainWithResponder()]))
    _ = keeper.round()
    #expect(world.lines.value.count == 1)
    #expect(world.lines.value[0].hasSuffix("its answer can't be read"))
    #expect(keeper.staples(at: world.now.value).isEmpty)
  }
}
