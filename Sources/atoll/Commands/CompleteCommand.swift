// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the completion scripts ask when the key is pressed.
enum CompleteCommand: Command {
  static let definition = CommandDefinition(
    name: "__complete", summary: "print what can be completed",
    arguments: [ArgumentDefinition("kind", "distributions")],
    isHidden: true)

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    guard parsed.argument(0) == "distributions" else {
      throw CommandError.usage("unknown kind \"\(parsed.arguments[0])\"", hint: "distributions")
    }
    for name in try Workspace.open(parsed).catalog.names() { console.print(name) }
  }
}
