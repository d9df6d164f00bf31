// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// The signals that an edge answers to, read from a descriptor instead of interrupting anyone.
///
/// Made before any thread is: threads started later inherit that these signals are blocked.
final class SignalReader: Sendable {
  let descriptor: Int32

  init(_ signals: [Int32]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    descriptor = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
  }

  deinit { close(descriptor) }

  /// The next signal that has arrived, or nil.
  func next() -> Int32? {
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    return read(descriptor, &information, size) == size ? Int32(information.ssi_signo) : nil
  }
}
