// SPDX-License-Identifier: Apache-2.0

enum HelpCommand: Command {
  static let definition = CommandDefinition(
    name: "help", summary: "explain a command, or list them",
    arguments: [
      ArgumentDefinition(
        "command", "the command to explain; all of them without it", optional: true,
        completes: .command)
    ],
    examples: [
      Example("atoll help", "list the commands"),
      Example("atoll help create", "explain create in full"),
    ],
    exitCodes: [.done, .usage])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    guard let name = parsed.argument(0) else {
      console.write(Help.overview())
      return
    }
    guard case .command(let command, _) = try Invocation([name]) else {
      throw CommandError.usage("unknown command \"\(name)\"", hint: "see atoll --help")
    }
    console.write(Help.text(of: command.definition))
  }
}
