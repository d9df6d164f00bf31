// SPDX-License-Identifier: Apache-2.0

/// A command line that fits its definition.
struct ParsedArguments: Sendable {
  enum Source: Sendable, Equatable { case commandLine, environment }

  /// One use of an option; `text` of a flag is "true" or "false".
  struct Occurrence: Sendable, Equatable {
    let name: String
    let text: String
    let source: Source
  }

  let command: String
  /// Positional arguments.
  let arguments: [String]
  /// Every use of every option, in the order of the command line; those of the environment first.
  let occurrences: [Occurrence]
  let environment: [String: String]

  subscript(flag: Option<Bool>) -> Bool {
    last(flag) ?? false
  }

  /// The value last given, or nil.
  subscript<Value>(option: Option<Value>) -> Value? {
    last(option)
  }

  /// Every value of a repeatable option.
  func values<Value>(_ option: Option<Value>) -> [Value] {
    occurrences.lazy.filter { $0.name == option.definition.name }.compactMap {
      try? option.read($0.text)
    }
  }

  func has<Value>(_ option: Option<Value>) -> Bool {
    occurrences.contains { $0.name == option.definition.name }
  }

  func argument(_ index: Int) -> String? {
    index < arguments.count ? arguments[index] : nil
  }

  private func last<Value>(_ option: Option<Value>) -> Value? {
    guard let use = occurrences.last(where: { $0.name == option.definition.name }) else {
      return nil
    }
    // The parser has read it once, so it can be read.
    return try? option.read(use.text)
  }
}
