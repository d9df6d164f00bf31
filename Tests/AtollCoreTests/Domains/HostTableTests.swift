// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct HostTableTests {
  private static func distribution(
    _ name: String, base: String? = nil, domains: [String] = [], detached: [String] = []
  ) throws -> Distribution {
    var distribution = try Sample.distribution(name)
    distribution.id = "d" + String(repeating: "0", count: 13 - name.utf8.count) + name
    distribution.defaultDomain = "\(distribution.id).\(base ?? Distribution.standardBase)"
    distribution.domains = domains.map { AttachedDomain(name: $0) }
    distribution.detachedDomains = detached
    return distribution
  }

  private static func table() throws -> HostTable {
    HostTable([
      try distribution("one", domains: ["www.shop.example", "*.shop.example", "shop.example"]),
      try distribution(
        "two", domains: ["api.shop.example", "*.eu.shop.example", "*.example"],
        detached: ["old.shop.example", "www.shop.example", "*.gone.example"]),
      try distribution("Three", base: "cdn.example"),
    ])
  }

  @Test(arguments: [
    ("www.shop.example", 0), ("WWW.Shop.Example", 0), ("www.shop.example.", 0),
    ("www.shop.example:8080", 0), ("www.shop.example.:443", 0), ("shop.example", 0),
    ("img.shop.example", 0), ("a.b.c.shop.example", 0),
    // The most specific one wins: exact before below, longer before shorter.
    ("api.shop.example", 1), ("x.api.shop.example", 0), ("x.eu.shop.example", 1),
    ("eu.shop.example", 0), ("a.x.eu.shop.example", 1), ("other.example", 1),
    ("notshop.example", 1),
    // Own domains.
    ("one.atoll.localhost", 0), ("d0000000000two.ATOLL.localhost", 1), ("three.cdn.example", 2),
    // Nobody's.
    ("example", -1), ("three.atoll.localhost", -1), ("", -1), (".", -1), (":80", -1),
    ("127.0.0.1", -1), ("[::1]:8080", -1), ("shop.example.org", -1), ("*.example", 1),
    // Detached, unless somebody has it again, and unless something more specific is attached.
    ("old.shop.example", -2), ("x.gone.example", -2), ("gone.example", 1),
  ])
  func `a host belongs to`(host: String, owner: Int32) throws {
    #expect(try Self.table().owner(of: host) == owner)
  }

  @Test func `an empty table knows nobody`() {
    let table = HostTable([])
    #expect(table.owner(of: "a.example") == HostTable.unknown)
    #expect(!table.hasDetached)
  }

  @Test func `names of any length, dots of any number`() throws {
    let table = try Self.table()
    for length in 0...600 {
      #expect(table.owner(of: String(repeating: ".", count: length)) < 0)
      #expect(table.owner(of: String(repeating: "a", count: length)) < 0)
      let below = String(repeating: "a.", count: length) + "shop.example"
      #expect(table.owner(of: below) == (below.utf8.count <= 253 ? 0 : -1))
    }
    // Bytes that are no text.
    let bytes: [UInt8] = [0xff, 0x2e, 0x80, 0x2e] + Array("shop.example".utf8)
    #expect(bytes.withUnsafeBufferPointer { table.owner(of: $0) } == 0)
  }

  @Test func `own domains win over attached ones, the first over the others`() throws {
    let table = HostTable([
      try Self.distribution("one", domains: ["two.atoll.localhost", "shop.example"]),
      try Self.distribution("two", domains: ["shop.example"]),
    ])
    #expect(table.owner(of: "two.atoll.localhost") == 1)
    #expect(table.owner(of: "shop.example") == 0)
  }

  @Test func `many names, each found`() throws {
    let many = try (0..<100).map { index in
      try Self.distribution(
        "s\(index)", domains: (0..<100).map { "n\($0).s\(index).example" } + ["*.s\(index).test"])
    }
    let table = HostTable(many)
    for index in 0..<100 {
      for name in 0..<100 {
        #expect(table.owner(of: "n\(name).s\(index).example") == Int32(index))
      }
      #expect(table.owner(of: "x.s\(index).test") == Int32(index))
      #expect(table.owner(of: "n100.s\(index).example") == HostTable.unknown)
    }
  }
}
