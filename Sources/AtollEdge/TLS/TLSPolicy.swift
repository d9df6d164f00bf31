// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What an edge agrees to with viewers: Mozilla's configurations of the same names.
///
/// Of what both sides can do the viewer chooses, but for the suites of TLS 1.3: there AES with 128
/// bits goes first, as it does with CloudFront and in browsers' own order, and ChaCha20 for viewers
/// that ask for it first, since they lack AES in hardware. SHA-384, which goes with 256 bits, makes
/// a handshake the dearer.
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
  /// Of TLS 1.3, in the order that counts.
  static let suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
  static let groups = "X25519:P-256:P-384"
}
