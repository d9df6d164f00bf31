// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import atoll

private enum Verb: Command {
  static let definition = CommandDefinition(name: "boat list", summary: "list the boats")
  static func run(_ parsed: ParsedArguments, console: Console) throws {}
}

private enum Group: CommandGroup {
  static let verbs: [any Command.Type] = [Verb.self]
  static let definition = CommandDefinition(
    name: "boat", summary: "keep boats", verbs: verbs.map { $0.definition })
}

@Suite struct CommandGroupTests {
  @Test func `a verb is named by the word after its group's`() throws {
    #expect(try Invocation.command("list", of: Group.self).definition.name == "boat list")
  }

  @Test(arguments: [
    ("lst", "did you mean atoll boat list?"), ("sink", "see atoll boat --help"),
  ])
  func `an unknown verb is told with what was meant`(word: String, hint: String) {
    #expect(throws: CommandError.usage("unknown verb \"\(word)\" of boat", hint: hint)) {
      try Invocation.command(word, of: Group.self)
    }
  }

  @Test func `a group without a verb says what they are`() throws {
    let parsed = try Parser.parse([], for: Group.definition)
    #expect(throws: CommandError.usage("missing <verb>", hint: "it is list")) {
      try Group.run(parsed, console: Console())
    }
  }

  @Test func `help of a group lists its verbs, and that of a verb names the group's page`() {
    let help = Help.text(of: Group.definition)
    #expect(help.contains("\nUsage: atoll boat <verb> [options]\n"))
    #expect(help.contains("\nVerbs:\n  list  list the boats\n"))
    #expect(help.contains("\nSee also: atoll help boat <verb>, man atoll-boat\n"))
    let verb = Help.text(of: Verb.definition)
    #expect(verb.contains("\nUsage: atoll boat list [options]\n"))
    #expect(verb.contains("\nSee also: man atoll-boat\n"))
  }
}
