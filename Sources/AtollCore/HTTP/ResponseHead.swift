// SPDX-License-Identifier: Apache-2.0

/// A parsed response head (RFC 9112 §4) from an origin: offsets into bytes that the caller keeps.
///
/// One per loop, refilled by `parse`; its numbers lie outside the object as `RequestHead`'s do.
package final class ResponseHead {
  package let fields: FieldTable
  let state: UnsafeMutablePointer<State>

  struct State {
    var status: UInt16 = 0
    var minorVersion: UInt8 = 1
    var keepsAlive = true
    var connectionListsFields = false
    var reasonStart: UInt16 = 0
    var reasonLength: UInt16 = 0
    var length = 0
    var framing: BodyFraming = .none
  }

  package init(fieldCapacity: Int = Limits.headerCount) {
    fields = FieldTable(capacity: fieldCapacity)
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  deinit { state.deallocate() }

  package var status: UInt16 { state.pointee.status }
  /// 0 for HTTP/1.0, 1 for HTTP/1.1.
  package var minorVersion: UInt8 { state.pointee.minorVersion }
  package var reasonStart: UInt16 { state.pointee.reasonStart }
  package var reasonLength: UInt16 { state.pointee.reasonLength }
  /// As RFC 9112 §6.3 decides for the request's method and this status.
  package var framing: BodyFraming { state.pointee.framing }
  package var keepsAlive: Bool { state.pointee.keepsAlive }
  /// Connection names fields to be removed besides the usual ones (RFC 9110 §7.6.1).
  package var connectionListsFields: Bool { state.pointee.connectionListsFields }
  /// Bytes of the head, the empty line included.
  package var length: Int { state.pointee.length }
}
