// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What an edge agrees to with viewers: Mozilla's configurations of the same names.
///
/// Of what both sides can do the viewer chooses, groups and ciphers alike: whoever lacks AES in
/// hardware asks for ChaCha20 first.
package enum TLSPolicy: String, Sendable, CaseIterable {
  /// TLS 1.3 alone.
  case modern
  /// TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3. The finite-field
  /// groups (DHE) of Mozilla's list are left out: no browser of the last ten years needs them, and
  /// a handshake with them costs the edge as much as fifty others.
  case intermediate

  var minimumVersion: Int32 {
    switch self {
    case .modern: TLS1_3_VERSION
    case .intermediate: TLS1_2_VERSION
    }
  }

  /// Of TLS 1.2.
  static let ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    + "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    + "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
  static let groups = "X25519:P-256:P-384"
}
