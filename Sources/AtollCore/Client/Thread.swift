// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// A thread of the edge: named for `top -H`, deaf to signals, which only the supervisor takes.
package enum Thread {
  /// A thread that ends by itself and is never joined.
  package static func startDetached(
    _ name: StaticString, _ body: @escaping @Sendable () -> Void
  ) {
    pthread_detach(start(name, body))
  }

  /// A thread that the caller joins.
  /// - Parameter name: at most 15 bytes.
  package static func start(
    _ name: StaticString, _ body: @escaping @Sendable () -> Void
  ) -> pthread_t {
    let task = Unmanaged.passRetained(Task(name: name, body: body))
    var thread = pthread_t()
    // A thread begins with its maker's signal mask: with everything blocked here, no signal can
    // reach it before its first instruction.
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    let failure = pthread_create(
      &thread, nil,
      { argument in
        let task = Unmanaged<Task>.fromOpaque(argument!).takeRetainedValue()
        task.name.utf8Start.withMemoryRebound(
          to: CChar.self, capacity: task.name.utf8CodeUnitCount + 1
        ) { csystem_name_thread($0) }
        task.body()
        return nil
      }, task.toOpaque())
    pthread_sigmask(SIG_SETMASK, &previous, nil)
    precondition(failure == 0, "a thread could not be started")
    return thread
  }

  private final class Task: Sendable {
    let name: StaticString
    let body: @Sendable () -> Void

    init(name: StaticString, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
