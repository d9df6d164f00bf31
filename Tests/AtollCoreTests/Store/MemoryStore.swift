// SPDX-License-Identifier: Apache-2.0
import Synchronization

@testable import AtollCore

/// A store without files: what uses `Store` must need nothing else.
final class MemoryStore: Store {
  private struct State {
    var revision: UInt64 = 0
    var values: [String: StoredValue] = [:]
    var held: Set<String> = []
    var watches: [(id: Int, prefix: String, changed: @Sendable (StoreChange) -> Void)] = []
    var nextWatch = 0
  }

  private let state = Mutex(State())

  var place: String { "memory" }

  func revision() -> UInt64 { state.withLock { $0.revision } }

  func read(_ key: String) -> StoredValue? { state.withLock { $0.values[key] } }

  func keys(_ prefix: String) -> [String] { list(prefix).values.map(\.key) }

  func list(_ prefix: String) -> StoreListing {
    state.withLock { state in
      StoreListing(
        revision: state.revision,
        values: state.values.values.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key })
    }
  }

  func write(_ key: String, _ value: [UInt8], ifRevision: UInt64?) throws(StoreError) -> UInt64 {
    try change(key, ifRevision) { StoredValue(key: key, revision: $0, value: value) }!
  }

  func write(
    _ key: String, _ value: [UInt8], ifRevision: UInt64?, unchanged prefix: String,
    since revision: UInt64, demanding keys: [String]
  ) throws(StoreError) -> UInt64? {
    let result: Result<UInt64?, StoreError> = state.withLock { state in
      let found = state.values[key]?.revision ?? 0
      if let ifRevision, ifRevision != found {
        return .failure(.conflict(key: key, expected: ifRevision, found: found))
      }
      let isNewer = state.values.values.contains {
        $0.key.hasPrefix(prefix) && $0.revision > revision
      }
      if isNewer { return .success(nil) }
      for key in keys where state.values[key] == nil {
        return .failure(.conflict(key: key, expected: 1, found: 0))
      }
      state.revision += 1
      state.values[key] = StoredValue(key: key, revision: state.revision, value: value)
      return .success(state.revision)
    }
    tell(key)
    return try result.get()
  }

  func delete(_ key: String, ifRevision: UInt64?) throws(StoreError) -> UInt64? {
    if read(key) == nil && ifRevision ?? 0 == 0 { return nil }
    return try change(key, ifRevision) { _ in nil }
  }

  func delete(_ key: String, unchanged prefix: String, since revision: UInt64)
    throws(StoreError) -> UInt64?
  {
    let result: Result<UInt64?, StoreError> = state.withLock { state in
      let newer = state.values.values.first {
        $0.key.hasPrefix(prefix) && $0.revision > revision
      }
      if let newer {
        return .failure(
          .conflict(key: newer.key, expected: revision, found: newer.revision))
      }
      if state.values[key] == nil { return .success(nil) }
      state.revision += 1
      state.values[key] = nil
      return .success(state.revision)
    }
    tell(key)
    return try result.get()
  }

  private func change(
    _ key: String, _ ifRevision: UInt64?, _ make: (UInt64) -> StoredValue?
  ) throws(StoreError) -> UInt64? {
    let result: Result<UInt64, StoreError> = state.withLock { state in
      let found = state.values[key]?.revision ?? 0
      if let ifRevision, ifRevision != found {
        return .failure(.conflict(key: key, expected: ifRevision, found: found))
      }
      state.revision += 1
      state.values[key] = make(state.revision)
      return .success(state.revision)
    }
    tell(key)
    return try result.get()
  }

  func makeRunDirectory() throws(StoreError) -> String {
    throw .failed(action: "create", place: place, why: "it has no directory")
  }

  private func tell(_ key: String) {
    let watches = state.withLock { $0.watches }
    for watch in watches where key.hasPrefix(watch.prefix) { watch.changed(.keys([key])) }
  }

  func watch(_ prefix: String, _ changed: @escaping @Sendable (StoreChange) -> Void)
    -> any StoreWatch
  {
    let id = state.withLock { state in
      state.nextWatch += 1
      state.watches.append((state.nextWatch, prefix, changed))
      return state.nextWatch
    }
    return Watch(self, id)
  }

  func hold(_ key: String, _ value: [UInt8]) throws(StoreError) -> any StoreHold {
    if !state.withLock({ $0.held.insert(key).inserted }) { throw .held(key) }
    let hold = Hold(self, key)
    hold.update(value)
    return hold
  }

  private final class Watch: StoreWatch {
    let store: MemoryStore
    let id: Int

    init(_ store: MemoryStore, _ id: Int) {
      self.store = store
      self.id = id
    }

    func cancel() { store.state.withLock { $0.watches.removeAll { $0.id == id } } }
  }

  private final class Hold: StoreHold {
    let store: MemoryStore
    let key: String

    init(_ store: MemoryStore, _ key: String) {
      self.store = store
      self.key = key
    }

    func update(_ value: [UInt8]) {
      store.state.withLock { $0.values[key] = StoredValue(key: key, revision: 1, value: value) }
      store.tell(key)
    }

    func release() {
      store.state.withLock { state in
        state.values[key] = nil
        state.held.remove(key)
      }
      store.tell(key)
    }
  }
}
