// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// An option that sets something of how requests are treated: for the distribution, or as a word
/// after the path of --cache-path and --dont-cache-path, for that path alone.
struct BehaviorOption: Sendable {
  /// Nil for what is a word only.
  let definition: OptionDefinition?
  /// What stands before the equals sign; nil for what is set for a distribution only.
  let word: String?
  /// The setting's key in files.
  let setting: String
  let edit: @Sendable (String) throws(ValueError) -> Edit<BehaviorSettings>

  init<Value>(
    _ option: Option<Value>, word: String? = nil, setting: String, isWordOnly: Bool = false,
    _ change: @escaping @Sendable (Value, inout BehaviorSettings) -> Void
  ) {
    definition = isWordOnly ? nil : option.definition
    // Flags have no value to stand after an equals sign.
    self.word = word ?? (option.definition.isFlag ? nil : option.definition.name)
    self.setting = setting
    edit = { (text) throws(ValueError) in
      let value = try option.read(text)
      return { change(value, &$0) }
    }
  }
}

/// An option that sets something of the origin, or as a word after a --named-origin of that one.
struct OriginOption: Sendable {
  let definition: OptionDefinition
  let word: String
  let edit: @Sendable (String) throws(ValueError) -> Edit<Origin>

  init<Value>(
    _ option: Option<Value>, word: String? = nil,
    _ change: @escaping @Sendable (Value, inout Origin) -> Void
  ) {
    definition = option.definition
    self.word = word ?? option.definition.name
    edit = { (text) throws(ValueError) in
      let value = try option.read(text)
      return { change(value, &$0) }
    }
  }
}

enum OnOff: String, CaseIterable, Sendable {
  case on, off
}

/// A duration, or none.
struct OptionalSeconds: Sendable, Equatable {
  let seconds: Int?

  static func read(_ text: String, none: String = "none") throws(ValueError) -> OptionalSeconds {
    if text == none { return OptionalSeconds(seconds: nil) }
    guard let seconds = Quantity.seconds(text) else {
      throw ValueError("is not a duration", hint: "write it as 90s, 15m or 1h, or \(none)")
    }
    return OptionalSeconds(seconds: seconds)
  }
}

/// The value of --cache-path: a path, and settings of its own after spaces, which no path holds.
struct PathSetting: Sendable {
  var path: String
  var words: [(option: BehaviorOption, text: String)] = []

  static func read(_ text: String) throws(ValueError) -> PathSetting {
    var words = text.split(separator: " ").map(String.init)
    guard let path = words.first else {
      throw ValueError("names no path", hint: "write it like /img/*")
    }
    words.removeFirst()
    var setting = PathSetting(path: path)
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let option = option(of: String(parts[0])) else {
        let near = Suggestion.closest(to: String(parts[0]), in: names)
        throw ValueError(
          "has \"\(word)\" after its path",
          hint: near.map { "did you mean \($0)=…?" } ?? "write it like '/img/* default=1h max=1d'")
      }
      let value = String(parts[1])
      if value != inherited { try check(value, of: option, word) }
      setting.words.append((option, value))
    }
    return setting
  }

  /// Leaves a setting to the distribution.
  static let inherited = "inherit"

  /// Whether it gives the path a lifetime.
  var hasLifetime: Bool { words.contains { $0.option.setting == "ttl" } }

  /// Of words that may stand after a path.
  static let names = BehaviorOptions.all.compactMap(\.word)

  private static func option(of word: String) -> BehaviorOption? {
    BehaviorOptions.all.first { $0.word == word }
  }

  private static func check(
    _ value: String, of option: BehaviorOption, _ word: String
  ) throws(ValueError) {
    do {
      _ = try option.edit(value)
    } catch {
      throw ValueError("has \"\(word)\", which \(error.problem)", hint: error.hint)
    }
  }
}
