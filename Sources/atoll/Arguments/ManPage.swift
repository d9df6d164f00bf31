// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Manual pages in man(7)'s macros: atoll(1) and one for each command.
enum ManPage {
  /// File names with their contents.
  static func all() -> [(name: String, text: String)] {
    let commands = Atoll.commands.map { $0.definition }.filter { !$0.isHidden }
    return [("atoll.1", overview(commands))]
      + commands.map { ("atoll-\($0.name).1", page(of: $0)) }
      + [(DistributionPage.file, distributions())]
  }

  private static func overview(_ commands: [CommandDefinition]) -> String {
    var page = Roff(title: "ATOLL")
    page.section("NAME")
    page.text("atoll - \(Overview.summary)")
    page.section("SYNOPSIS")
    page.usage("atoll <command> [options]")
    page.section("DESCRIPTION")
    for paragraph in Overview.description { page.paragraph(paragraph) }
    page.section("COMMANDS")
    for command in commands {
      page.term("atoll-\(command.name)(1)", command.summary.capitalizedFirst)
    }
    page.options(CommonOptions.everywhere + [Overview.version.definition])
    page.section("EXAMPLES")
    for example in Overview.examples { page.example(example) }
    page.section("EXIT CODES")
    for code in ExitCode.allCases { page.term("\(code.rawValue)", code.meaning) }
    page.section(Overview.environment)
    page.section(Overview.files)
    page.section("SEE ALSO")
    page.text(commands.map { "atoll-\($0.name)(1)" }.joined(separator: ", "))
    return page.source
  }

  private static func page(of command: CommandDefinition) -> String {
    var page = Roff(title: "ATOLL-\(command.name.uppercased())")
    page.section("NAME")
    page.text("atoll-\(command.name) - \(command.summary)")
    page.section("SYNOPSIS")
    for form in command.verbs.isEmpty ? [command] : command.verbs {
      for usage in form.usage { page.usage("atoll \(usage)") }
    }
    page.section("DESCRIPTION")
    if command.description.isEmpty { page.paragraph(command.summary.capitalizedFirst + ".") }
    for paragraph in command.description { page.paragraph(paragraph) }
    if !command.arguments.isEmpty {
      page.section("ARGUMENTS")
      for argument in command.arguments { page.term("<\(argument.name)>", argument.summary) }
    }
    for verb in command.verbs { add(verb, to: &page) }
    page.options(command.allOptions)
    for section in command.details { page.section(section) }
    let all = [command] + command.verbs
    let examples = all.flatMap(\.examples)
    if !examples.isEmpty {
      page.section("EXAMPLES")
      for example in examples { page.example(example) }
    }
    page.section(Help.exitCodes(command))
    let environment = all.flatMap(\.environment)
    if !environment.isEmpty {
      page.section(Section("Environment", [.terms(environment)]))
    }
    page.section("SEE ALSO")
    var others: [String] = []
    let known = [command.page + "(1)"]
    for name in all.flatMap({ $0.seeAlso.map(Self.pageName) + $0.pages })
    where !(known + others).contains(name) {
      others.append(name)
    }
    page.text((["atoll(1)"] + others).joined(separator: ", "))
    return page.source
  }

  /// Where a command is explained, which for a verb is its group's page.
  private static func pageName(_ command: String) -> String {
    "atoll-\(command.prefix { $0 != " " })(1)"
  }

  /// A verb's own section of its group's page; the options of all commands stand there once.
  private static func add(_ verb: CommandDefinition, to page: inout Roff) {
    page.section("ATOLL \(verb.name.uppercased())")
    page.text(verb.summary.capitalizedFirst + ".")
    for paragraph in verb.description { page.paragraph(paragraph) }
    for argument in verb.arguments { page.term("<\(argument.name)>", argument.summary) }
    for option in verb.options { page.option(option) }
    for section in verb.details { page.subsection(section) }
  }
}

extension ManPage {
  /// atoll-distribution(5): every key of a file, and what the references say.
  private static func distributions() -> String {
    var page = Roff(title: "ATOLL-DISTRIBUTION", section: 5)
    page.section("NAME")
    page.text("atoll-distribution - \(DistributionPage.summary)")
    page.section("DESCRIPTION")
    for paragraph in DistributionPage.description { page.paragraph(paragraph) }
    page.section("KEYS")
    for entry in DistributionManual.entries { keys(entry, below: "", to: &page) }
    for section in DistributionPage.sections { page.section(section) }
    page.section("REFERENCES")
    page.paragraph(ReferenceManual.introduction)
    for section in ReferenceManual.sections { page.subsection(section) }
    page.section("EXAMPLES")
    for (purpose, lines) in DistributionPage.examples {
      page.paragraph(purpose)
      page.code(lines)
    }
    page.section("SEE ALSO")
    page.text("atoll-create(1), atoll-update(1), atoll-apply(1), atoll-show(1)")
    return page.source
  }

