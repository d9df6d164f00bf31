// SPDX-License-Identifier: Apache-2.0
@testable import AtollCore

extension CacheStore {
  /// Takes out everything but forms, as eviction would.
  func evictSources() {
    let state = state
    gate.lock()
    for bucket in 0..<index.bucketCount {
      var at = index.first(bucket)
      while at != 0 {
        let entry = addresses.entry(at)
        at = entry.chain
        if entry.kind == .response { state.pointee.unlink(entry) }
      }
    }
    gate.unlock()
  }
}
