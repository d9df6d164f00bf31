// SPDX-License-Identifier: Apache-2.0

/// Why no certificate was had, in words for people.
package struct ACMEError: Error, Equatable, Sendable {
  package enum Fault: Equatable, Sendable {
    /// The command line or the settings ask for what cannot be.
    case settings
    /// Nothing was asked of the CA yet: its directory, DNS, a port, a hook, another process.
    case preparation
    /// The CA could be reached no longer, or did not speak ACME.
    case transport
    /// The CA refused, and said why.
    case refused
    /// The CA did not find the proof for a domain.
    case validation
    /// Another process is about it already.
    case busy
  }

  package var fault: Fault
  /// Lower case, without period.
  package var message: String
  /// The next step.
  package var hint: String
  /// Further lines, one for each name that the CA had something to say of.
  package var details: [String]
  /// The last part of the URN of the CA's problem: "rateLimited".
  package var type: String?
  /// Seconds since 1970 before which the CA wants no other try.
  package var notBefore: Int64?

  package init(
    _ fault: Fault, _ message: String, hint: String, details: [String] = [], type: String? = nil,
    notBefore: Int64? = nil
  ) {
    self.fault = fault
    self.message = message
    self.hint = hint
    self.details = details
    self.type = type
    self.notBefore = notBefore
  }

  /// Whether trying again soon would cost the CA, and count against its limits.
  package var countsAsFailure: Bool {
    switch fault {
    case .refused, .validation, .transport: true
    case .settings, .preparation, .busy: false
    }
  }

  /// On one line, as a log or a status has it.
  package var line: String { ([message] + details).joined(separator: "; ") }
}
