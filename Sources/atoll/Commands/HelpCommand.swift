// SPDX-License-Identifier: Apache-2.0

enum HelpCommand: Command {
  static let definition = CommandDefinition(
    name: "help", summary: "explain a command, or list them",
    arguments: [
      ArgumentDefinition(
        "command", "the command to explain; all of them without it", optional: true,
        completes: .command),
      ArgumentDefinition(
        "verb", "the verb of cert or domain to explain", optional: true, completes: .verb),
    ],
    examples: [
      Example("atoll help", "list the commands"),
      Example("atoll help create", "explain create in full"),
      Example("atoll help cert import", "explain one verb of cert"),
    ],
    exitCodes: [.done, .usage])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    guard let name = parsed.argument(0) else {
      console.write(Help.overview())
      return
    }
    var command = try Invocation.command(name)
    if let verb = parsed.argument(1) {
      guard let group = command as? any CommandGroup.Type else {
        throw CommandError.usage(
          "unexpected argument \"\(verb)\"", hint: "\(name) has no verbs: write atoll help \(name)")
      }
      command = try Invocation.command(verb, of: group)
    }
    console.write(Help.text(of: command.definition))
  }
}
