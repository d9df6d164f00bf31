// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A viewer's connection whose last response is out, and which reads on until the viewer has closed,
/// so that no reset overtakes what was sent (RFC 9112 §9.6).
protocol LingeringChannel: AnyObject {
  var services: LoopServices { get }
  var isLingering: Bool { get }
  var isReadable: Bool { get set }
  /// Bytes that were read so.
  var lingered: Int { get set }

  func receive(_ memory: UnsafeMutablePointer<UInt8>, _ count: Int) -> Transfer
  func close()
}

extension LingeringChannel {
  func linger() {
    while isReadable && isLingering {
      switch receive(services.scratch, services.scratchSize) {
      case .moved(let count) where count > 0:
        lingered += count
        if lingered > Limits.lingering { return close() }
      case .wouldBlock:
        isReadable = false
      case .moved, .failed:
        close()
      }
    }
  }
}
