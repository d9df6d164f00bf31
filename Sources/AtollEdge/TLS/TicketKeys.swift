// SPDX-License-Identifier: Apache-2.0
import CTLS

/// The keys that session tickets (RFC 5077, RFC 8446 §4.6.1) are sealed with, shared by all loops.
///
/// They live in this process's memory alone and change twice a day: whoever gets hold of them cannot
/// read what was said more than a day and a half ago. Certificates come and go without them.
final class TicketKeys: @unchecked Sendable {
  /// Seconds for which new tickets are sealed with a key.
  static let period: Int64 = 12 * 3600
  /// Seconds that a ticket is good for.
  static let lifetime: Int64 = 24 * 3600

  /// Seconds by which the loops may disagree.
  private static let skew: Int64 = 60

  enum Found: Equatable { case current, former }

  private let lock = Lock()
  /// The newest first.
  private var keys: [ctls_ticket_key] = []

  deinit { for index in keys.indices { ctls_forget_ticket_key(&keys[index]) } }

  /// Calls `body` with the key for new tickets. False without randomness, or when `body` fails.
  func seal(at now: Int64, _ body: (UnsafePointer<ctls_ticket_key>) -> Bool) -> Bool {
    lock.locked {
      rotate(at: now)
      return keys.withUnsafeBufferPointer { keys in keys.baseAddress.map(body) ?? false }
    }
  }

  /// Calls `body` with the key that a ticket was sealed with; nil when that is gone, or `body` fails.
  func open(
    _ name: UnsafePointer<UInt8>, at now: Int64, _ body: (UnsafePointer<ctls_ticket_key>) -> Bool
  ) -> Found? {
    lock.locked {
      rotate(at: now)
      return keys.withUnsafeBufferPointer { keys in
        for index in keys.indices {
          let key = keys.baseAddress! + index
          guard ctls_is_ticket_key(key, name) else { continue }
          return body(key) ? (index == 0 ? .current : .former) : nil
        }
        return nil
      }
    }
  }

  private func rotate(at now: Int64) {
    for index in keys.indices.reversed() {
      // A clock that was set back makes keys of the future: they are as good as expired. But each
      // loop reads the clock at a time of its own.
      let age = now - keys[index].born
      if age < -Self.skew || age >= Self.period + Self.lifetime {
        ctls_forget_ticket_key(&keys[index])
        keys.remove(at: index)
      }
    }
    if let newest = keys.first, now - newest.born < Self.period { return }
    var key = ctls_ticket_key()
    if ctls_make_ticket_key(&key, now) == 1 { keys.insert(key, at: 0) }
    ctls_forget_ticket_key(&key)
  }
}
