// SPDX-License-Identifier: Apache-2.0

/// What a command tells when it cannot do its work: lower case, without final period.
struct CommandError: Error, Equatable {
  struct Problem: Equatable, Sendable {
    let message: String
    let hint: String?
  }

  let problems: [Problem]
  /// What went wrong beside that, to be read after it.
  let warnings: [String]
  let code: ExitCode

  init(_ problems: [Problem], warnings: [String] = [], code: ExitCode) {
    self.problems = problems
    self.warnings = warnings
    self.code = code
  }

  /// The command line or the configuration is wrong.
  static func usage(_ message: String, hint: String? = nil) -> CommandError {
    CommandError([Problem(message: message, hint: hint)], code: .usage)
  }

  /// It was tried and failed.
  static func failed(
    _ message: String, hint: String? = nil, code: ExitCode = .failed
  ) -> CommandError {
    CommandError([Problem(message: message, hint: hint)], code: code)
  }
}
