// SPDX-License-Identifier: Apache-2.0

/// Why a request could not be made, in words for its user.
package struct ClientError: Error, Equatable {
  package enum Fault: Equatable, Sendable {
    /// It asks for something that cannot be.
    case usage
    /// No address of the host is known.
    case lookup
    /// Nothing could be connected to.
    case connect
    /// Before the connection was there and secured, or after.
    case timeout(connecting: Bool)
    /// There is no TLS to be had with the server.
    case tls
    /// The server's certificate is not believed.
    case certificate(CertificateFault)
    /// The server broke off, or did not answer in HTTP.
    case response
    /// The body is longer than the caller wants it.
    case tooLarge
  }

  package var fault: Fault
  package var message: String
  package var hint: String?

  package init(_ fault: Fault, _ message: String, hint: String? = nil) {
    self.fault = fault
    self.message = message
    self.hint = hint
  }

  static func usage(_ message: String, hint: String? = nil) -> ClientError {
    ClientError(.usage, message, hint: hint)
  }
}
