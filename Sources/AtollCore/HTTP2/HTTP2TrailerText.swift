// SPDX-License-Identifier: Apache-2.0

/// The trailers of a request (RFC 9113 §8.1) as field lines, each with CRLF.
package final class HTTP2TrailerText: HeaderLineReceiver {
  package private(set) var lines = ByteBuffer(capacity: 256)
  package private(set) var isMalformed = false
  private var listSize = 0

  package init() {}

  package func add(_ line: HeaderLine) -> Bool {
    listSize += Int(line.nameCount) + Int(line.valueCount) + 32
    if listSize > Limits.trailers { return false }
    switch line.role {
    case .method, .path, .scheme, .authority, .protocol, .malformed: isMalformed = true
    // RFC 9113 §8.2.2.
    case .te:
      let value = UnsafeBufferPointer(start: line.value, count: Int(line.valueCount))
      if !equalsIgnoringCase(value, "trailers") { isMalformed = true }
    // How long the body was has been told before it, or not at all (RFC 9110 §6.5.1).
    case .contentLength: isMalformed = true
    default: break
    }
    if !line.hasValidValue { isMalformed = true }
    lines.append(line.text, line.count)
    return true
  }
}
