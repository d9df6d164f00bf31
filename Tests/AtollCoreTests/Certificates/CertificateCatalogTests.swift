// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

/// Two pairs of certificate and key, which must never be mixed.
private struct Pair: Sendable {
  let chain: String
  let key: String

  static let old = Pair()
  static let new = Pair()

  private init() {
    let key = try! PrivateKey.generate(.p256)
    self.key = key.pem
    chain = try! CertificateTemplate(names: ["a.example"], notBefore: 0, notAfter: 4_000_000_000)
      .signed(for: key).pem
  }

  func certificate(_ name: String = "shop") -> StoredCertificate {
    StoredCertificate(
      name: name, created: 10, modified: 20, source: .imported, domains: ["a.example"],
      chain: chain, key: key)
  }
}

@Suite struct CertificateCatalogTests {
  private let directory = TemporaryDirectory()
  private var catalog: CertificateCatalog { CertificateCatalog(directory.store) }

  @Test func `a certificate is stored as three files and read again`() throws {
    var certificate = Pair.old.certificate()
    certificate.source = .acme
    certificate.keyType = .rsa2048
    certificate.acme = ACMESettings(
      directory: "https://acme.example/dir", challenge: .dns, dnsHook: "hook --x",
      validationPort: 5002, httpAddress: "[::1]:5002", contacts: ["a@b.example"],
      trust: "/etc/roots.pem")
    certificate.renewal = RenewalState(
      lastAttempt: 5, lastError: "said \"no\"\n", failures: 2, notBefore: 6, window: 7...8,
      askAgain: 9)
    certificate.revision = try catalog.put(certificate, ifRevision: 0)
    #expect(try catalog.get("shop") == certificate)
    #expect(try catalog.names() == ["shop"])
    #expect(try catalog.all().certificates == [certificate])
    #expect(
      directory.files() == [
        "home/certificates/shop/certificate.json", "home/certificates/shop/certificate.pem",
        "home/certificates/shop/key.pem", "home/revision",
      ])
    #expect(directory.read("home/certificates/shop/certificate.pem") == Pair.old.chain)
    #expect(directory.read("home/certificates/shop/key.pem") == Pair.old.key)
    let document = try #require(directory.read("home/certificates/shop/certificate.json"))
    #expect(document.hasPrefix("{\n  \"revision\": 1,\n"))
    #expect(!document.contains("BEGIN"))
    // It is a document by itself.
    #expect(throws: Never.self) { try JSONReader.read(Array(document.utf8)) }
  }

  @Test func `keys are their owner's alone`() throws {
    try catalog.put(Pair.old.certificate(), ifRevision: 0)
    func mode(_ path: String) -> mode_t {
      var status = stat()
      stat(directory.file(path), &status)
      return status.st_mode & 0o777
    }
    #expect(mode("home/certificates/shop") == 0o700)
    #expect(mode("home/certificates/shop/key.pem") == 0o600)
    #expect(mode("home/certificates") == 0o700)
  }

  @Test func `one that is still to be issued has neither certificate nor key`() throws {
    let pending = StoredCertificate(
      name: "shop", created: 10, modified: 10, source: .acme, domains: ["a.example"],
      acme: ACMESettings(directory: "https://acme.example/dir"))
    try catalog.put(pending, ifRevision: 0)
    let read = try #require(try catalog.get("shop"))
    #expect(read.chain == nil && read.key == nil)
    #expect(
      directory.files() == ["home/certificates/shop/certificate.json", "home/revision"])
  }

  @Test func `a key that is another certificate's is not stored`() throws {
    var mixed = Pair.old.certificate()
    mixed.key = Pair.new.key
    #expect(throws: CertificateError.self) { try catalog.put(mixed, ifRevision: 0) }
    mixed.key = nil
    #expect(throws: CertificateError.self) { try catalog.put(mixed, ifRevision: 0) }
    #expect(try catalog.names() == [])
  }

  @Test func `an edit based on an old revision is refused`() throws {
    let first = try catalog.put(Pair.old.certificate(), ifRevision: 0)
    try catalog.put(Pair.new.certificate(), ifRevision: first)
    #expect(throws: StoreError.conflict(key: "certificates/shop", expected: 1, found: 2)) {
      try catalog.put(Pair.old.certificate(), ifRevision: first)
    }
    #expect(try catalog.get("shop")?.key == Pair.new.key)
    #expect(throws: StoreError.conflict(key: "certificates/shop", expected: 0, found: 2)) {
      try catalog.put(Pair.old.certificate(), ifRevision: 0)
    }
  }

  @Test func `what is deleted leaves nothing behind`() throws {
    try catalog.put(Pair.old.certificate(), ifRevision: 0)
    try catalog.put(Pair.new.certificate("blog"), ifRevision: 0)
    #expect(try catalog.delete("shop", ifRevision: 1) == 3)
    #expect(try catalog.get("shop") == nil)
    #expect(try catalog.delete("shop", ifRevision: nil) == nil)
    #expect(try catalog.names() == ["blog"])
    #expect(!directory.files().contains { $0.contains("shop") || $0.contains(".tmp") })
  }

  /// A kill after any step of a write leaves one pair or the other, and what it left is tidied up.
  @Test(arguments: [true, false])
  func `a writer killed at any step leaves the old pair or the new one`(exchanges: Bool) throws {
    var step = 0
    var hasEnded = false
    while !hasEnded {
      let home = TemporaryDirectory()
      try CertificateCatalog(home.store).put(Pair.old.certificate(), ifRevision: 0)
      let taken = Mutex(0)
      let fatal = step
      let dying = DirectoryStore(
        home: home.file("home"), exchangesFolders: exchanges,
        interruption: { _ in
          taken.withLock { taken -> DirectoryStore.Interruption? in
            taken += 1
            return taken == fatal + 1 ? .killed : nil
          }
        })
      do {
        try CertificateCatalog(dying).put(Pair.new.certificate(), ifRevision: 1)
        hasEnded = true
      } catch {
        #expect(error as? StoreError == DirectoryStore.killed)
      }
      let catalog = CertificateCatalog(home.store)
      let left = try #require(try catalog.get("shop"))
      #expect(
        (left.chain == Pair.old.chain && left.key == Pair.old.key)
          || (left.chain == Pair.new.chain && left.key == Pair.new.key))
      #expect(try catalog.names() == ["shop"])
      #expect(try catalog.all().certificates == [left])
      if hasEnded { #expect(left.key == Pair.new.key) }
      let next = try catalog.put(Pair.new.certificate(), ifRevision: left.revision)
      #expect(next > left.revision)
      try catalog.put(Pair.new.certificate(), ifRevision: next)
      #expect(
        home.files() == [
          "home/certificates/shop/certificate.json", "home/certificates/shop/certificate.pem",
          "home/certificates/shop/key.pem", "home/revision",
        ])
      step += 1
    }
    // Every file, the numbers, the exchange and what follows.
    #expect(step > 7)
  }

  @Test func `a deletion killed at any step leaves all of it or nothing`() throws {
    for fatal in 0..<4 {
      let home = TemporaryDirectory()
      try CertificateCatalog(home.store).put(Pair.old.certificate(), ifRevision: 0)
      let taken = Mutex(0)
      let dying = home.store { _ in
        taken.withLock { taken -> DirectoryStore.Interruption? in
          taken += 1
          return taken == fatal + 1 ? .killed : nil
        }
      }
      do { try CertificateCatalog(dying).delete("shop", ifRevision: 1) } catch {}
      let catalog = CertificateCatalog(home.store)
      let left = try catalog.get("shop")
      #expect(left == nil || left?.key == Pair.old.key)
      try catalog.put(Pair.new.certificate("other"), ifRevision: 0)
      #expect(try catalog.names() == (left == nil ? ["other"] : ["other", "shop"]))
      #expect(!home.files().contains { $0.contains(".tmp") })
    }
  }

  @Test(arguments: DirectoryStore.WriteStep.allCases)
  func `a disk that is full at any step loses nothing`(step: DirectoryStore.WriteStep) throws {
    try catalog.put(Pair.old.certificate(), ifRevision: 0)
    let failing = directory.store { $0 == step ? .error(ENOSPC) : nil }
    #expect(throws: StoreError.full(place: failing.home)) {
      try CertificateCatalog(failing).put(Pair.new.certificate(), ifRevision: 1)
    }
    let left = try #require(try catalog.get("shop"))
    #expect([Pair.old.key, Pair.new.key].contains(left.key))
    try catalog.put(Pair.new.certificate(), ifRevision: left.revision)
    #expect(!directory.files().contains { $0.contains(".tmp") })
  }

  @Test(arguments: [true, false])
  func `readers beside a writer never see half a pair`(exchanges: Bool) throws {
    let home = directory.file("home")
    let writer = DirectoryStore(home: home, exchangesFolders: exchanges)
    try CertificateCatalog(writer).put(Pair.old.certificate(), ifRevision: 0)
    let problems = Collected<String>()
    let isDone = Atomic(false)
    runThreads(4) { index in
      let catalog = CertificateCatalog(DirectoryStore(home: home))
      if index == 0 {
        for round in 0..<150 {
          let pair = round % 2 == 0 ? Pair.new : Pair.old
          let store = CertificateCatalog(DirectoryStore(home: home, exchangesFolders: exchanges))
          if (try? store.put(pair.certificate(), ifRevision: nil)) == nil {
            problems.append("write")
          }
        }
        isDone.store(true, ordering: .relaxed)
        return
      }
      while !isDone.load(ordering: .relaxed) {
        do {
          let seen = index == 1 ? try catalog.all().certificates.first : try catalog.get("shop")
          let isWhole = [Pair.old, .new].contains {
            $0.chain == seen?.chain && $0.key == seen?.key
          }
          if !isWhole { problems.append(seen == nil ? "nothing" : "mixed") }
        } catch {
          problems.append("\(error)")
        }
      }
    }
    #expect(Set(problems.all) == [])
  }

  @Test func `a damaged record can be written over at its revision`() throws {
    #expect(try catalog.place("shop").revision == 0)
    #expect(try catalog.place("../shop").revision == 0)
    let revision = try catalog.put(Pair.old.certificate(), ifRevision: 0)
    let whole = try catalog.place("shop")
    #expect(whole.certificate?.key == Pair.old.key && whole.revision == revision)
    #expect(whole.damage == nil && whole.note == nil)
    for document in ["", "{", "{\n  \"revision\": 9,\n  \"source\": \"nobody\"\n}\n"] {
      directory.write("home/certificates/shop/certificate.json", document)
      let place = try catalog.place("shop")
      #expect(place.certificate == nil && place.revision > 0)
      #expect(place.note?.hasPrefix("the certificate \"shop\" is damaged: ") == true)
      #expect(throws: StoreError.self) {
        try catalog.put(Pair.new.certificate(), ifRevision: place.revision + 1)
      }
      try catalog.put(Pair.new.certificate(), ifRevision: place.revision)
      #expect(try catalog.get("shop")?.key == Pair.new.key)
    }
  }

  @Test func `what mends a damaged record is told`() {
    func hint(_ key: String) -> String { StoreError.damaged(key: key, why: "line 1").hint }
    #expect(
      hint("certificates/shop") == """
        put another in its place with atoll cert import shop <file>..., atoll cert ensure shop \
        --domain <name>... or atoll cert create shop --local, or restore it from a backup
        """)
    // No command writes these.
    for key in ["certificates/\(DefaultCertificate.name)", "certificates/a b", "transfer/shop"] {
      #expect(hint(key) == "restore it from a backup, or delete it")
    }
  }

  @Test func `a person's own files are read, and what cannot be read hides nothing`() throws {
    try catalog.put(Pair.old.certificate(), ifRevision: 0)
    try catalog.put(Pair.old.certificate("blog"), ifRevision: 0)
    directory.write("home/certificates/shop/certificate.pem", Pair.new.chain)
    directory.write("home/certificates/shop/key.pem", Pair.new.key)
    let edited = try #require(try catalog.get("shop"))
    #expect(edited.chain == Pair.new.chain && edited.key == Pair.new.key)
    directory.write("home/certificates/shop/certificate.json", "{")
    let all = try catalog.all()
    #expect(all.certificates.map(\.name) == ["blog"])
    #expect(all.invalid.map(\.name) == ["shop"])
    unlink(directory.file("home/certificates/blog/key.pem"))
    let keyless = try #require(try catalog.get("blog"))
    #expect(keyless.chain != nil && keyless.key == nil && keyless.damage != nil)
    directory.write("home/certificates/blog/key.pem", Pair.old.key)
    unlink(directory.file("home/certificates/blog/certificate.pem"))
    #expect(throws: StoreError.damaged(key: "certificates/blog", why: "its certificate is missing"))
    {
      try catalog.get("blog")
    }
    // Neither a file nor a directory without a document is a certificate.
    directory.write("home/certificates/README", "")
    mkdir(directory.file("home/certificates/empty"), 0o700)
    #expect(try catalog.names() == ["blog", "shop"])
    try catalog.put(Pair.old.certificate("empty"), ifRevision: 0)
    #expect(try catalog.get("empty")?.key == Pair.old.key)
  }

  @Test func `a watch tells of writes, edits by hand and deletions`() throws {
    try catalog.put(Pair.old.certificate(), ifRevision: 0)
    let changes = Collected<StoreChange>()
    let watch = try directory.store.watch(CertificateCatalog.prefix) { changes.append($0) }
    defer { watch.cancel() }
    func seen(_ key: String, since count: Int) -> Bool {
      changes.wait { $0.dropFirst(count).contains(.keys([key])) }
    }
    try catalog.put(Pair.new.certificate(), ifRevision: 1)
    #expect(seen("certificates/shop", since: 0))
    try catalog.put(Pair.new.certificate("blog"), ifRevision: 0)
    #expect(seen("certificates/blog", since: 0))
    var count = changes.all.count
    directory.write("home/certificates/shop/key.pem", Pair.new.key)
    #expect(seen("certificates/shop", since: count))
    count = changes.all.count
    directory.write("home/certificates/blog/certificate.pem", Pair.new.chain)
    #expect(seen("certificates/blog", since: count))
    count = changes.all.count
    try catalog.delete("blog", ifRevision: nil)
    #expect(seen("certificates/blog", since: count))
  }

  @Test(arguments: [
    ("shop", true), ("shop.example", true), ("a", true), ("a_b-c.D9", true), ("", false),
    (".a", false), ("a.", false), ("-a", false), ("a/b", false), ("ü", false), ("a b", false),
    (String(repeating: "a", count: 200), true), (String(repeating: "a", count: 201), false),
  ])
  func `names are letters, digits, dots, dashes and underscores`(name: String, isGood: Bool) throws
  {
    #expect((CertificateCatalog.flaw(inName: name) == nil) == isGood)
    if isGood {
      try catalog.put(Pair.old.certificate(name), ifRevision: 0)
      #expect(try catalog.names() == [name])
    } else {
      #expect(throws: (any Error).self) {
        try catalog.put(Pair.old.certificate(name), ifRevision: 0)
      }
      #expect(try catalog.get(name) == nil)
      #expect(try catalog.delete(name, ifRevision: nil) == nil)
    }
  }

  @Test func `a store that lost its counter counts certificates too`() throws {
    for _ in 0..<3 { try catalog.put(Pair.old.certificate(), ifRevision: nil) }
    unlink(directory.file("home/revision"))
    #expect(try catalog.put(Pair.new.certificate(), ifRevision: 3) == 4)
  }
}

