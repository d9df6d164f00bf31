// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CHTTP2

/// Heads on their way out, and the size of the viewer's table.
extension HTTP2Connection {
  var headBuffer: Unmanaged<ByteBuffer> {
    if let heads { return heads }
    let buffer = Unmanaged.passRetained(http2.makeHeadBuffer())
    heads = buffer
    return buffer
  }

  /// Writes a head, or an interim one.
  /// - Parameter encode: makes frames of it; says how many bytes they are.
  /// - Returns: the same; nil when the connection is about to end.
  @inline(__always)
  func writeHead(
    _ stream: Int32, endsStream: Bool, _ encode: (ResponseHeads, ResponseHeads.Destination) -> Int
  ) -> Int? {
    if isTerminated { return nil }
    let buffer = headBuffer
    guard buffer._withUnsafeGuaranteedRef({ $0.count }) <= Limits.outputHeads else {
      // Interim ones without end, or of requests that are withdrawn: they cannot be waited for.
      failed()
      return nil
    }
    let place = ResponseHeads.Destination(
      stream: stream, endsStream: endsStream, encoder: encoder, buffer: buffer)
    let count = writer._withUnsafeGuaranteedRef { encode($0, place) }
    if pending != nil { chargeHeads() }
    return count
  }

  /// They have to wait.
  private func chargeHeads() {
    guard let heads = heads?.takeUnretainedValue() else { return }
    services.budget.charge(heads.capacity - headsCharge)
    headsCharge = heads.capacity
  }

  /// Tells the session of a head that has been written, by one without fields that goes nowhere:
  /// after that it asks for the body.
  /// - Parameter provider: nil: the stream ends with its head.
  @inline(__always)
  func submitHead(_ stream: Int32, _ provider: UnsafeMutablePointer<nghttp2_data_provider>?) {
    unheardHeads &+= 1
    nghttp2_submit_response(session, stream, nil, 0, provider)
    scheduleFlush()
  }

  func heardOfHead() { unheardHeads &-= 1 }

  /// The same for trailers, which are written when it is their turn.
  func submitTrailers(_ stream: Int32) {
    unheardHeads += 1
    nghttp2_submit_trailer(session, stream, nil, 0)
  }

  /// The viewer's settings hold as soon as it hears that.
  func received(_ settings: nghttp2_settings) {
    var sizes = TableSizes()
    for index in 0..<settings.niv {
      let entry = settings.iv[index]
      guard entry.settings_id == Int32(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE.rawValue) else {
        continue
      }
      let size = Int(entry.value)
      sizes.smallest = min(sizes.smallest ?? size, size)
      sizes.last = size
    }
    unacknowledged.append(sizes)
  }

  func acknowledged() {
    guard !unacknowledged.isEmpty else { return }
    let sizes = unacknowledged.removeFirst()
    if let smallest = sizes.smallest { encoder.allow(smallest) }
    if let last = sizes.last { encoder.allow(last) }
  }
}
