// SPDX-License-Identifier: Apache-2.0

/// Reads the words after a command's name. It validates and does nothing else.
struct Parser {
  let definition: CommandDefinition
  let environment: [String: String]

  private var arguments: [String] = []
  private var uses: [ParsedArguments.Occurrence] = []

  init(_ definition: CommandDefinition, environment: [String: String]) {
    self.definition = definition
    self.environment = environment
  }

  static func parse(
    _ words: [String], for definition: CommandDefinition, environment: [String: String] = [:]
  ) throws(CommandError) -> ParsedArguments {
    var parser = Parser(definition, environment: environment)
    return try parser.parse(words)
  }

  private mutating func parse(_ words: [String]) throws(CommandError) -> ParsedArguments {
    try readWords(words)
    try refuseExclusive()
    try readEnvironment()
    // Help is given whatever else is missing.
    if !uses.contains(where: { $0.name == CommonOptions.help.definition.name }) {
      try countArguments()
    }
    return ParsedArguments(
      command: definition.name, arguments: arguments, occurrences: uses, environment: environment)
  }

  private mutating func readWords(_ words: [String]) throws(CommandError) {
    var rest = words[...]
    var optionsEnded = false
    while let word = rest.popFirst() {
      // A lone dash is an argument: standard input.
      if optionsEnded || word == "-" || !word.hasPrefix("-") {
        arguments.append(word)
      } else if word == "--" {
        optionsEnded = true
      } else {
        try readOption(word, rest: &rest)
      }
    }
  }

  private mutating func readOption(
    _ word: String, rest: inout ArraySlice<String>
  ) throws(CommandError) {
    let spelling: String
    var value: String?
    if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
      spelling = String(word[..<equals])
      value = String(word[word.index(after: equals)...])
    } else {
      spelling = word
    }
    guard let option = find(spelling) else { throw unknown(spelling) }

    if option.isFlag {
      guard value == nil else {
        throw .usage("\(spelling) takes no value", hint: "write \(spelling) alone")
      }
      uses.append(.init(name: option.name, text: "true", source: .commandLine))
      return
    }
    if value == nil {
      guard let next = rest.first, !(next.hasPrefix("-") && find(next) != nil), next != "--" else {
        throw .usage(
          "\(spelling) needs a value",
          hint: "write \(option.spelling) <\(option.placeholder ?? "value")>")
      }
      value = rest.removeFirst()
    }
    try check(option, value ?? "", origin: spelling)
    uses.append(.init(name: option.name, text: value ?? "", source: .commandLine))
  }

  private func find(_ spelling: String) -> OptionDefinition? {
    definition.allOptions.first {
      $0.spelling == spelling || $0.letter.map { "-\($0)" } == spelling
    }
  }

  private func unknown(_ spelling: String) -> CommandError {
    let known = definition.allOptions.map(\.spelling)
    let hint =
      Suggestion.closest(to: spelling, in: known).map { "did you mean \($0)?" }
      ?? "see atoll \(definition.name) --help"
    return .usage("unknown option \(spelling)", hint: hint)
  }

  private func check(
    _ option: OptionDefinition, _ text: String, origin: String
  ) throws(CommandError) {
    do throws(ValueError) {
      try option.check(text)
    } catch {
      let value = text.isEmpty && error.problem == "is empty" ? "its value" : "\"\(text)\""
      throw .usage("\(origin): \(value) \(error.problem)", hint: error.hint)
    }
  }

  private func refuseExclusive() throws(CommandError) {
    for use in uses {
      guard let option = find("--" + use.name) else { continue }
      for other in option.excludes where uses.contains(where: { $0.name == other }) {
        throw .usage(
          "\(option.spelling) and --\(other) exclude each other", hint: "give one of them")
      }
    }
  }

  /// An option of the command line silences its own variable and those it excludes.
  private mutating func readEnvironment() throws(CommandError) {
    var found: [ParsedArguments.Occurrence] = []
    for option in definition.allOptions {
      guard let variable = option.environmentName, let text = environment[variable], !text.isEmpty
      else { continue }
      let silencers = [option.name] + option.excludes
      if uses.contains(where: { silencers.contains($0.name) }) { continue }
      let values =
        option.isRepeatable
        ? text.split(separator: option.environmentSeparator).map(String.init) : [text]
      for value in values {
        try check(option, value, origin: variable)
        found.append(.init(name: option.name, text: value, source: .environment))
      }
    }
    uses = found + uses
  }

  private func countArguments() throws(CommandError) {
    let required = definition.arguments.filter { !$0.isOptional }
    if arguments.count < required.count {
      throw .usage(
        "missing \(required[arguments.count].usage)", hint: "usage: atoll \(definition.usage[0])")
    }
    let repeats = definition.arguments.last?.isRepeatable ?? false
    if !repeats, arguments.count > definition.arguments.count {
      throw .usage(
        "unexpected argument \"\(arguments[definition.arguments.count])\"",
        hint: "usage: atoll \(definition.usage[0])")
    }
  }
}
