// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

private enum Size: String, CaseIterable, Sendable { case small, medium, large }

private let origin = Option.text("origin", value: "url", "where from")
private let ttl = Option.duration("default-ttl", in: 0...31_536_000, "how long")
private let memory = Option.size("memory", in: 1_048_576...Int.max, "how much")
private let tag = Option.text("tag", value: "key=value", repeatable: true, "a label")
private let lines = Option.text(
  "line", value: "text", repeatable: true, separator: "\n", "text with commas")
private let size = Option<Size>.choice("plan", "how large")
private let on = Option.flag("enabled", excludes: ["disabled"], "serve it")
private let off = Option.flag("disabled", excludes: ["enabled"], "do not serve it")

private let sample = CommandDefinition(
  name: "sample", summary: "stand in for a command",
  arguments: [
    ArgumentDefinition("name", "the name"),
    ArgumentDefinition("path", "paths", optional: true, repeatable: true),
  ],
  options: [
    origin.definition, ttl.definition, memory.definition, tag.definition, lines.definition,
    size.definition, on.definition, off.definition,
  ])

private func parse(
  _ words: [String], environment: [String: String] = [:]
) throws -> ParsedArguments {
  try Parser.parse(words, for: sample, environment: environment)
}

private func problem(
  _ words: [String], environment: [String: String] = [:]
) -> CommandError.Problem? {
  do {
    _ = try parse(words, environment: environment)
    return nil
  } catch let error as CommandError {
    #expect(error.code == .usage)
    return error.problems.first
  } catch {
    return nil
  }
}

/// Words that do not fit, and what is said about them.
struct Wrong: Sendable {
  let words: [String]
  let message: String
  let hint: String?

  init(_ words: [String], _ message: String, _ hint: String?) {
    self.words = words
    self.message = message
    self.hint = hint
  }

  static let all: [Wrong] = [
    Wrong(["a", "--jsn"], "unknown option --jsn", "see atoll sample --help"),
    Wrong(["a", "--orign", "x"], "unknown option --orign", "did you mean --origin?"),
    Wrong(["a", "--orign=x"], "unknown option --orign", "did you mean --origin?"),
    Wrong(["a", "-z"], "unknown option -z", "see atoll sample --help"),
    Wrong(["a", "--origin"], "--origin needs a value", "write --origin <url>"),
    Wrong(["a", "--origin", "--enabled"], "--origin needs a value", "write --origin <url>"),
    Wrong(["a", "--origin", "--"], "--origin needs a value", "write --origin <url>"),
    Wrong(["a", "--origin="], "--origin: its value is empty", nil),
    Wrong(["a", "--enabled=yes"], "--enabled takes no value", "write --enabled alone"),
    Wrong(
      ["a", "--default-ttl", "one day"], "--default-ttl: \"one day\" is not a duration",
      "write it as 90s, 15m, 1h or 7d"),
    Wrong(
      ["a", "--default-ttl", "400d"], "--default-ttl: \"400d\" is out of range",
      "it is between 0s and 365d"),
    Wrong(
      ["a", "--memory", "1K"], "--memory: \"1K\" is out of range", "it is 1 MiB or more"),
    Wrong(
      ["a", "--memory", "lots"], "--memory: \"lots\" is not a size",
      "write it as 512K, 64M or 20G"),
    Wrong(
      ["a", "--plan", "smal"], "--plan: \"smal\" is not one of its values",
      "did you mean small?"),
    Wrong(
      ["a", "--plan", "x"], "--plan: \"x\" is not one of its values",
      "it is small, medium or large"),
    Wrong(
      ["a", "--enabled", "--disabled"], "--enabled and --disabled exclude each other",
      "give one of them"),
    Wrong([], "missing <name>", "usage: atoll sample <name> [<path>...] [options]"),
  ]
}

@Suite struct ParserTests {
  @Test func `a value follows its option or an equals sign`() throws {
    #expect(try parse(["a", "--origin", "http://x"])[origin] == "http://x")
    #expect(try parse(["a", "--origin=http://x/?q=1"])[origin] == "http://x/?q=1")
  }

  @Test func `options and arguments mix in any order`() throws {
    let parsed = try parse(["--plan", "small", "a", "--enabled", "/b", "/c"])
    #expect(parsed.arguments == ["a", "/b", "/c"])
    #expect(parsed[size] == .small)
    #expect(parsed[on])
    #expect(!parsed[off])
  }

  @Test func `everything after two dashes is an argument`() throws {
    let parsed = try parse(["a", "--", "--enabled", "-x", "--"])
    #expect(parsed.arguments == ["a", "--enabled", "-x", "--"])
    #expect(!parsed[on])
  }

  @Test func `a lone dash is an argument`() throws {
    #expect(try parse(["a", "-"]).arguments == ["a", "-"])
  }

  @Test func `the last of a single option wins and a repeatable one keeps all`() throws {
    let parsed = try parse(["a", "--origin", "x", "--tag", "a=1", "--origin", "y", "--tag=b=2"])
    #expect(parsed[origin] == "y")
    #expect(parsed.values(tag) == ["a=1", "b=2"])
    #expect(parsed.occurrences.map(\.name) == ["origin", "tag", "origin", "tag"])
  }

  @Test func `values are read as their type`() throws {
    let parsed = try parse(["a", "--default-ttl", "1h30m", "--memory", "64M"])
    #expect(parsed[ttl] == 5400)
    #expect(parsed[memory] == 67_108_864)
  }

