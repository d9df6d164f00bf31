// SPDX-License-Identifier: Apache-2.0

/// Everything found wrong with a configuration, at once: a user mends a file in one go.
package struct ConfigError: Error, Equatable, Sendable {
  package struct Problem: Equatable, Sendable {
    /// Source and JSON path: `site.json: settings.ttl.default`, or `site.json:3:14` for bad syntax.
    package var `where`: String
    package var what: String
    /// The next step.
    package var hint: String

    package init(where: String, what: String, hint: String) {
      self.where = `where`
      self.what = what
      self.hint = hint
    }

    package var message: String { "\(`where`): \(what)" }
  }

  package let problems: [Problem]

  package init(problems: [Problem]) {
    precondition(!problems.isEmpty, "an error without a problem")
    self.problems = problems
  }

  package init(where: String, what: String, hint: String) {
    self.init(problems: [Problem(where: `where`, what: what, hint: hint)])
  }
}

/// Collects problems, so that one pass reports them all.
struct ProblemList {
  private(set) var problems: [ConfigError.Problem] = []

  mutating func add(_ place: String, _ what: String, hint: String) {
    problems.append(.init(where: place, what: what, hint: hint))
  }

  mutating func add(_ error: ConfigError) { problems += error.problems }

  func check() throws(ConfigError) {
    if !problems.isEmpty { throw ConfigError(problems: problems) }
  }
}
