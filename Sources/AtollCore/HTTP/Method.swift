// SPDX-License-Identifier: Apache-2.0

/// A request method (RFC 9110 §9); methods that the edge gives no meaning are `other`.
@usableFromInline
package enum Method: UInt8, Sendable {
  case get, head, options, post, put, patch, delete, trace, connect, other

  /// GET, HEAD, OPTIONS and TRACE: repeating one is harmless (RFC 9110 §9.2.1).
  package var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace: true
    case .post, .put, .patch, .delete, .connect, .other: false
    }
  }
}
