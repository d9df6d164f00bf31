// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import Synchronization

/// Work that other threads hand to a loop; an eventfd wakes it.
final class Mailbox: Sendable {
  private struct State {
    var letters: [@Sendable () -> Void] = []
    var isWoken = false
  }

  private let state = Mutex(State())
  let descriptor: Int32

  init() throws(EdgeError) {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    if descriptor < 0 { throw EdgeError.system("eventfd", csystem_errno()) }
  }

  deinit { close(descriptor) }

  func post(_ letter: @escaping @Sendable () -> Void) {
    let mustWake = state.withLock { state in
      state.letters.append(letter)
      if state.isWoken { return false }
      state.isWoken = true
      return true
    }
    if mustWake {
      var one: UInt64 = 1
      while write(descriptor, &one, 8) < 0 && csystem_errno() == EINTR {}
    }
  }

  /// Runs what has been posted so far, on the calling thread: the loop's.
  func deliver() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
    let letters = state.withLock { state in
      let letters = state.letters
      state.letters = []
      state.isWoken = false
      return letters
    }
    for letter in letters { letter() }
  }
}
