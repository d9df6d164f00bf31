// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// One thread with its own epoll: connections, timers and origin pools live and die on it.
///
/// Nothing here is locked. Other threads speak to it through `post` alone.
final class EventLoop: @unchecked Sendable {
  private struct Slot {
    var channel: Unmanaged<Channel>?
    var generation: UInt32 = 0
  }

  let index: Int
  let mailbox: Mailbox
  private let epoll: Int32
  private var slots: UnsafeMutablePointer<Slot>
  private var slotCapacity = 64
  private var freeSlots: [Int32]
  var timers: Timers
  /// Milliseconds of the monotonic clock, read once per wait.
  private(set) var now: Int64
  /// Seconds since 1970, read once per wait.
  private(set) var wallTime: Int64
  private var isRunning = true
  /// Channels closed during this turn: events already fetched may still be under way in them.
  private var departed: [Unmanaged<Channel>] = []
  private var expired: [Int32] = []
  private var deferred: [() -> Void] = []
  private var thread: pthread_t?

  /// What the edge keeps on each loop; set before `start`.
  var services: LoopServices!

  init(index: Int) throws(EdgeError) {
    self.index = index
    mailbox = try Mailbox()
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    if epoll < 0 { throw EdgeError.system("epoll_create1", csystem_errno()) }
    slots = .allocate(capacity: slotCapacity)
    slots.initialize(repeating: Slot(), count: slotCapacity)
    freeSlots = (0..<Int32(slotCapacity)).reversed()
    now = SystemCall.monotonicMilliseconds()
    wallTime = SystemCall.wallMicroseconds() / 1_000_000
    timers = Timers(now: now)
    _ = csystem_epoll_control(
      epoll, EPOLL_CTL_ADD, mailbox.descriptor, Events.input, UInt64(UInt32.max))
  }

  deinit {
    close(epoll)
    slots.deallocate()
  }

  func post(_ work: @escaping @Sendable () -> Void) { mailbox.post(work) }

  /// Whether the caller runs on this loop's thread.
  var isCurrent: Bool { thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }

  /// Runs `work` on the loop and waits for it; never called from a loop.
  func run(_ work: @escaping @Sendable () -> Void) {
    let done = Semaphore()
    post {
      work()
      done.signal()
    }
    done.wait()
  }

  /// Runs at the end of this turn, on this loop: for what must not happen inside a callback.
  func afterwards(_ work: @escaping () -> Void) { deferred.append(work) }

  // MARK: Channels

  func register(_ channel: Channel, events: UInt32) -> Registration {
    let registration = occupy(channel)
    _ = csystem_epoll_control(
      epoll, EPOLL_CTL_ADD, channel.descriptor, events, registration.token)
    return registration
  }

  /// For a channel without a descriptor.
  func registerForTime(_ channel: Channel) -> Registration { occupy(channel) }

  /// Another channel goes on in the place of one whose events may be under way.
  func replace(_ channel: Channel, with successor: Channel, _ registration: Registration) {
    let slot = slots + Int(registration.slot)
    if let held = slot.pointee.channel { departed.append(held) }
    slot.pointee.channel = Unmanaged.passRetained(successor)
  }

  /// No events until `listen`. Not by EPOLL_CTL_MOD, which the kernel refuses for EPOLLEXCLUSIVE.
  func silence(_ channel: Channel) {
    _ = csystem_epoll_control(epoll, EPOLL_CTL_DEL, channel.descriptor, 0, 0)
  }

  func listen(to channel: Channel, events: UInt32) {
    _ = csystem_epoll_control(
      epoll, EPOLL_CTL_ADD, channel.descriptor, events, channel.registration.token)
  }

  private func occupy(_ channel: Channel) -> Registration {
    if freeSlots.isEmpty { growSlots() }
    let slot = freeSlots.removeLast()
    slots[Int(slot)].channel = Unmanaged.passRetained(channel)
    return Registration(slot: slot, generation: slots[Int(slot)].generation)
  }

  private func growSlots() {
    let larger = UnsafeMutablePointer<Slot>.allocate(capacity: slotCapacity * 2)
    larger.initialize(repeating: Slot(), count: slotCapacity * 2)
    larger.update(from: slots, count: slotCapacity)
    slots.deallocate()
    slots = larger
    freeSlots.append(contentsOf: (Int32(slotCapacity)..<Int32(slotCapacity * 2)).reversed())
    slotCapacity *= 2
    timers.reserve(slots: slotCapacity)
  }

  func unregister(_ channel: Channel, _ registration: Registration) {
    let slot = slots + Int(registration.slot)
    guard slot.pointee.generation == registration.generation, let held = slot.pointee.channel
    else { return }
    timers.remove(registration.slot)
    slot.pointee.channel = nil
    slot.pointee.generation &+= 1
    freeSlots.append(registration.slot)
    departed.append(held)
  }

  /// Every channel now registered, for draining.
  func forEachChannel(_ body: (Channel) -> Void) {
    for index in 0..<slotCapacity {
      if let channel = slots[index].channel { body(channel.takeUnretainedValue()) }
    }
  }

  // MARK: Running

  func start() {
    Thread.startDetached("atoll-loop") { self.run() }
  }

  func stop() { post { self.isRunning = false } }

  private func run() {
    thread = pthread_self()
    let capacity = 256
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
    defer { events.deallocate() }
    while isRunning {
      // Swept channels and deferred work may have been left behind by the previous turn.
      let wait = deferred.isEmpty ? timers.wait(now: now) : 0
      let count = epoll_wait(epoll, events, Int32(capacity), wait)
      now = SystemCall.monotonicMilliseconds()
      var time = timespec()
      clock_gettime(CLOCK_REALTIME_COARSE, &time)
      wallTime = Int64(time.tv_sec)
      var index = 0
      while index < Int(count) {
        let event = events + index
        index &+= 1
        let token = csystem_event_token(event)
        if token == UInt64(UInt32.max) {
          mailbox.deliver()
          continue
        }
        let registration = Registration(token: token)
        let slot = slots + Int(registration.slot)
        guard slot.pointee.generation == registration.generation,
          let channel = slot.pointee.channel
        else { continue }
        channel._withUnsafeGuaranteedRef { $0.ready(event.pointee.events) }
      }
      finishTurn()
    }
    finishTurn()
  }

  @inline(__always)
  private func finishTurn() {
    if timers.linked > 0 {
      timers.sweep(now: now, into: &expired)
      if !expired.isEmpty { fireExpired() }
    }
    if !deferred.isEmpty {
      let work = deferred
      deferred.removeAll(keepingCapacity: true)
      for item in work { item() }
    }
    services.endOfTurn()
    if !departed.isEmpty {
      let gone = departed
      departed.removeAll(keepingCapacity: true)
      for channel in gone { channel.release() }
    }
  }

  private func fireExpired() {
    // A deadline's work may close other channels of the list: their generation tells.
    let due = expired.map { ($0, slots[Int($0)].generation) }
    expired.removeAll(keepingCapacity: true)
    for (slot, generation) in due where slots[Int(slot)].generation == generation {
      slots[Int(slot)].channel?._withUnsafeGuaranteedRef { $0.deadlineReached() }
    }
  }
}
