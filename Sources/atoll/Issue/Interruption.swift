// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import Synchronization

/// Has a command tidy up before an interrupt or a request to end takes it away. A second one does so
/// at once.
final class Interruption: Sendable {
  private let tasks = Mutex<[@Sendable () -> Void]>([])
  private let console: Console

  /// From now on interrupts wait for what is to be tidied up. Signals that the process ignores stay
  /// ignored.
  init(_ console: Console) {
    self.console = console
    var signals = Self.signals
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    AtollCore.Thread.startDetached("interruption") { self.wait() }
  }

  private static var signals: sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
    return signals
  }

  /// Done on an interrupt, the last one first.
  func onInterrupt(_ task: @escaping @Sendable () -> Void) {
    tasks.withLock { $0.append(task) }
  }

  private func wait() {
    var signals = Self.signals
    var signal: Int32 = 0
    while sigwait(&signals, &signal) != 0 {}
    // The next one finds the process as it was made: it ends it.
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    let tasks = tasks.withLock { $0 }
    if !tasks.isEmpty { console.note("interrupted: tidies up") }
    for task in tasks.reversed() { task() }
    _exit(signal == SIGINT ? ExitCode.interrupted.rawValue : 128 + signal)
  }
}
