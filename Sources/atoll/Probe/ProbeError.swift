// SPDX-License-Identifier: Apache-2.0

/// Why a probe could not be made, in words for its user.
struct ProbeError: Error, Equatable {
  enum Fault: Equatable {
    /// The command line asks for something that cannot be.
    case usage
    /// The server was not reached, or did not answer in HTTP.
    case unreachable
  }

  var fault: Fault
  var message: String
  var hint: String?

  static func usage(_ message: String, hint: String? = nil) -> ProbeError {
    ProbeError(fault: .usage, message: message, hint: hint)
  }

  static func unreachable(_ message: String, hint: String? = nil) -> ProbeError {
    ProbeError(fault: .unreachable, message: message, hint: hint)
  }
}
