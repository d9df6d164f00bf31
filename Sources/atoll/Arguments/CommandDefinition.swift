// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A subcommand: a definition that feeds parser, help, man page and completions, and its work.
protocol Command: SendableMetatype {
  static var definition: CommandDefinition { get }
  static func run(_ parsed: ParsedArguments, console: Console) throws
}

/// A command whose work is that of its verbs: `atoll cert show` is the verb `show` of `cert`.
protocol CommandGroup: Command {
  /// In the order of help and of the manual.
  static var verbs: [any Command.Type] { get }
}

extension CommandGroup {
  static func run(_ parsed: ParsedArguments, console: Console) throws {
    throw CommandError.usage(
      "missing <verb>", hint: "it is \(listed(verbs.map { $0.definition.verb }, "or"))")
  }
}

struct CommandDefinition: Sendable {
  /// Of a group's verb both words: `cert show`.
  let name: String
  /// Verb first, lower case, without period.
  let summary: String
  /// What follows the name in the usage lines, when the arguments alone do not tell.
  var forms: [String] = []
  /// One or more paragraphs under the summary of the man page and of `--help`.
  var description: [String] = []
  var arguments: [ArgumentDefinition] = []
  /// Without the ones every command has.
  var options: [OptionDefinition] = []
  /// `--help` and man pages show all, `-h` the first two.
  var examples: [Example] = []
  var details: [Section] = []
  var exitCodes: [ExitCode] = [.done, .failed, .usage]
  /// Variables that belong to no option.
  var environment: [Term] = []
  /// Names of commands, without `atoll`.
  var seeAlso: [String] = []
  /// Further manual pages.
  var pages: [String] = []
  var isHidden = false
  /// Of a group.
  var verbs: [CommandDefinition] = []

  /// The last word of its name.
  var verb: String { name.split(separator: " ").last.map(String.init) ?? name }

  /// The manual page that tells of it, without the section.
  var page: String { "atoll-" + name.prefix { $0 != " " } }

  var allOptions: [OptionDefinition] { options + CommonOptions.everywhere }

  /// What follows `atoll ` in the usage lines.
  var usage: [String] {
    if !verbs.isEmpty { return ["\(name) <verb> [options]"] }
    return forms.isEmpty
      ? [([name] + arguments.map(\.usage) + ["[options]"]).joined(separator: " ")]
      : forms.map { "\(name) \($0)" }
  }
}

/// A positional argument; only the last may repeat.
struct ArgumentDefinition: Sendable {
  let name: String
  let summary: String
  var isOptional = false
  var isRepeatable = false
  var completion = Completion.nothing

  init(
    _ name: String, _ summary: String, optional: Bool = false, repeatable: Bool = false,
    completes: Completion = .nothing
  ) {
    self.name = name
    self.summary = summary
    isOptional = optional
    isRepeatable = repeatable
    completion = completes
  }

  /// `<name>`, `[<name>]`, `<name>...`.
  var usage: String {
    let word = "<\(name)>" + (isRepeatable ? "..." : "")
    return isOptional ? "[\(word)]" : word
  }
}

struct Example: Sendable {
  let command: String
  /// What it does, as a fragment.
  let purpose: String

  init(_ command: String, _ purpose: String) {
    self.command = command
    self.purpose = purpose
  }

  /// The command in lines of at most `width` columns that a shell reads as one. Quoted words stay
  /// whole, and options beside their values.
  func lines(width: Int) -> [String] {
    var words = [""]
    var isQuoted = false
    for character in command {
      if character == "'" { isQuoted.toggle() }
      let isValue = words[words.count - 1].hasPrefix("-") && !words[words.count - 1].contains(" ")
      if character == " ", !isQuoted, !isValue {
        words.append("")
      } else {
        words[words.count - 1].append(character)
      }
    }
    var lines = [words[0]]
    for (index, word) in words.enumerated().dropFirst() {
      // Every line but the last ends in a backslash.
      let room = index == words.count - 1 ? width : width - 2
      if lines[lines.count - 1].count + 1 + word.count > room {
        lines[lines.count - 1] += " \\"
        lines.append("    " + word)
      } else {
        lines[lines.count - 1] += " " + word
      }
    }
    return lines
  }
}

struct Term: Sendable {
  let word: String
  let meaning: String

  init(_ word: String, _ meaning: String) {
    self.word = word
    self.meaning = meaning
  }
}

/// A part of `--help` and of the man page with a heading of its own.
struct Section: Sendable {
  enum Block: Sendable {
    case paragraph(String)
    case terms([Term])
    case code([String])
  }

  let title: String
  let blocks: [Block]

  init(_ title: String, _ blocks: [Block]) {
    self.title = title
    self.blocks = blocks
  }
}

/// Options that mean the same wherever they appear.
enum CommonOptions {
  static let commonGroup = "Common options"

  static let help = Option.flag(
    "help", letter: "h", readsEnvironment: false, group: commonGroup,
    "print help; -h is the short form")
  static let home = Option.text(
    "home", value: "directory", completes: .directory, group: commonGroup,
    "the store; else /var/lib/atoll for root, $XDG_DATA_HOME/atoll or ~/.local/share/atoll")
  static let color = Option<ColorChoice>.choice(
    "color", value: "when", default: "auto", group: commonGroup,
    "color the output: auto, always or never")
  static let quiet = Option.flag(
    "quiet", letter: "q", group: commonGroup, "print only errors and what was asked for")

  /// What every command takes, after its own.
  static let everywhere = [
    home.definition, color.definition, quiet.definition, help.definition,
  ]

  // For the commands that list them.
  static let json = Option.flag("json", "print the result as one JSON document")
  static let yes = Option.flag("yes", letter: "y", "answer yes instead of asking")
  static let dryRun = Option.flag("dry-run", letter: "n", "say what would happen, change nothing")
  static let noWait = Option.flag(
    "no-wait", "return without waiting for the running edges to confirm")
  static let timeout = Option.duration(
    "timeout", default: "30s", in: 0...86_400, "how long to wait for the running edges")
}

enum ColorChoice: String, CaseIterable, Sendable {
  case auto, always, never
}
