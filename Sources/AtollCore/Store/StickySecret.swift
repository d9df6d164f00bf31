// SPDX-License-Identifier: Apache-2.0

/// The secret behind the cookies of sticky sessions, which the edges on one store share: so each
/// knows the sessions that another began, and an edge those from before its restart.
package struct StickySecret: Sendable {
  package static let key = "secrets/sticky"

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// Made by the first edge that needs it.
  package func get() throws(StoreError) -> HashSeed {
    while true {
      if let stored = try store.read(Self.key) { return try Self.decode(stored.value) }
      do {
        try store.write(Self.key, Self.encode(.random()), ifRevision: 0)
      } catch .conflict {
        // Another edge was faster: its secret is everyone's.
      }
    }
  }

  private static func encode(_ seed: HashSeed) -> [UInt8] {
    DocumentWriter.document { writer in
      writer.member("first", String(seed.first, radix: 16))
      writer.member("second", String(seed.second, radix: 16))
    }
  }

  private static func decode(_ value: [UInt8]) throws(StoreError) -> HashSeed {
    let node = try? JSONReader.read(value)
    func half(_ key: String) -> UInt64? { node?[key]?.text.flatMap { UInt64($0, radix: 16) } }
    guard let first = half("first"), let second = half("second") else {
      throw .damaged(key: key, why: "it does not hold two numbers")
    }
    return HashSeed(first, second)
  }
}
