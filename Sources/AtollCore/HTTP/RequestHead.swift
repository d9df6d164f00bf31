// SPDX-License-Identifier: Apache-2.0

/// A parsed request head (RFC 9112 §3): offsets into bytes that the caller keeps.
///
/// One per loop, refilled by `parse`. The offsets count from the base address that was parsed.
///
/// The numbers lie in memory of their own and not in stored properties: those of a class cost a
/// runtime check for exclusive access each time they are read, as much as parsing a field line. And
/// what is computed is a call from another module, as package declarations are not inlined there;
/// `state` is not.
package final class RequestHead {
  package let fields: FieldTable
  package let state: UnsafeMutablePointer<State>

  package struct State {
    package internal(set) var method: Method = .get
    package internal(set) var minorVersion: UInt8 = 1
    package internal(set) var hasQuery = false
    package internal(set) var keepsAlive = true
    package internal(set) var expectsContinue = false
    package internal(set) var connectionListsFields = false
    package internal(set) var asksUpgrade = false
    package internal(set) var methodLength: UInt16 = 0
    package internal(set) var targetStart: UInt16 = 0
    package internal(set) var targetLength: UInt16 = 0
    package internal(set) var pathStart: UInt16 = 0
    package internal(set) var pathLength: UInt16 = 0
    package internal(set) var queryStart: UInt16 = 0
    package internal(set) var queryLength: UInt16 = 0
    package internal(set) var authorityStart: UInt16 = 0
    package internal(set) var authorityLength: UInt16 = 0
    package internal(set) var length = 0
    package internal(set) var framing: BodyFraming = .none
  }

  package init(fieldCapacity: Int = Limits.headerCount) {
    fields = FieldTable(capacity: fieldCapacity)
    state = .allocate(capacity: 1)
    state.initialize(to: State())
  }

  deinit { state.deallocate() }

  package var method: Method { state.pointee.method }
  package var methodLength: UInt16 { state.pointee.methodLength }
  /// 0 for HTTP/1.0, 1 for HTTP/1.1.
  package var minorVersion: UInt8 { state.pointee.minorVersion }
  /// The request target as received, whatever its form.
  package var targetStart: UInt16 { state.pointee.targetStart }
  package var targetLength: UInt16 { state.pointee.targetLength }
  /// Path and query of the target: the whole target in origin-form, the rest after the authority in
  /// absolute-form (length 0 when that is empty: the path is then "/"), "*" in asterisk-form.
  package var pathStart: UInt16 { state.pointee.pathStart }
  /// Without the query.
  package var pathLength: UInt16 { state.pointee.pathLength }
  /// With neither path nor "?"; meaningful when `hasQuery`.
  package var queryStart: UInt16 { state.pointee.queryStart }
  package var queryLength: UInt16 { state.pointee.queryLength }
  package var hasQuery: Bool { state.pointee.hasQuery }
  /// The authority that counts (RFC 9112 §3.2.2): of an absolute-form target, else the Host field,
  /// without anything removed; length 0 when HTTP/1.0 sent none.
  package var authorityStart: UInt16 { state.pointee.authorityStart }
  package var authorityLength: UInt16 { state.pointee.authorityLength }
  /// Whether the connection persists after the response (RFC 9112 §9.3).
  package var keepsAlive: Bool { state.pointee.keepsAlive }
  package var framing: BodyFraming { state.pointee.framing }
  package var expectsContinue: Bool { state.pointee.expectsContinue }
  /// Connection names fields to be removed besides the usual ones (RFC 9110 §7.6.1).
  package var connectionListsFields: Bool { state.pointee.connectionListsFields }
  /// Connection lists "upgrade" and an Upgrade field stands beside it.
  package var asksUpgrade: Bool { state.pointee.asksUpgrade }
  /// Bytes of the head, the empty line included.
  package var length: Int { state.pointee.length }
}

/// How the length of a message body is known (RFC 9112 §6).
package enum BodyFraming: Equatable, Sendable {
  case none
  case length(UInt64)
  case chunked
  /// Responses only: until the connection closes.
  case untilClose
}

/// What parsing a head found.
package enum HeadParse: Equatable, Sendable {
  /// The head ends after this many bytes.
  case complete(length: Int)
  /// More bytes are needed; nothing wrong so far.
  case incomplete
  case failure(HeadError)
}

/// Why a head is refused; `status` is what a viewer is told, a bad origin head is always 502.
package enum HeadError: String, Error, Equatable, Sendable {
  case badRequestLine = "bad-request-line"
  case badMethod = "bad-method"
  case badTarget = "bad-target"
  case badVersion = "bad-version"
  case badFieldName = "bad-field-name"
  case badFieldValue = "bad-field-value"
  case obsoleteFolding = "obsolete-line-folding"
  case bareLineFeed = "bare-line-feed"
  case missingHost = "missing-host"
  case repeatedHost = "repeated-host"
  case badHost = "bad-host"
  case badContentLength = "bad-content-length"
  case ambiguousFraming = "ambiguous-framing"
  case badTransferEncoding = "bad-transfer-encoding"
  case unsupportedTransferCoding = "unsupported-transfer-coding"
  case targetTooLong = "target-too-long"
  case headTooLarge = "head-too-large"
  case tooManyFields = "too-many-fields"
  case unsupportedVersion = "unsupported-version"
  case unsupportedExpectation = "unsupported-expectation"
  case badStatusLine = "bad-status-line"

  package var status: UInt16 {
    switch self {
    case .targetTooLong: 414
    case .headTooLarge, .tooManyFields: 431
    case .unsupportedVersion: 505
    case .unsupportedExpectation: 417
    case .unsupportedTransferCoding: 501
    default: 400
    }
  }

  /// Rather than wrong, or of a kind that is not known.
  package var isTooLarge: Bool {
    switch self {
    case .targetTooLong, .headTooLarge, .tooManyFields: true
    default: false
    }
  }
}
