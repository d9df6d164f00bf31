// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A mutex in memory of its own, or inside memory that someone else owns.
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

/// Zeroed memory straight from the kernel, which supplies a page when it is first touched.
func mapPages(_ bytes: Int) -> UnsafeMutableRawPointer {
  guard let memory = probePages(bytes) else {
    fatalError("the kernel refuses \(bytes) bytes of address space")
  }
  return memory
}

/// The same for whoever can do without.
func probePages(_ bytes: Int) -> UnsafeMutableRawPointer? {
  let memory = mmap(
    nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
  return memory == MAP_FAILED ? nil : memory
}

func unmapPages(_ memory: UnsafeMutableRawPointer, _ bytes: Int) { munmap(memory, bytes) }
