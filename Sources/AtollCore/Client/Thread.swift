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

  /// The same for work that the calling thread can do when the system gives no other.
  package static func runDetached(
    _ name: StaticString, _ body: @escaping @Sendable () -> Void
  ) {
    switch make(name, body) {
    case .success(let thread): pthread_detach(thread)
    case .failure: body()
    }
  }

  /// A thread that the caller joins. Ends the process when the system gives none: what is started so
  /// is what the process is there for.
  /// - Parameter name: at most 15 bytes.
  package static func start(
    _ name: StaticString, _ body: @escaping @Sendable () -> Void
  ) -> pthread_t {
    switch make(name, body) {
    case .success(let thread): return thread
    case .failure(let refusal):
      let text = """
        atoll: error: the system gives no more threads: \(String(cString: strerror(refusal.error)))
        atoll: hint: start fewer with --threads, or raise the limits of tasks and memory (ulimit -u, \
        ulimit -v)

        """
      _ = write(STDERR_FILENO, text, text.utf8.count)
      _exit(1)
    }
  }

  private struct Refusal: Error {
    let error: Int32
  }

  private static func make(
    _ name: StaticString, _ body: @escaping @Sendable () -> Void
  ) -> Result<pthread_t, Refusal> {
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
    if failure != 0 {
      task.release()
      return .failure(Refusal(error: failure))
    }
    return .success(thread)
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
