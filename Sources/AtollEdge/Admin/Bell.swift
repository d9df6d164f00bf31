// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import Synchronization

/// What other threads want of the supervisor, until it looks.
final class Bell: Sendable {
  struct Rung {
    var configuration = false
    var purges = false
    var challenges = false
    var certificates = false
    /// What viewers are told of the certificates' status has changed.
    var staples = false
    var isDrained = false
    var signals: [Int32] = []

    static let everything = Rung(
      configuration: true, purges: true, challenges: true, certificates: true)
  }

  let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
  private let rung = Mutex(Rung())

  deinit { _ = close(descriptor) }

  func ringConfiguration() { ring { $0.configuration = true } }

  func ringPurges() { ring { $0.purges = true } }

  func ringChallenges() { ring { $0.challenges = true } }

  func ringCertificates() { ring { $0.certificates = true } }

  func ringStaples() { ring { $0.staples = true } }

  func ringDrained() { ring { $0.isDrained = true } }

  func ring(signal: Int32) { ring { $0.signals.append(signal) } }

  private func ring(_ note: (inout sending Rung) -> Void) {
    rung.withLock { note(&$0) }
    eventfd_write(descriptor, 1)
  }

  func take() -> Rung {
    var count: UInt64 = 0
    eventfd_read(descriptor, &count)
    return rung.withLock { rung in
      defer { rung = Rung() }
      return rung
    }
  }
}