  private static func keys(_ entry: ManualEntry, below path: String, to page: inout Roff) {
    let place = path.isEmpty ? entry.key : "\(path).\(entry.key)"
    let range = entry.range.isEmpty ? "" : ", \(entry.range)"
    page.term(
      place,
      "\(entry.summary) \(entry.kind.capitalizedFirst)\(range). Default: \(entry.default). Example: "
        + "\(entry.example)")
    for member in entry.members { keys(member, below: place, to: &page) }
  }
}

/// The source of one page.
private struct Roff {
  private(set) var source: String

  init(title: String, section: Int = 1) {
    source = ".TH \(title) \(section) \"\" \"atoll \(Atoll.version)\" \"atoll manual\"\n"
    // No hyphenation and no stretched lines: options and URLs stay copyable.
    source += ".nh\n.ad l\n"
  }

  mutating func section(_ title: String) {
    source += ".SH \"\(Roff.escaped(title))\"\n"
  }

  mutating func section(_ section: Section) {
    self.section(section.title.uppercased())
    for block in section.blocks { add(block) }
  }

  private mutating func add(_ block: Section.Block) {
    switch block {
    case .paragraph(let text): paragraph(text)
    case .terms(let terms): for term in terms { self.term(term.word, term.meaning) }
    case .code(let lines): code(lines)
    }
  }

  mutating func subsection(_ section: Section) {
    source += ".SS \"\(Roff.escaped(section.title))\"\n"
    for block in section.blocks { add(block) }
  }

  mutating func text(_ text: String) {
    source += Roff.escaped(text) + "\n"
  }

  mutating func paragraph(_ text: String) {
    source += ".PP\n"
    self.text(text)
  }

  mutating func usage(_ text: String) {
    source += ".PP\n\\fB" + Roff.escaped(text) + "\\fR\n"
  }

  mutating func term(_ word: String, _ meaning: String) {
    source += ".TP\n\\fB\(Roff.escaped(word))\\fR\n"
    text(meaning)
  }

  mutating func code(_ lines: [String]) {
    source += ".PP\n.RS 4\n.nf\n"
    for line in lines { text(line) }
    source += ".fi\n.RE\n"
  }

  mutating func example(_ example: Example) {
    source += ".PP\n"
    text(example.purpose.capitalizedFirst + ":")
    // A terminal of 80 columns, less the margins.
    code(example.lines(width: 66))
  }

  mutating func options(_ options: [OptionDefinition]) {
    for group in Help.groups(options) {
      section(group.title.uppercased())
      for option in group.options { self.option(option) }
    }
  }

  mutating func option(_ option: OptionDefinition) {
    let letter = option.letter.map { "\\fB\\-\($0)\\fR, " } ?? ""
    let value = option.placeholder.map { " <\(Roff.escaped($0))>" } ?? ""
    source += ".TP\n\(letter)\\fB\(Roff.escaped(option.spelling))\\fR\(value)\n"
    text(Help.summary(option).capitalizedFirst)
    if let variable = option.environmentName {
      text("[\(variable)\(separator(of: option))]")
    }
  }

  /// Several values in one variable; commas are told once, in atoll(1).
  private func separator(of option: OptionDefinition) -> String {
    switch option.environmentSeparator {
    case _ where !option.isRepeatable: ""
    case ",": ""
    case "\n": ", one a line"
    case let other: ", separated by \(other)"
    }
  }

  /// A period or an apostrophe that begins a line would be a request.
  private static func escaped(_ text: String) -> String {
    var result = ""
    if text.hasPrefix(".") || text.hasPrefix("'") { result = "\\&" }
    for character in text {
      switch character {
      case "\\": result += "\\e"
      case "-": result += "\\-"
      // What troff would turn into typographic signs.
      case "'": result += "\\(aq"
      case "`": result += "\\(ga"
      case "^": result += "\\(ha"
      case "~": result += "\\(ti"
      case "\"": result += "\\(dq"
      default: result.append(character)
      }
    }
    return result
  }
}
