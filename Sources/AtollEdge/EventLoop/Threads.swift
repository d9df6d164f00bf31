// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// Starts a detached thread. Stacks stay at 1 MiB: deep recursion is nobody's business here.
func spawnThread(name: String, _ body: @escaping @Sendable () -> Void) {
  final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  pthread_attr_setstacksize(&attributes, 1 << 20)
  var thread = pthread_t()
  let start = Unmanaged.passRetained(Start(name, body))
  let result = pthread_create(
    &thread, &attributes,
    { argument in
      let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
      csystem_name_thread(start.name)
      start.body()
      return nil
    }, start.toOpaque())
  pthread_attr_destroy(&attributes)
  precondition(result == 0, "the kernel refused a thread")
}

/// A counting semaphore between threads.
final class Semaphore: @unchecked Sendable {
  private let value: UnsafeMutablePointer<sem_t>

  init() {
    value = .allocate(capacity: 1)
    sem_init(value, 0, 0)
  }

  deinit {
    sem_destroy(value)
    value.deallocate()
  }

  func signal() { sem_post(value) }

  func wait() { while sem_wait(value) != 0 && csystem_errno() == EINTR {} }
}
