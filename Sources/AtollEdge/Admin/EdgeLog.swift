// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// The edge's own log: one line per event on standard error.
package struct EdgeLog: Sendable {
  /// Bytes of a line: what a pipe that polls writable takes at once (pipe(7)).
  package static let lineLimit = Int(PIPE_BUF)

  private let descriptor: Int32

  package init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = descriptor }

  /// From any thread, loops included: never waits. A line that nobody takes is lost.
  package func write(_ text: String) {
    var bytes = Array("atoll: ".utf8)
    for byte in text.utf8 {
      // Texts may quote what stands in a file: a line stays a line.
      bytes.append(byte < 0x20 || byte == 0x7f ? 0x20 : byte)
    }
    if bytes.count >= Self.lineLimit {
      let ending = Array(" …".utf8)
      bytes.removeSubrange((Self.lineLimit - ending.count - 1)...)
      // Not inside a character.
      while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
      if let last = bytes.last, last >= 0x80 { bytes.removeLast() }
      bytes += ending
    }
    bytes.append(0x0a)
    var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    if poll(&event, 1, 0) <= 0 { return }
    // One call, so that lines of several threads do not mix.
    _ = Glibc.write(descriptor, bytes, bytes.count)
  }
}

/// Opens /dev/null for each standard stream that the process was started without: else the next
/// socket gets its number, and log lines go to a viewer.
package func reserveStandardStreams() {
  while true {
    let descriptor = open("/dev/null", O_RDWR)
    if descriptor > STDERR_FILENO { close(descriptor) }
    if descriptor < 0 || descriptor > STDERR_FILENO { return }
  }
}
