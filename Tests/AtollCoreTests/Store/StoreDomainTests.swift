// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import AtollCore

/// A domain belongs to one distribution, whoever writes at the same time.
@Suite struct StoreDomainTests {
  let directory = TemporaryDirectory()

  private func distribution(_ name: String, _ domains: String..., base: String? = nil) throws
    -> Distribution
  {
    var made = try Sample.distribution(name)
    made.id = Distribution.makeID()
    made.defaultDomain = "\(made.id).\(base ?? Distribution.standardBase)"
    made.domains = domains.map { AttachedDomain(name: $0) }
    return made
  }

  @Test func `a domain that another has is refused`() throws {
    let catalog = Catalog(directory.store)
    try catalog.put(distribution("shop", "www.shop.example", "*.shop.example"), ifRevision: 0)
    #expect(
      throws: DomainClaim(domain: "www.shop.example", holder: "shop", isOwn: false)
    ) { try catalog.put(distribution("blog", "a.example", "www.shop.example"), ifRevision: 0) }
    #expect(try catalog.names() == ["shop"])
    // A wildcard takes nothing from the names below it.
    try catalog.put(distribution("blog", "api.shop.example", "*.eu.shop.example"), ifRevision: 0)
    // Its own again is its own.
    var shop = try #require(try catalog.get("shop"))
    shop.domains.append(AttachedDomain(name: "shop.example"))
    try catalog.put(shop, ifRevision: shop.revision)
    shop.domains.removeAll()
    try catalog.put(shop, ifRevision: nil)
    try catalog.put(distribution("news", "www.shop.example"), ifRevision: 0)
  }

  @Test func `the own domain of another is refused, both ways`() throws {
    let catalog = Catalog(directory.store)
    try catalog.put(distribution("www", base: "cdn.example"), ifRevision: 0)
    #expect(throws: DomainClaim(domain: "www.cdn.example", holder: "www", isOwn: true)) {
      try catalog.put(distribution("shop", "www.cdn.example"), ifRevision: 0)
    }
    try catalog.put(distribution("shop", "api.cdn.example"), ifRevision: 0)
    #expect(throws: DomainClaim(domain: "api.cdn.example", holder: "shop", isOwn: false)) {
      try catalog.put(distribution("api", base: "cdn.example"), ifRevision: 0)
    }
  }

  @Test func `of many at once exactly one gets a domain, in files and in memory`() throws {
    for store in [directory.store as any Store, MemoryStore()] {
      let catalog = Catalog(store)
      let won = Collected<String>()
      runThreads(16) { index in
        guard
          let wanted = try? distribution("site\(index)", "www.shop.example", "n\(index).example")
        else { return }
        do {
          try catalog.put(wanted, ifRevision: 0)
          won.append(wanted.name)
        } catch let claim as DomainClaim {
          #expect(claim.domain == "www.shop.example")
        } catch {
          Issue.record("\(error)")
        }
      }
      #expect(won.all.count == 1)
      #expect(try catalog.names() == won.all)
    }
  }

  @Test func `many at once with domains of their own all get them`() throws {
    let catalog = Catalog(directory.store)
    runThreads(8) { index in
      for number in 0..<4 {
        do {
          try catalog.put(
            distribution("site\(index)-\(number)", "n\(index)-\(number).example"), ifRevision: 0)
        } catch {
          Issue.record("\(error)")
        }
      }
    }
    #expect(try catalog.names().count == 32)
  }

  @Test func `a guarded write sees what is newer under the prefix alone`() throws {
    for store in [directory.store as any Store, MemoryStore()] {
      let first = try store.write("a/x", object("1"), ifRevision: 0)
      try store.write("b/x", object("1"), ifRevision: 0)
      #expect(
        try store.write("a/y", object("1"), ifRevision: 0, unchanged: "a/", since: first) != nil)
      #expect(
        try store.write("a/z", object("1"), ifRevision: 0, unchanged: "a/", since: first) == nil)
      #expect(try store.read("a/z") == nil)
      #expect(throws: StoreError.self) {
        try store.write("a/y", object("2"), ifRevision: 0, unchanged: "a/", since: .max)
      }
    }
  }

  @Test func `what a value refers to can be demanded, and be deleted only while none does`() throws
  {
    for store in [directory.store as any Store, MemoryStore()] {
      let first = try store.write("b/x", object("1"), ifRevision: 0)
      for (key, isThere) in [("b/x", true), ("b/y", false)] {
        let write = {
          try store.write(
            "a/\(isThere)", object("1"), ifRevision: 0, unchanged: "a/", since: .max,
            demanding: [key])
        }
        if isThere {
          #expect(try write() != nil)
        } else {
          #expect(throws: StoreError.conflict(key: key, expected: 1, found: 0)) { try write() }
          #expect(try store.read("a/false") == nil)
        }
      }
      #expect(throws: StoreError.self) { try store.delete("b/x", unchanged: "a/", since: first) }
      #expect(try store.read("b/x") != nil)
      #expect(try store.delete("b/x", unchanged: "a/", since: store.revision()) != nil)
      #expect(try store.delete("b/x", unchanged: "a/", since: store.revision()) == nil)
    }
  }

  @Test func `a file with a number from elsewhere stops nobody`() throws {
    let catalog = Catalog(directory.store)
    try catalog.put(distribution("shop", "a.example"), ifRevision: 0)
    directory.write(
      "home/distributions/blog.json",
      "{\n  \"revision\": 99,\n  \"name\": \"blog\",\n  \"origin\": \"http://a.example\"\n}\n")
    try catalog.put(distribution("news", "b.example"), ifRevision: 0)
    #expect(try catalog.names() == ["blog", "news", "shop"])
  }

  @Test func `the base domain`() throws {
    let base = BaseDomain(directory.store)
    #expect(try base.get() == "atoll.localhost")
    #expect(try base.set("cdn.example") != nil)
    #expect(try base.set("cdn.example") == nil)
    #expect(try base.get() == "cdn.example")
  }
}
