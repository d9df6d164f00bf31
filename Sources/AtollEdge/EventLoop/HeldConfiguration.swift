// SPDX-License-Identifier: Apache-2.0

/// A configuration, and how many on one loop hold it: the loop that hands it to requests, and the
/// exchanges that go on with it after their turn.
///
/// The configuration's own count is shared by all loops, which would take it from each other with
/// every request. The handle is a pointer; whoever keeps one gives it back with `release`.
struct HeldConfiguration {
  private struct State {
    let configuration: EdgeConfiguration
    var holders = 1
  }

  private let state: UnsafeMutablePointer<State>

  /// Held by the caller.
  init(_ configuration: EdgeConfiguration) {
    state = .allocate(capacity: 1)
    state.initialize(to: State(configuration: configuration))
  }

  var configuration: EdgeConfiguration { state.pointee.configuration }

  @inline(__always)
  func retain() { state.pointee.holders &+= 1 }

  @inline(__always)
  func release() {
    state.pointee.holders &-= 1
    if state.pointee.holders == 0 { free() }
  }

  @inline(never)
  private func free() {
    state.deinitialize(count: 1)
    state.deallocate()
  }
}
