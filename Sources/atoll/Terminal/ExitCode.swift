// SPDX-License-Identifier: Apache-2.0

/// Every way the process may end.
enum ExitCode: Int32, Sendable, CaseIterable {
  case done = 0
  case failed = 1
  case usage = 2
  case unmet = 3
  case unconfirmed = 4
  case interrupted = 130

  var meaning: String {
    switch self {
    case .done: "done; a change that was not needed included"
    case .failed: "it was tried and failed"
    case .usage: "the command line or the configuration is wrong; repeating cannot help"
    case .unmet: "an expectation was not met"
    case .unconfirmed: "done, but a running edge has not confirmed it in time"
    case .interrupted: "interrupted"
    }
  }
}
