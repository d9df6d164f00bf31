// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A mutex inside memory that someone else owns.
struct Lock: @unchecked Sendable {
  /// Two cache lines: processors fetch lines in pairs.
  static let stride = 128

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  /// Of the lock that `initialize` made at this address.
  @inline(__always)
  init(at address: UnsafeMutableRawPointer) {
    mutex = address.assumingMemoryBound(to: pthread_mutex_t.self)
  }

  static func initialize(at address: UnsafeMutableRawPointer) {
    let mutex = address.bindMemory(to: pthread_mutex_t.self, capacity: 1)
    precondition(MemoryLayout<pthread_mutex_t>.size <= stride)
    pthread_mutex_init(mutex, nil)
  }

  func destroy() { pthread_mutex_destroy(mutex) }

  @inline(__always)
  func lock() { pthread_mutex_lock(mutex) }

  @inline(__always)
  func unlock() { pthread_mutex_unlock(mutex) }
}
