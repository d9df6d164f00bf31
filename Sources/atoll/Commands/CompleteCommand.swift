// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the completion scripts ask when the key is pressed.
enum CompleteCommand: Command {
  static let definition = CommandDefinition(
    name: "__complete", summary: "print what can be completed",
    arguments: [ArgumentDefinition("kind", "distributions or certificates")],
    isHidden: true)

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let names =
      switch parsed.arguments[0] {
      case "distributions": try workspace.catalog.names()
      case "certificates": try workspace.certificates.names()
      case let kind:
        throw CommandError.usage(
          "unknown kind \"\(kind)\"", hint: "distributions or certificates")
      }
    for name in names { console.print(name) }
  }
}
