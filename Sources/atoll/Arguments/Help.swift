// SPDX-License-Identifier: Apache-2.0

/// The text behind `-h`, `--help` and `atoll help`, at most 79 columns wide.
enum Help {
  static let width = 79
  /// Where the second column begins; a longer first column gets a line of its own.
  private static let column = 28

  /// What `atoll` without words, `atoll --help` and `atoll help` print.
  static func overview(isShort: Bool = false) -> String {
    let commands = Atoll.commands.map { $0.definition }.filter { !$0.isHidden }
    let nameWidth = commands.map(\.name.count).max() ?? 0
    var text = "\(Overview.summary.capitalizedFirst)\n\nUsage: atoll <command> [options]\n"
    text += "\nExamples:\n"
    for example in Overview.examples.prefix(isShort ? 2 : .max) {
      text += self.example(example)
    }
    text += "\nCommands:\n"
    for command in commands {
      text += row(command.name, command.summary, column: nameWidth + 4)
    }
    text += "\n" + options(CommonOptions.everywhere + [Overview.version.definition])
    if !isShort {
      text += section(Overview.environment)
    }
    text += "\nSee also: atoll help <command>, man atoll\n"
    return text
  }

  static func text(of command: CommandDefinition, isShort: Bool = false) -> String {
    var text = command.summary.capitalizedFirst + "\n"
    if !isShort {
      for paragraph in command.description { text += "\n" + wrap(paragraph, indent: 0) }
    }
    let usage = command.usage.map { "atoll \($0)" }
    text += "\n" + wrap("Usage: " + usage[0], indent: 0, hanging: 9)
    for form in usage.dropFirst() { text += wrap(form, indent: 7, hanging: 9) }
    if !command.examples.isEmpty {
      text += "\nExamples:\n"
      for example in command.examples.prefix(isShort ? 2 : .max) { text += self.example(example) }
    }
    if !command.arguments.isEmpty {
      text += "\nArguments:\n"
      for argument in command.arguments { text += row("<\(argument.name)>", argument.summary) }
    }
    if !command.verbs.isEmpty {
      let width = command.verbs.map(\.verb.count).max() ?? 0
      text += "\nVerbs:\n"
      for verb in command.verbs { text += row(verb.verb, verb.summary, column: width + 4) }
    }
    text += "\n" + options(command.allOptions)
    if !isShort {
      for section in command.details { text += self.section(section) }
      text += section(exitCodes(command))
      if !command.environment.isEmpty {
        text += section(Section("Environment", [.terms(command.environment)]))
      }
    }
    text +=
      "\n" + wrap("See also: " + seeAlso(command).joined(separator: ", "), indent: 0, hanging: 10)
    return text
  }

  static func exitCodes(_ command: CommandDefinition) -> Section {
    Section(
      "Exit codes", [.terms(command.exitCodes.map { Term("\($0.rawValue)", $0.meaning) })])
  }

  private static func seeAlso(_ command: CommandDefinition) -> [String] {
    (command.verbs.isEmpty ? [] : ["atoll help \(command.name) <verb>"])
      + command.seeAlso.map { "atoll \($0)" }
      + ["man \(command.name == "help" ? "atoll" : command.page)"]
  }

  /// Under their headings, in the order in which the headings first appear.
  private static func options(_ options: [OptionDefinition]) -> String {
    groups(options).map { group in
      "\(group.title):\n"
        + group.options.map { row(spelling($0), summary($0)) }.joined()
    }.joined(separator: "\n")
  }

  static func groups(
    _ options: [OptionDefinition]
  ) -> [(title: String, options: [OptionDefinition])] {
    var groups: [(title: String, options: [OptionDefinition])] = []
    for option in options {
      if let index = groups.firstIndex(where: { $0.title == option.group }) {
        groups[index].options.append(option)
      } else {
        groups.append((option.group, [option]))
      }
    }
    return groups
  }

  private static func spelling(_ option: OptionDefinition) -> String {
    let letter = option.letter.map { "-\($0), " } ?? "    "
    return letter + option.spelling + (option.placeholder.map { " <\($0)>" } ?? "")
  }

  static func summary(_ option: OptionDefinition) -> String {
    var text = option.summary
    if let standard = option.defaultText { text += " (default \(standard))" }
    if option.isRepeatable { text += "; repeatable" }
    return text
  }

  private static func example(_ example: Example) -> String {
    example.lines(width: width - 2).map { "  \($0)\n" }.joined()
      + wrap(example.purpose, indent: 6)
  }

  private static func section(_ section: Section) -> String {
    var text = "\n\(section.title):\n"
    for (index, block) in section.blocks.enumerated() {
      if index > 0 { text += "\n" }
      switch block {
      case .paragraph(let paragraph): text += wrap(paragraph, indent: 2)
      case .terms(let terms):
        let longest = terms.map(\.word.count).max() ?? 0
        for term in terms {
          text += row(term.word, term.meaning, column: min(column, longest + 4))
        }
      case .code(let lines): text += lines.map { "    \($0)\n" }.joined()
      }
    }
    return text
  }

  private static func row(_ word: String, _ meaning: String, column: Int = column) -> String {
    let start = "  \(word)"
    guard start.count + 2 <= column else {
      return start + "\n" + wrap(meaning, indent: column)
    }
    let padded = start + String(repeating: " ", count: column - start.count)
    return padded + wrap(meaning, indent: column).dropFirst(column)
  }

  /// Lines of at most `width` columns, each with a newline.
  static func wrap(_ text: String, indent: Int, hanging: Int? = nil) -> String {
    let margin = String(repeating: " ", count: indent)
    let laterMargin = String(repeating: " ", count: hanging ?? indent)
    var lines: [String] = []
    var line = margin
    var isEmpty = true
    for word in text.split(separator: " ") {
      if !isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = laterMargin
        isEmpty = true
      }
      line += (isEmpty ? "" : " ") + word
      isEmpty = false
    }
    lines.append(line)
    return lines.map { $0 + "\n" }.joined()
  }
}

extension String {
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
