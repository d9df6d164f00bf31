// SPDX-License-Identifier: Apache-2.0

/// Deadlines of a loop's channels: a hashed wheel with one link per channel slot.
///
/// A deadline that moves later, the case of every request on a kept-alive connection, costs one
/// store: the channel stays where it is in the wheel and is moved on when that place comes up.
struct Timers: ~Copyable {
  static let tick: Int64 = 64
  private static let wheelSize = 1024

  private struct Link {
    /// Milliseconds of the loop's clock; `Int64.max` when there is none.
    var deadline: Int64 = .max
    var next: Int32 = -1
    var previous: Int32 = -1
    /// Place in the wheel, -1 when not linked.
    var place: Int32 = -1
  }

  private var links: UnsafeMutablePointer<Link>
  private var capacity: Int
  private let heads: UnsafeMutablePointer<Int32>
  /// The last tick that was swept.
  private var swept: Int64
  private(set) var linked = 0

  init(now: Int64) {
    capacity = 64
    links = .allocate(capacity: capacity)
    links.initialize(repeating: Link(), count: capacity)
    heads = .allocate(capacity: Self.wheelSize)
    heads.initialize(repeating: -1, count: Self.wheelSize)
    swept = now / Self.tick
  }

  deinit {
    links.deallocate()
    heads.deallocate()
  }

  mutating func reserve(slots: Int) {
    if slots <= capacity { return }
    let larger = UnsafeMutablePointer<Link>.allocate(capacity: slots)
    larger.initialize(repeating: Link(), count: slots)
    larger.update(from: links, count: capacity)
    links.deallocate()
    links = larger
    capacity = slots
  }

  @inline(__always)
  mutating func set(_ slot: Int32, at deadline: Int64) {
    guard slot >= 0 else { return }
    let link = links + Int(slot)
    let earlier = deadline < link.pointee.deadline
    link.pointee.deadline = deadline
    if link.pointee.place < 0 {
      insert(slot)
    } else if earlier {
      move(slot)
    }
  }

  @inline(__always)
  mutating func clear(_ slot: Int32) {
    guard slot >= 0 else { return }
    links[Int(slot)].deadline = .max
  }

  /// Forgets the slot altogether: its channel has gone.
  mutating func remove(_ slot: Int32) {
    links[Int(slot)].deadline = .max
    if links[Int(slot)].place >= 0 { unlink(slot) }
  }

  @inline(never)
  private mutating func move(_ slot: Int32) {
    unlink(slot)
    insert(slot)
  }

  @inline(never)
  private mutating func insert(_ slot: Int32) {
    let link = links + Int(slot)
    // At least the next tick: the current one may be under way.
    let tick = max(link.pointee.deadline / Self.tick &+ 1, swept &+ 1)
    let reach = min(tick, swept &+ Int64(Self.wheelSize) &- 1)
    let place = Int32(truncatingIfNeeded: reach % Int64(Self.wheelSize))
    link.pointee.place = place
    link.pointee.previous = -1
    link.pointee.next = heads[Int(place)]
    if link.pointee.next >= 0 { links[Int(link.pointee.next)].previous = slot }
    heads[Int(place)] = slot
    linked &+= 1
  }

  private mutating func unlink(_ slot: Int32) {
    let link = links[Int(slot)]
    if link.previous >= 0 {
      links[Int(link.previous)].next = link.next
    } else {
      heads[Int(link.place)] = link.next
    }
    if link.next >= 0 { links[Int(link.next)].previous = link.previous }
    links[Int(slot)].place = -1
    linked &-= 1
  }

  /// Milliseconds until the wheel wants to be swept again; -1 when nothing is linked.
  func wait(now: Int64) -> Int32 {
    if linked == 0 { return -1 }
    return Int32(truncatingIfNeeded: max(0, (swept &+ 1) &* Self.tick &- now))
  }

  /// Collects the slots whose deadline has passed, clearing it.
  mutating func sweep(now: Int64, into expired: inout [Int32]) {
    let current = now / Self.tick
    if linked == 0 {
      swept = max(swept, current)
      return
    }
    // After a long time without a sweep one turn of the wheel comes past every place.
    swept = max(swept, current &- Int64(Self.wheelSize))
    while swept < current {
      swept &+= 1
      var slot = heads[Int(swept % Int64(Self.wheelSize))]
      while slot >= 0 {
        let next = links[Int(slot)].next
        unlink(slot)
        let deadline = links[Int(slot)].deadline
        if deadline <= now {
          links[Int(slot)].deadline = .max
          expired.append(slot)
        } else if deadline != .max {
          insert(slot)
        }
        slot = next
      }
    }
  }
}
