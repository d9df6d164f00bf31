// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Trailers on their way through (RFC 9110 §6.5): those of the response to whoever reads along, those
/// of the request to the origin.
extension OriginRequest {
  /// A chunked response may have some: notes what its head says of them.
  func awaitTrailers(of response: ResponseHead, _ base: UnsafePointer<UInt8>) {
    guard response.framing == .chunked else { return }
    let trailers = ResponseTrailers(response, base, behavior: fetch.behavior)
    responseTrailers = trailers
    fetch.announcedTrailers = trailers.announcement
  }

  /// The field lines behind a response's body. False when they are malformed: then so is the
  /// response.
  func receivedTrailers(_ lines: ByteBuffer) -> Bool {
    guard let section = TrailerSection(lines) else { return false }
    fetch.trailers = responseTrailers?.lines(of: section)
    return true
  }

  /// Ends the request's body with the field lines that came behind it, as far as they go on. False
  /// when they are malformed.
  func writeLastChunk(trailers lines: ByteBuffer?) -> Bool {
    let last = ByteBuffer(capacity: 256)
    last.append("0\r\n")
    if let lines {
      guard let section = TrailerSection(lines) else { return false }
      if let viewer = parseViewerHead(),
        let passed = trailerLines(
          of: section, viewer, viewerHead.base, behavior: fetch.behavior, origin: policy)
      {
        last.append(passed.bytes)
      }
    }
    last.append("\r\n")
    write(last)
    return true
  }
}