  @Test(arguments: Wrong.all)
  func `a wrong word is named with the way out`(wrong: Wrong) {
    #expect(problem(wrong.words) == .init(message: wrong.message, hint: wrong.hint))
  }

  @Test func `a surplus argument is refused`() {
    let none = CommandDefinition(name: "none", summary: "take nothing")
    #expect(
      throws: CommandError.usage("unexpected argument \"x\"", hint: "usage: atoll none [options]")
    ) {
      try Parser.parse(["x"], for: none)
    }
  }

  @Test func `help needs no arguments`() throws {
    #expect(try parse(["--help"])[CommonOptions.help])
    #expect(try parse(["-h"])[CommonOptions.help])
  }

  @Test func `the environment stands in for an option that is not given`() throws {
    let environment = ["ATOLL_DEFAULT_TTL": "60", "ATOLL_TAG": "a=1,b=2", "ATOLL_ENABLED": "1"]
    let parsed = try parse(["a"], environment: environment)
    #expect(parsed[ttl] == 60)
    #expect(parsed.values(tag) == ["a=1", "b=2"])
    #expect(parsed[on])
  }

  @Test func `the command line wins over the environment`() throws {
    let environment = ["ATOLL_DEFAULT_TTL": "60", "ATOLL_TAG": "a=1", "ATOLL_ENABLED": "1"]
    let parsed = try parse(
      ["a", "--default-ttl", "5", "--tag", "c=3", "--disabled"], environment: environment)
    #expect(parsed[ttl] == 5)
    #expect(parsed.values(tag) == ["c=3"])
    #expect(parsed[off])
    #expect(!parsed[on])
  }

  @Test func `an empty variable is none and zero unsets a flag`() throws {
    let parsed = try parse(["a"], environment: ["ATOLL_ORIGIN": "", "ATOLL_ENABLED": "0"])
    #expect(parsed[origin] == nil)
    #expect(!parsed[on])
  }

  @Test func `an option chooses what separates its values in the environment`() throws {
    #expect(
      try parse(["a"], environment: ["ATOLL_LINE": "x: 1, 2\ny: 3"]).values(lines)
        == ["x: 1, 2", "y: 3"])
  }

  @Test func `a wrong variable is named as such`() {
    #expect(
      problem(["a"], environment: ["ATOLL_PLAN": "big"])
        == .init(
          message: "ATOLL_PLAN: \"big\" is not one of its values",
          hint: "it is small, medium or large"))
    #expect(
      problem(["a"], environment: ["ATOLL_ENABLED": "maybe"])
        == .init(
          message: "ATOLL_ENABLED: \"maybe\" is neither true nor false", hint: "write 1 or 0"))
  }

  @Test func `help reads no environment`() throws {
    #expect(!(try parse(["a"], environment: ["ATOLL_HELP": "1"])[CommonOptions.help]))
  }
}

@Suite struct QuantityTests {
  @Test(
    arguments: [
      ("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("1h", 3600), ("1h30m", 5400),
      ("1D", 86_400),
      ("2w", 1_209_600), ("1d12h", 129_600), ("", nil), ("h", nil), ("1x", nil), ("-1", nil),
      ("1m1h", nil), ("1h1h", nil), ("1.5h", nil), ("1 h", nil), ("1h30", nil),
      ("9999999999999999999", nil), ("99999999999999999w", nil), ("١h", nil),
    ] as [(String, Int?)])
  func `durations are read as people write them`(text: String, seconds: Int?) {
    #expect(Quantity.seconds(text) == seconds)
  }

  @Test(
    arguments: [
      ("0", 0), ("4096", 4096), ("1K", 1024), ("512k", 524_288), ("64M", 67_108_864),
      ("20G", 21_474_836_480), ("1T", 1_099_511_627_776), ("1KiB", 1024), ("1.5G", 1_610_612_736),
      ("1MB", 1_000_000), ("10B", 10), ("", nil), ("M", nil), ("1X", nil), ("-1M", nil),
      ("1.5", nil), ("1 M", nil), ("99999999999T", nil), ("1iB", nil), (".M", nil), ("1..5M", nil),
    ] as [(String, Int?)])
  func `sizes are read as people write them`(text: String, bytes: Int?) {
    #expect(Quantity.bytes(text) == bytes)
  }

  @Test(arguments: [
    (0, "0s"), (59, "59s"), (60, "1m"), (90, "1m 30s"), (5400, "1h 30m"), (86_400, "1d"),
    (1_209_600, "14d"), (-5, "-5s"),
  ])
  func `durations are printed briefly`(seconds: Int, text: String) {
    #expect(Quantity.duration(seconds) == text)
  }

  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (67_108_864, "64 MiB"),
    (104_857_600, "100 MiB"), (1_048_575, "1 MiB"), (1_099_511_627_776, "1 TiB"),
  ])
  func `sizes are printed briefly`(bytes: Int, text: String) {
    #expect(Quantity.size(bytes) == text)
  }
}

@Suite struct SuggestionTests {
  @Test(
    arguments: [
      ("shpo", "shop"), ("shop1", "shop"), ("sho", "shop"), ("hsop", "shop"), ("SHOP", "shop"),
      ("blog", nil), ("x", nil), ("", nil), ("stagin", "staging"), ("stag", "staging"),
    ] as [(String, String?)])
  func `the nearest name is meant`(word: String, expected: String?) {
    #expect(Suggestion.closest(to: word, in: ["shop", "staging", "b"]) == expected)
  }

  @Test func `alternatives read as a sentence`() {
    #expect(listed(["a", "b", "c"], "or") == "a, b or c")
    #expect(listed(["a"], "or") == "a")
  }
}
