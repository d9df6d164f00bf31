// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

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