@Suite struct LocalAuthorityTests {
  private let directory = TemporaryDirectory()
  private let now: Int64 = 1_800_000_000

  @Test func `the root is made once and kept`() throws {
    let authority = LocalAuthority(directory.store)
    #expect(try authority.existing() == nil)
    let root = try authority.root(now: now)
    #expect(try authority.root(now: now + 1).certificate == root.certificate)
    #expect(try LocalAuthority(directory.store).existing()?.certificate == root.certificate)
    #expect(root.certificate.isAuthority && root.certificate.pathLength == 0)
    #expect(root.certificate.isSelfIssued && root.certificate.isIssued(by: root.certificate))
    #expect(root.certificate.notAfter == now + LocalAuthority.rootLifetime)
    #expect(directory.read("home/authority/root/certificate.pem") == root.certificate.pem)
    var status = stat()
    stat(directory.file("home/authority/root/key.pem"), &status)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test(arguments: [KeyType.p256, .rsa2048])
  func `it issues certificates of 90 days`(type: KeyType) throws {
    let authority = LocalAuthority(directory.store)
    let (certificate, key) = try authority.issue(
      ["shop.localhost", "*.shop.localhost", "127.0.0.1", "::1"], type, now: now)
    #expect(certificate.isIssued(by: try authority.root(now: now).certificate))
    #expect(key.fits(certificate))
    #expect(key.algorithm.keyType == type)
    #expect(certificate.notAfter == now + 90 * 86_400)
    #expect(certificate.isValid(at: now))
    #expect(certificate.covers("x.shop.localhost") && certificate.covers("127.0.0.1"))
    #expect(certificate.covers("::1") && !certificate.covers("other.localhost"))
    #expect(certificate.isForServers && !certificate.isAuthority)
    let other = try authority.issue(["shop.localhost"], now: now).certificate
    #expect(other.serial != certificate.serial && other.serial.count == 16)
  }

  @Test func `a root whose time is up makes way, and no leaf outlives its root`() throws {
    let authority = LocalAuthority(directory.store)
    let root = try authority.root(now: now).certificate
    let late = root.notAfter - 10 * 86_400
    #expect(try authority.issue(["a.localhost"], now: late).certificate.notAfter == root.notAfter)
    let next = try authority.root(now: root.notAfter - 3_600).certificate
    #expect(next != root)
    #expect(next.subject != root.subject)
    #expect(try authority.existing()?.certificate == next)
  }

  @Test func `processes that start at once share one root`() throws {
    let home = directory.file("home")
    let found = Collected<CertificateInfo>()
    runThreads(4) { [now] _ in
      if let root = try? LocalAuthority(DirectoryStore(home: home)).root(now: now) {
        found.append(root.certificate)
      }
    }
    #expect(found.all.count == 4)
    #expect(found.all.allSatisfy { $0 == found.all[0] })
  }

  @Test func `a damaged root is told, not replaced`() throws {
    let authority = LocalAuthority(directory.store)
    _ = try authority.root(now: now)
    directory.write("home/authority/root/key.pem", try PrivateKey.generate(.p256).pem)
    #expect(
      throws: StoreError.damaged(
        key: LocalAuthority.key, why: "the key is not the certificate's")
    ) { try authority.root(now: now) }
    unlink(directory.file("home/authority/root/key.pem"))
    #expect(throws: StoreError.self) { try authority.root(now: now) }
  }

  @Test func `it works on any store`() throws {
    let store = MemoryStore()
    let authority = LocalAuthority(store)
    let root = try authority.root(now: now)
    #expect(try authority.existing()?.certificate == root.certificate)
    try CertificateCatalog(store).put(Pair.old.certificate(), ifRevision: 0)
    #expect(try CertificateCatalog(store).get("shop")?.key == Pair.old.key)
  }
}
