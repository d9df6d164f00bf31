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
    /// There is no TLS to be had with the server, although it speaks it.
    case tls
    /// The server speaks no TLS on this port, or has said nothing at all when it was asked to.
    case noTLS
    /// The server speaks TLS on this port, and was asked in the clear.
    case onlyTLS
    /// The server's certificate is not believed.
    case certificate(CertificateFault)
    /// The server broke off, or did not answer in HTTP.
    case response
    /// The server closed the connection without a byte.
    case noAnswer
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

  /// - Parameter url: what was asked for in the clear.
  package static func onlyTLS(_ peer: String, _ url: ClientURL) -> ClientError {
    ClientError(
      .onlyTLS, "\(peer) speaks TLS on this port, and was asked in the clear",
      hint: "ask for \(url.asked(by: .https).text)")
  }

  static func usage(_ message: String, hint: String? = nil) -> ClientError {
    ClientError(.usage, message, hint: hint)
  }
}
