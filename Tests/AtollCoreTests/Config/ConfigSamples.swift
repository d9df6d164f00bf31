// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

enum Sample {
  static func distribution(
    _ name: String = "shop", preset: Preset = .static, url: String = "http://shop.example"
  ) throws -> Distribution {
    Distribution.make(
      name: name, origin: try Origin(url: url), preset: preset, id: "d0123456789abc",
      now: 1_767_225_600)
  }

  /// The problems of a throwing call; none when it succeeds.
  static func problems(_ body: () throws -> Void) -> [ConfigError.Problem] {
    do {
      try body()
    } catch let error as ConfigError {
      return error.problems
    } catch {
      return [.init(where: "", what: "\(error)", hint: "")]
    }
    return []
  }

  /// Exactly one thing is wrong with a file, which is told with its place and its fix.
  static func expectProblem(
    of json: String, at place: String, _ what: String, _ hint: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let problems = problems { _ = try decode(json) }
    #expect(problems.count == 1, "\(problems)", sourceLocation: sourceLocation)
    #expect(problems.first?.where == place, sourceLocation: sourceLocation)
    #expect(
      problems.first?.what.contains(what) == true, "\(problems)", sourceLocation: sourceLocation)
    #expect(
      problems.first?.hint.contains(hint) == true, "\(problems)", sourceLocation: sourceLocation)
  }

  static func decode(_ json: String, source: String = "site.json", base: Distribution? = nil) throws
    -> [DistributionDraft]
  {
    try DistributionFile.decode(Array(json.utf8), source: source, base: base)
  }

  static func make(_ json: String) throws -> Distribution {
    try decode(json)[0].make(id: "d0123456789abc", now: 1_767_225_600)
  }
}
