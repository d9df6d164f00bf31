// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a certificate, a key or a file of them, in words for people.
package struct CertificateError: Error, Equatable, Sendable {
  package var message: String
  /// The next step.
  package var hint: String

  package init(_ message: String, hint: String) {
    self.message = message
    self.hint = hint
  }
}
