// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// The edge's own log: one line per event on standard error.
package struct EdgeLog: Sendable {
  /// Milliseconds that a line may wait for a reader who sleeps; then it is lost.
  private static let patience: Int32 = 100

  private let descriptor: Int32

  package init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = descriptor }

  /// From any thread.
  package func write(_ text: String) {
    var bytes = Array("atoll: ".utf8)
    for byte in text.utf8 {
      // Texts may quote what stands in a file: a line stays a line.
      if byte >= 0x20 && byte != 0x7f { bytes.append(byte) } else { bytes.append(0x20) }
    }
    bytes.append(0x0a)
    var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    if poll(&event, 1, Self.patience) <= 0 { return }
    // One call, so that lines of several threads do not mix; what does not fit is lost.
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
