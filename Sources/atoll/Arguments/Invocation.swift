// SPDX-License-Identifier: Apache-2.0

/// What the first words ask for.
enum Invocation {
  case version
  case overview(isShort: Bool)
  case command(any Command.Type, [String])

  /// Nil when there are no words. Options that every command takes may stand before its name.
  init?(_ words: [String]) throws(CommandError) {
    guard !words.isEmpty else { return nil }
    var leading: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--version", "-V":
        self = .version
        return
      case "-h", "--help":
        self = .overview(isShort: word == "-h")
        return
      default: break
      }
      guard word.hasPrefix("-") else {
        guard let command = Atoll.command(named: word) else { throw Invocation.unknown(word) }
        self = .command(command, leading + rest)
        return
      }
      let spelling = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
      let option = CommonOptions.everywhere.first {
        $0.spelling == spelling || $0.letter.map { "-\($0)" } == spelling
      }
      guard let option else {
        let known = CommonOptions.everywhere.map(\.spelling) + ["--version"]
        throw .usage(
          "unknown option \(spelling)",
          hint: Suggestion.closest(to: spelling, in: known).map { "did you mean \($0)?" }
            ?? "a command comes first, see atoll --help")
      }
      leading.append(word)
      if !option.isFlag, spelling == word, let value = rest.popFirst() { leading.append(value) }
    }
    throw .usage("missing <command>", hint: "see atoll --help")
  }

  private static func unknown(_ name: String) -> CommandError {
    let known = Atoll.commands.map { $0.definition }.filter { !$0.isHidden }.map(\.name)
    let hint =
      Suggestion.closest(to: name, in: known).map { "did you mean atoll \($0)?" }
      ?? "see atoll --help"
    return .usage("unknown command \"\(name)\"", hint: hint)
  }
}
