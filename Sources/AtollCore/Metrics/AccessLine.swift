// SPDX-License-Identifier: Apache-2.0

extension Outcome {
  /// As logs and metrics print it.
  package var text: StaticString {
    switch self {
    case .hit: "hit"
    case .stale: "stale"
    case .revalidated: "revalidated"
    case .miss: "miss"
    case .coalesced: "coalesced"
    case .pass: "pass"
    case .error: "error"
    case .local: "local"
    }
  }
}

/// Writes access log lines. One per loop: it keeps the written form of the current second.
///
/// Viewers choose many of the bytes. Whatever they send, a JSON line stays one valid object and a
/// combined line keeps its shape: neither can be made to look like two.
package struct AccessLineWriter: ~Copyable {
  private let format: LogFormat
  /// The date and time of `second` in the format's notation.
  private let stamp = ByteBuffer(capacity: 32)
  private var second = Int64.min

  package init(format: LogFormat) { self.format = format }

  /// Appends one line with its line feed.
  package mutating func append(_ record: borrowing AccessRecord, to buffer: ByteBuffer) {
    if record.seconds != second { setStamp(record.seconds) }
    switch format {
    case .json: appendJSON(record, to: buffer)
    case .combined: appendCombined(record, to: buffer)
    }
  }

  private mutating func setStamp(_ seconds: Int64) {
    second = seconds
    stamp.removeAll()
    switch format {
    case .json:
      RFC3339.write(seconds, to: stamp.reserveTail(20))
      // The fraction goes before the "Z".
      stamp.advance(by: 19)
    case .combined:
      let time = CalendarDate(seconds: seconds)
      appendTwoDigits(time.day, to: stamp)
      stamp.append(UInt8(ascii: "/"))
      stamp.append(HTTPDate.monthNames.utf8Start + 3 * (time.month - 1), 3)
      stamp.append(UInt8(ascii: "/"))
      stamp.appendDecimal(UInt64(clamping: time.year))
      stamp.append(UInt8(ascii: ":"))
      appendTwoDigits(time.hour, to: stamp)
      stamp.append(UInt8(ascii: ":"))
      appendTwoDigits(time.minute, to: stamp)
      stamp.append(UInt8(ascii: ":"))
      appendTwoDigits(time.second, to: stamp)
    }
  }

  // MARK: JSON

  private func appendJSON(_ record: borrowing AccessRecord, to buffer: ByteBuffer) {
    buffer.append("{\"time\":\"")
    buffer.append(stamp.bytes)
    buffer.append(UInt8(ascii: "."))
    appendSixDigits(UInt64(clamping: record.microseconds), to: buffer)
    buffer.append("Z\",\"requestId\":\"")
    buffer.appendHex(record.requestIDHigh)
    buffer.appendHex(record.requestIDLow)
    buffer.append("\",\"viewer\":")
    appendString(record.viewer, to: buffer)
    buffer.append(",\"distribution\":")
    appendString(record.distribution, to: buffer)
    buffer.append(",\"method\":")
    appendString(record.method, to: buffer)
    buffer.append(",\"host\":")
    appendString(record.host, to: buffer)
    buffer.append(",\"target\":")
    appendString(record.target, to: buffer)
    buffer.append(",\"protocol\":\"HTTP/")
    buffer.append(record.version.number)
    buffer.append("\",\"status\":")
    buffer.appendDecimal(UInt64(record.status))
    buffer.append(",\"bytesSent\":")
    buffer.appendDecimal(UInt64(clamping: record.bytesDown))
    buffer.append(",\"bodyBytes\":")
    buffer.appendDecimal(UInt64(clamping: record.bodyBytes))
    buffer.append(",\"bytesReceived\":")
    buffer.appendDecimal(UInt64(clamping: record.bytesUp))
    buffer.append(",\"duration\":")
    appendSeconds(record.duration, to: buffer)
    buffer.append(",\"firstByte\":")
    appendSeconds(record.firstByte, to: buffer)
    buffer.append(",\"cache\":\"")
    buffer.append(record.verdict.outcome.text)
    buffer.append("\",\"reason\":")
    if record.verdict.reason == .none {
      buffer.append("null")
    } else {
      buffer.append(UInt8(ascii: "\""))
      buffer.append(record.verdict.reason.text)
      buffer.append(UInt8(ascii: "\""))
    }
    buffer.append(",\"age\":")
    if record.age < 0 {
      buffer.append("null")
    } else {
      buffer.appendDecimal(UInt64(clamping: record.age))
    }
    buffer.append(",\"originStatus\":")
    if record.originStatus == 0 {
      buffer.append("null")
    } else {
      buffer.appendDecimal(UInt64(record.originStatus))
    }
    buffer.append(",\"tls\":")
    appendString(record.tls, to: buffer)
    buffer.append(",\"referer\":")
    appendString(record.referer, to: buffer)
    buffer.append(",\"userAgent\":")
    appendString(record.userAgent, to: buffer)
    buffer.append("}\n")
  }

  private func appendString(_ bytes: AccessRecord.Bytes, to buffer: ByteBuffer) {
    if bytes.isEmpty {
      buffer.append("null")
    } else {
      appendJSONString(bytes, to: buffer)
    }
  }

  private func appendSeconds(_ microseconds: Int64, to buffer: ByteBuffer) {
    if microseconds < 0 {
      buffer.append("null")
    } else {
      buffer.appendDecimal(UInt64(microseconds / 1_000_000))
      appendFraction(UInt64(microseconds % 1_000_000), digits: 6, to: buffer)
    }
  }

  // MARK: Combined

  private func appendCombined(_ record: borrowing AccessRecord, to buffer: ByteBuffer) {
    appendField(record.viewer, to: buffer)
    buffer.append(" - - [")
    buffer.append(stamp.bytes)
    buffer.append(" +0000] \"")
    if record.method.isEmpty {
      buffer.append(UInt8(ascii: "-"))
    } else {
      appendQuoted(record.method, to: buffer)
      buffer.append(UInt8(ascii: " "))
      appendQuoted(record.target, to: buffer)
      buffer.append(" HTTP/")
      buffer.append(record.version.number)
    }
    buffer.append("\" ")
    buffer.appendDecimal(UInt64(record.status))
    buffer.append(UInt8(ascii: " "))
    buffer.appendDecimal(UInt64(clamping: record.bodyBytes))
    buffer.append(" \"")
    appendField(record.referer, to: buffer)
    buffer.append("\" \"")
    appendField(record.userAgent, to: buffer)
    buffer.append("\" ")
    buffer.append(record.verdict.outcome.text)
    if record.verdict.reason != .none {
      buffer.append(UInt8(ascii: ":"))
      buffer.append(record.verdict.reason.text)
    }
    buffer.append(UInt8(ascii: " "))
    buffer.appendHex(record.requestIDHigh)
    buffer.appendHex(record.requestIDLow)
    buffer.append(UInt8(ascii: "\n"))
  }

  private func appendField(_ bytes: AccessRecord.Bytes, to buffer: ByteBuffer) {
    if bytes.isEmpty { buffer.append(UInt8(ascii: "-")) } else { appendQuoted(bytes, to: buffer) }
  }

  /// As nginx escapes: quotes, backslashes, controls and everything above ASCII as \xHH.
  private func appendQuoted(_ bytes: AccessRecord.Bytes, to buffer: ByteBuffer) {
    guard let start = bytes.baseAddress else { return }
    let end = start + bytes.count
    var at = start
    while at < end {
      var plain = at
      while plain < end && Self.isPlain(plain.pointee) { plain += 1 }
      buffer.append(at, plain - at)
      at = plain
      if at < end {
        buffer.append("\\x")
        appendHexByte(at.pointee, letters: UInt8(ascii: "A"), to: buffer)
        at += 1
      }
    }
  }

  @inline(__always)
  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }
}

private func appendTwoDigits(_ value: Int, to buffer: ByteBuffer) {
  buffer.append(UInt8(truncatingIfNeeded: value / 10 &+ 48))
  buffer.append(UInt8(truncatingIfNeeded: value % 10 &+ 48))
}

private func appendSixDigits(_ value: UInt64, to buffer: ByteBuffer) {
  var unit: UInt64 = 100_000
  while unit > 0 {
    buffer.append(UInt8(truncatingIfNeeded: value / unit % 10 &+ 48))
    unit /= 10
  }
}
