// SPDX-License-Identifier: Apache-2.0

/// A parsed response head (RFC 9112 §4) from an origin: offsets into bytes that the caller keeps.
///
/// One per loop, refilled by `parse`; its numbers lie outside the object as `RequestHead`'s do.
package final class ResponseHead {
  package let fields: FieldTable
  package let state: UnsafeMutablePointer<State>

  package struct State {
    package internal(set) var status: UInt16 = 0
    package internal(set) var minorVersion: UInt8 = 1
    package internal(set) var keepsAlive = true
    package internal(set) var connectionListsFields = false
    package internal(set) var reasonStart: UInt16 = 0
    package internal(set) var reasonLength: UInt16 = 0
    package internal(set) var length = 0
    package internal(set) var framing: BodyFraming = .none
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
