// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct StickySecretTests {
  private static func token(_ secret: HashSeed) -> UInt64 {
    let policy = makePolicy()
    return stickyToken(policy.origins[0].targets.all[0], secret: secret)
  }

  @Test func `all edges on a store have the same secret`() throws {
    let store = MemoryStore()
    let first = Self.token(try StickySecret(store).get())
    #expect(Self.token(try StickySecret(store).get()) == first)
    #expect(Self.token(try StickySecret(MemoryStore()).get()) != first)
  }

  @Test(arguments: ["{}", "{\"first\": \"1\"}", "{\"first\": \"x\", \"second\": \"1\"}"])
  func `a damaged secret is said to be one`(value: String) throws {
    let store = MemoryStore()
    _ = try store.write(StickySecret.key, Array(value.utf8), ifRevision: nil)
    #expect(throws: StoreError.self) { try StickySecret(store).get() }
  }
}
