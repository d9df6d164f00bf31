// SPDX-License-Identifier: Apache-2.0

/// One finished exchange, as the access log tells it.
///
/// The byte runs point into the connection's buffers: a record lives no longer than the call that
/// logs it. Empty runs mean that there was no such thing.
package struct AccessRecord {
  package typealias Bytes = UnsafeBufferPointer<UInt8>

  /// When the exchange ended: seconds since 1970 and microseconds within.
  package var seconds: Int64 = 0
  package var microseconds: Int32 = 0
  package var requestIDHigh: UInt64 = 0
  package var requestIDLow: UInt64 = 0
  /// Address without port.
  package var viewer = Bytes(start: nil, count: 0)
  package var method = Bytes(start: nil, count: 0)
  package var target = Bytes(start: nil, count: 0)
  package var version = HTTPVersion.http11
  package var host = Bytes(start: nil, count: 0)
  package var referer = Bytes(start: nil, count: 0)
  package var userAgent = Bytes(start: nil, count: 0)
  /// The distribution's name.
  package var distribution = Bytes(start: nil, count: 0)
  package var verdict = Verdict(.error)
  /// 0 when the viewer left before a response.
  package var status: UInt16 = 0
  /// Of the response's body alone, as sent; all bytes sent; all bytes received.
  package var bodyBytes = 0
  package var bytesDown = 0
  package var bytesUp = 0
  /// Microseconds from the head's last byte to the response's; to its first byte, -1 without one.
  package var duration: Int64 = 0
  package var firstByte: Int64 = -1
  /// Seconds; -1 when no Age was sent.
  package var age: Int64 = -1
  /// 0 when the origin was not asked.
  package var originStatus: UInt16 = 0
  /// Version of TLS, as `TLSv1.3`; empty in the clear.
  package var tls = Bytes(start: nil, count: 0)

  package init() {}
}

package enum LogFormat: String, Sendable, CaseIterable {
  /// One JSON object per line.
  case json
  /// nginx's combined format, then the cache's verdict and the request id.
  case combined
}
