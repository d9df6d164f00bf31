// SPDX-License-Identifier: Apache-2.0

/// What the first words ask for.
enum Invocation {
  case version
  case overview(isShort: Bool)
  case command(any Command.Type, [String])

  /// Nil when there are no words. Options that every command takes may stand before its name, and
  /// before the verb of a group.
  init?(_ words: [String]) throws(CommandError) {
    guard !words.isEmpty else { return nil }
    var leading: [String] = []
    var rest = words[...]
    var group: (any CommandGroup.Type)?
    while let word = rest.popFirst() {
      if let group {
        // The group's own help.
        if word == "-h" || word == "--help" {
          self = .command(group, leading + [word])
          return
        }
      } else {
        switch word {
        case "--version", "-V":
          self = .version
          return
        case "-h", "--help":
          self = .overview(isShort: word == "-h")
          return
        default: break
        }
      }
      guard word.hasPrefix("-") else {
        let command = try Invocation.command(word, of: group)
        guard group == nil, let found = command as? any CommandGroup.Type else {
          self = .command(command, leading + rest)
          return
        }
        group = found
        continue
      }
      let spelling = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
      let option = CommonOptions.everywhere.first {
        $0.spelling == spelling || $0.letter.map { "-\($0)" } == spelling
      }
      guard let option else { throw Invocation.unknownOption(spelling, of: group) }
      leading.append(word)
      if !option.isFlag, spelling == word, let value = rest.popFirst() { leading.append(value) }
    }
    guard let group else { throw .usage("missing <command>", hint: "see atoll --help") }
    // It says which verb is missing.
    self = .command(group, leading)
  }

  /// - Parameter group: whose verb the word names; nil: a command.
  static func command(
    _ word: String, of group: (any CommandGroup.Type)? = nil
  ) throws(CommandError) -> any Command.Type {
    let candidates = group?.verbs ?? Atoll.commands
    if let found = candidates.first(where: { $0.definition.verb == word }) { return found }
    let known = candidates.map { $0.definition }.filter { !$0.isHidden }.map(\.verb)
    let prefix = group.map { "atoll \($0.definition.name)" } ?? "atoll"
    let hint =
      Suggestion.closest(to: word, in: known).map { "did you mean \(prefix) \($0)?" }
      ?? "see \(prefix) --help"
    guard let group else { throw .usage("unknown command \"\(word)\"", hint: hint) }
    throw .usage("unknown verb \"\(word)\" of \(group.definition.name)", hint: hint)
  }

  private static func unknownOption(
    _ spelling: String, of group: (any CommandGroup.Type)?
  ) -> CommandError {
    let known = CommonOptions.everywhere.map(\.spelling) + (group == nil ? ["--version"] : [])
    let otherwise =
      group.map { "a verb comes first, see atoll \($0.definition.name) --help" }
      ?? "a command comes first, see atoll --help"
    return .usage(
      "unknown option \(spelling)",
      hint: Suggestion.closest(to: spelling, in: known).map { "did you mean \($0)?" } ?? otherwise)
  }
}
