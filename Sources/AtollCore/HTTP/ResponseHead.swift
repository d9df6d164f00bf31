// SPDX-License-Identifier: Apache-2.0

/// A parsed response head (RFC 9112 §4) from an origin: offsets into bytes that the caller keeps.
package final class ResponseHead {
  package let fields: FieldTable
  package internal(set) var status: UInt16 = 0
  package internal(set) var minorVersion: UInt8 = 1
  package internal(set) var reasonStart: UInt16 = 0
  package internal(set) var reasonLength: UInt16 = 0
  /// As RFC 9112 §6.3 decides for the request's method and this status.
  package internal(set) var framing: BodyFraming = .none
  package internal(set) var keepsAlive = true
  package internal(set) var connectionListsFields = false
  package internal(set) var length = 0

  package init(fieldCapacity: Int = Limits.headerCount) {
    fields = FieldTable(capacity: fieldCapacity)
  }
}
