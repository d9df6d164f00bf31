// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// What a loop waits for: a descriptor, a deadline, or both.
///
/// The loop keeps the only lasting reference. `close` ends the channel: its registration number
/// becomes void at once, so that no event already fetched reaches it or its descriptor's successor.
class Channel {
  /// Outlives its channels.
  private let loopReference: Unmanaged<EventLoop>
  final var loop: EventLoop { loopReference._withUnsafeGuaranteedRef { $0 } }
  /// -1 when the channel waits for time alone, and after `close`.
  final private(set) var descriptor: Int32
  final private(set) var registration: Registration = .none

  init(loop: EventLoop, descriptor: Int32) {
    loopReference = .passUnretained(loop)
    self.descriptor = descriptor
  }

  final var isClosed: Bool { registration == .none && descriptor < 0 }

  /// Registers for edge-triggered events: each change is told once.
  final func register(events: UInt32 = Events.all) {
    registration = loop.register(self, events: events)
  }

  /// Waits for time alone.
  final func registerForTime() { registration = loop.registerForTime(self) }

  /// Becomes what the loop knows under `former`'s registration, with its descriptor and deadline;
  /// `former` is over. What the descriptor was ready for has been told to `former`.
  final func takePlace(of former: Channel) {
    registration = former.registration
    loop.replace(former, with: self, former.registration)
    former.registration = .none
    former.descriptor = -1
  }

  /// Milliseconds from now; a later call replaces an earlier one. Cheap: the timer wheel is only
  /// touched when the new deadline is before the one it knows.
  @inline(__always)
  final func setDeadline(after milliseconds: Int) {
    loopReference._withUnsafeGuaranteedRef {
      $0.timers.set(registration.slot, at: $0.now &+ Int64(milliseconds))
    }
  }

  @inline(__always)
  final func clearDeadline() {
    loopReference._withUnsafeGuaranteedRef { $0.timers.clear(registration.slot) }
  }

  /// Called with `Events` bits.
  func ready(_ events: UInt32) {}
  /// Called when the deadline has passed; it is cleared by then.
  func deadlineReached() {}

  final func closeChannel() {
    if registration != .none {
      loop.unregister(self, registration)
      registration = .none
    }
    if descriptor >= 0 {
      Glibc.close(descriptor)
      descriptor = -1
    }
  }
}

/// Slot and generation: the number that epoll hands back with each event.
struct Registration: Equatable {
  var slot: Int32
  var generation: UInt32

  static let none = Registration(slot: -1, generation: 0)

  var token: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: slot)) }
  init(slot: Int32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }
  init(token: UInt64) {
    slot = Int32(truncatingIfNeeded: token)
    generation = UInt32(truncatingIfNeeded: token >> 32)
  }
}

enum Events {
  static let input = EPOLLIN.rawValue
  static let output = EPOLLOUT.rawValue
  static let peerEnded = EPOLLRDHUP.rawValue
  static let failed = EPOLLERR.rawValue
  static let hungUp = EPOLLHUP.rawValue
  static let edgeTriggered = EPOLLET.rawValue
  static let exclusive = EPOLLEXCLUSIVE.rawValue
  static let all = input | output | peerEnded | edgeTriggered
}
