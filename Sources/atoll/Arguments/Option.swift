// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// An option of a command with the type of its value: parser, help, man pages and completions read
/// its `definition`, commands ask `ParsedArguments` for its value.
struct Option<Value: Sendable>: Sendable {
  let definition: OptionDefinition
  let read: @Sendable (String) throws(ValueError) -> Value

  init(
    _ name: String, letter: Character? = nil, value: String?, choices: [String] = [],
    completes: Completion = .nothing, default defaultText: String? = nil, repeatable: Bool = false,
    separator: Character = ",", excludes: [String] = [], readsEnvironment: Bool = true,
    group: String = OptionDefinition.defaultGroup, _ summary: String,
    read: @escaping @Sendable (String) throws(ValueError) -> Value
  ) {
    self.read = read
    definition = OptionDefinition(
      name: name, letter: letter, placeholder: value, choices: choices, completion: completes,
      defaultText: defaultText, isRepeatable: repeatable, environmentSeparator: separator,
      excludes: excludes, readsEnvironment: readsEnvironment, group: group, summary: summary,
      check: { (text: String) throws(ValueError) in _ = try read(text) })
  }
}

/// What everything that describes or reads an option needs to know about it.
struct OptionDefinition: Sendable {
  static let defaultGroup = "Options"

  /// Without dashes.
  let name: String
  let letter: Character?
  /// The word between angle brackets; nil for a flag.
  let placeholder: String?
  /// The only values there are, when they can be listed.
  let choices: [String]
  let completion: Completion
  let defaultText: String?
  let isRepeatable: Bool
  /// Between the values of a repeatable option in its environment variable.
  let environmentSeparator: Character
  /// Names of options that cannot be given together with this one.
  let excludes: [String]
  let readsEnvironment: Bool
  /// The heading it stands under in help.
  let group: String
  /// One fragment, lower case, without period.
  let summary: String
  let check: @Sendable (String) throws(ValueError) -> Void

  var isFlag: Bool { placeholder == nil }
  var spelling: String { "--" + name }

  /// `ATOLL_SOME_NAME`.
  var environmentName: String? {
    guard readsEnvironment else { return nil }
    return "ATOLL_" + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
  }
}

/// How a shell completes a value.
enum Completion: Sendable, Equatable {
  case nothing, file, directory, distribution, certificate, command, verb
}

/// A value that cannot be read: `problem` continues `--name: "value"`.
struct ValueError: Error, Equatable {
  let problem: String
  let hint: String?

  init(_ problem: String, hint: String? = nil) {
    self.problem = problem
    self.hint = hint
  }
}

extension Option where Value == Bool {
  static func flag(
    _ name: String, letter: Character? = nil, excludes: [String] = [],
    readsEnvironment: Bool = true, group: String = OptionDefinition.defaultGroup,
    _ summary: String
  ) -> Option {
    Option(
      name, letter: letter, value: nil, excludes: excludes, readsEnvironment: readsEnvironment,
      group: group, summary
    ) { (text) throws(ValueError) in
      // Only an environment variable gives a flag a text.
      switch text.lowercased() {
      case "1", "true", "yes", "on": return true
      case "0", "false", "no", "off": return false
      default: throw ValueError("is neither true nor false", hint: "write 1 or 0")
      }
    }
  }
}

extension Option where Value == String {
  static func text(
    _ name: String, letter: Character? = nil, value: String, completes: Completion = .nothing,
    default defaultText: String? = nil, repeatable: Bool = false, separator: Character = ",",
    excludes: [String] = [], readsEnvironment: Bool = true,
    group: String = OptionDefinition.defaultGroup, _ summary: String
  ) -> Option {
    Option(
      name, letter: letter, value: value, completes: completes, default: defaultText,
      repeatable: repeatable, separator: separator, excludes: excludes,
      readsEnvironment: readsEnvironment, group: group, summary
    ) { (text) throws(ValueError) in
      guard !text.isEmpty else { throw ValueError("is empty") }
      return text
    }
  }
}

extension Option where Value == Int {
  /// Seconds, written `90`, `90s`, `15m`, `1h`, `1d`, `1h30m`.
  static func duration(
    _ name: String, default defaultText: String? = nil, in range: ClosedRange<Int> = 0...Int.max,
    excludes: [String] = [], group: String = OptionDefinition.defaultGroup, _ summary: String
  ) -> Option {
    Option(
      name, value: "duration", default: defaultText, excludes: excludes, group: group, summary
    ) { (text) throws(ValueError) in
      guard let seconds = Quantity.seconds(text) else {
        throw ValueError("is not a duration", hint: "write it as 90s, 15m, 1h or 7d")
      }
      guard range.contains(seconds) else {
        throw ValueError("is out of range", hint: hint(range, Quantity.duration))
      }
      return seconds
    }
  }

  /// Bytes, written `512K`, `64M`, `20G`: powers of 1024.
  static func size(
    _ name: String, default defaultText: String? = nil, in range: ClosedRange<Int> = 0...Int.max,
    excludes: [String] = [], group: String = OptionDefinition.defaultGroup, _ summary: String
  ) -> Option {
    Option(
      name, value: "size", default: defaultText, excludes: excludes, group: group, summary
    ) { (text) throws(ValueError) in
      guard let bytes = Quantity.bytes(text) else {
        throw ValueError("is not a size", hint: "write it as 512K, 64M or 20G")
      }
      guard range.contains(bytes) else {
        throw ValueError("is out of range", hint: hint(range, Quantity.size))
      }
      return bytes
    }
  }

  static func integer(
    _ name: String, value: String = "number", default defaultText: String? = nil,
    in range: ClosedRange<Int>, excludes: [String] = [],
    group: String = OptionDefinition.defaultGroup, _ summary: String
  ) -> Option {
    Option(
      name, value: value, default: defaultText, excludes: excludes, group: group, summary
    ) { (text) throws(ValueError) in
      guard let number = Int(text) else { throw ValueError("is not a whole number") }
      guard range.contains(number) else {
        throw ValueError("is out of range", hint: hint(range) { String($0) })
      }
      return number
    }
  }

  private static func hint(_ range: ClosedRange<Int>, _ text: (Int) -> String) -> String {
    range.upperBound == .max
      ? "it is \(text(range.lowerBound)) or more"
      : "it is between \(text(range.lowerBound)) and \(text(range.upperBound))"
  }
}

extension Option where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of the enum's raw values.
  static func choice(
    _ name: String, value: String? = nil, among values: [Value] = Array(Value.allCases),
    default defaultText: String? = nil, excludes: [String] = [],
    group: String = OptionDefinition.defaultGroup, _ summary: String
  ) -> Option {
    let words = values.map(\.rawValue)
    return Option(
      name, value: value ?? words.joined(separator: "|"), choices: words, default: defaultText,
      excludes: excludes, group: group, summary
    ) { (text) throws(ValueError) in
      if words.contains(text), let value = Value(rawValue: text) { return value }
      throw ValueError(
        "is not one of its values",
        hint: Suggestion.closest(to: text, in: words).map { "did you mean \($0)?" }
          ?? "it is \(listed(words, "or"))")
    }
  }
}
