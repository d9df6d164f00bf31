// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import atoll

@Suite struct AtollTests {
  @Test func `the version is one line on stdout`() {
    for word in ["--version", "-V"] {
      let result = runAtoll([word])
      #expect(result.stdout == "atoll \(Atoll.version)\n")
      #expect(result.stderr.isEmpty)
      #expect(result.exitCode == 0)
    }
  }

  @Test(arguments: [[], ["--help"], ["-h"], ["help"], ["--color", "never", "--help"]])
  func `help lists the commands on stdout`(words: [String]) {
    let result = runAtoll(words)
    #expect(result.exitCode == 0)
    #expect(result.stderr.isEmpty)
    #expect(result.stdout.contains("\nUsage: atoll <command> [options]\n"))
    #expect(!result.stdout.contains("__"))
    for command in Atoll.commands where !command.definition.isHidden {
      #expect(result.stdout.contains("\n  \(command.definition.name) "))
    }
  }

  @Test(arguments: Atoll.everyCommand.map { $0.definition.name })
  func `every command explains itself in 79 columns`(name: String) throws {
    let command = try #require(Atoll.command(named: name)).definition
    let words = name.split(separator: " ").map(String.init)
    let long = runAtoll(words + ["--help"])
    let short = runAtoll(words + ["-h"])
    for result in [long, short, runAtoll(["help"] + words)] {
      #expect(result.exitCode == 0)
      #expect(result.stderr.isEmpty)
      #expect(result.stdout.hasPrefix(command.summary.capitalizedFirst + "\n"))
      for line in result.stdout.split(separator: "\n") { #expect(line.count <= 79, "\(line)") }
      for option in command.allOptions { #expect(result.stdout.contains(option.spelling)) }
    }
    #expect(long.stdout.contains("\nExit codes:\n"))
    #expect(!short.stdout.contains("\nExit codes:\n"))
    guard !command.isHidden else { return }
    #expect(short.stdout.split(separator: "\n").contains("Examples:"))
    #expect(command.examples.count >= 2)
    for verb in command.verbs { #expect(long.stdout.contains("\n  \(verb.verb) ")) }
  }

  @Test func `an option means the same everywhere`() {
    var meanings: [String: (summary: String, command: String)] = [:]
    for command in Atoll.everyCommand.map({ $0.definition }) {
      for option in command.allOptions {
        // A purge's tags are the responses', a distribution's its owner's; a certificate has another
        // key than the cache.
        if !["--tag", "--key"].contains(option.spelling), let known = meanings[option.spelling] {
          #expect(
            known.summary == option.summary,
            "\(option.spelling) in \(known.command) and \(command.name)")
        }
        meanings[option.spelling] = (option.summary, command.name)
      }
      let spellings = command.allOptions.map(\.spelling)
      #expect(Set(spellings).count == spellings.count)
      for name in command.allOptions.flatMap(\.excludes) {
        #expect(spellings.contains("--" + name))
      }
      for name in command.seeAlso { #expect(Atoll.command(named: name) != nil, "\(name)") }
    }
  }

  @Test(arguments: [
    (["purgee"], "unknown command \"purgee\"", "did you mean atoll purge?"),
    (["hlp"], "unknown command \"hlp\"", "did you mean atoll help?"),
    (["--hlp"], "unknown option --hlp", "did you mean --help?"),
    (["--quiet"], "missing <command>", "see atoll --help"),
    (["help", "hepl"], "unknown command \"hepl\"", "did you mean atoll help?"),
    (["cert", "impotr"], "unknown verb \"impotr\" of cert", "did you mean atoll cert import?"),
    (["cert", "--jsn"], "unknown option --jsn", "a verb comes first, see atoll cert --help"),
    (["help", "cert", "x"], "unknown verb \"x\" of cert", "see atoll cert --help"),
    (["cert", "show", "--jsn"], "unknown option --jsn", "did you mean --json?"),
    (["cert", "show"], "missing <name>", "usage: atoll cert show <name> [options]"),
    (["help", "--jsn"], "unknown option --jsn", "see atoll help --help"),
    (
      ["help", "show", "x"], "unexpected argument \"x\"", "show has no verbs: write atoll help show"
    ),
  ])
  func `a wrong command line gets error and hint on stderr`(
    words: [String], message: String, hint: String
  ) {
    let result = runAtoll(words)
    #expect(result.exitCode == 2)
    #expect(result.stdout.isEmpty)
    #expect(result.stderr == "atoll: error: \(message)\natoll: hint: \(hint)\n")
  }

  @Test func `control characters of a message are spelled out`() {
    #expect(
      runAtoll(["a\u{1B}[2Jb\nc"]).stderr.hasPrefix(
        "atoll: error: unknown command \"a\\u{1b}[2Jb\\u{a}c\"\n"))
  }

  @Test func `color is chosen by option and environment`() {
    let colored = "\u{1B}[31merror:\u{1B}[0m"
    #expect(runAtoll(["--color=always", "help", "nothing"]).stderr.contains(colored))
    #expect(
      runAtoll(["help", "nothing"], env: ["ATOLL_COLOR": "always"]).stderr.contains(colored))
    #expect(
      !runAtoll(["help", "nothing", "--color", "never"], env: ["ATOLL_COLOR": "always"]).stderr
        .contains("\u{1B}"))
    #expect(runAtoll(["--color", "always", "nothing"]).stderr.contains(colored))
    #expect(!runAtoll(["help", "nothing"]).stderr.contains("\u{1B}"))
  }

  @Test func `a closed pipe ends quietly with 0`() throws {
    let bash = try #require(findProgram("bash"))
    let script = "set -o pipefail; { sleep 0.1; \"$0\" --help; echo $? >&2; } | true"
    let result = RunningAtoll(["-c", script, Binary.path], program: bash).wait()
    #expect(result.stderr == "0\n")
  }

  @Test func `a full disk under stdout is a failure`() throws {
    let bash = try #require(findProgram("bash"))
    let result = RunningAtoll(["-c", "\"$0\" --help > /dev/full", Binary.path], program: bash)
      .wait()
    #expect(result.exitCode == 1)
    #expect(result.stderr == "atoll: error: stdout: No space left on device\n")
  }
}
