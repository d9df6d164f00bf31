// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Who asks: the peer of the connection.
extension Exchange {
  /// How the viewer reached the edge.
  func viewerScheme(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Scheme { .http }

  /// The viewer's address as text, without port.
  func viewerAddress(_ head: RequestHead, _ base: UnsafePointer<UInt8>)
    -> UnsafeBufferPointer<UInt8>
  {
    viewer.addressText
  }
}
