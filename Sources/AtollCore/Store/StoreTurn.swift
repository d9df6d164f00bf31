// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Has one process at a time do something on a store; who comes later waits.
package enum StoreTurn {
  /// Microseconds between two looks.
  private static let pause: UInt32 = 100_000

  /// - Parameters:
  ///   - member: what the key says, for whoever looks: a word and its value.
  ///   - waits: called once, where another process has the turn.
  /// - Returns: nil when the patience is over.
  package static func take(
    _ key: String, saying member: (name: String, value: String), in store: any Store,
    patience: Duration, waits: () -> Void
  ) throws(StoreError) -> (any StoreHold)? {
    let end = ContinuousClock.now + patience
    var isTold = false
    while true {
      if let hold = try takeIfFree(key, saying: member, in: store) { return hold }
      if ContinuousClock.now >= end { return nil }
      if !isTold { waits() }
      isTold = true
      usleep(pause)
    }
  }

  /// nil where another process has it. Looked at first: to try to take what another has would hold
  /// up every writer of the store.
  package static func takeIfFree(
    _ key: String, saying member: (name: String, value: String), in store: any Store
  ) throws(StoreError) -> (any StoreHold)? {
    if try store.read(key) != nil { return nil }
    do throws(StoreError) {
      return try store.hold(
        key,
        DocumentWriter.document { writer in
          writer.member("schemaVersion", 1)
          writer.member(member.name, member.value)
        })
    } catch {
      if case .held = error { return nil }
      throw error
    }
  }
}
