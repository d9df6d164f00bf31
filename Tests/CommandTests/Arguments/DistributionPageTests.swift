// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

@testable import atoll

/// atoll-distribution(5) and the reader of files know the same keys.
@Suite struct DistributionPageTests {
  private static let page = ManPage.all().first { $0.name == DistributionPage.file }!.text

  /// An object of the manual: where it stands in a file, and what its keys are.
  struct Place: Sendable, CustomTestStringConvertible {
    /// Around an object's text.
    let open: String
    let close: String
    let keys: [String]
    let testDescription: String
  }

  private static let places: [Place] = {
    var places = [
      Place(
        open: "", close: "", keys: DistributionManual.entries.map(\.key), testDescription: "file")
    ]
    for entry in DistributionManual.entries { add(entry, "", "", "", &places) }
    return places
  }()

  private static func add(
    _ entry: ManualEntry, _ open: String, _ close: String, _ path: String,
    _ places: inout [Place]
  ) {
    if entry.members.isEmpty { return }
    let key = entry.key == ManualEntry.anyName ? "x" : entry.key
    let isList = entry.kind.hasPrefix("list of")
    let start = open + "{\"\(key)\": " + (isList ? "[" : "")
    let end = (isList ? "]" : "") + "}" + close
    let here = path + "/" + entry.key
    if entry.members[0].key != ManualEntry.anyName {
      var keys = entry.members.map(\.key)
      // Said once in the manual, of settings.
      if entry.key == "behaviors" {
        keys += DistributionManual.entries.first { $0.key == "settings" }!.members.map(\.key)
      }
      places.append(Place(open: start, close: end, keys: keys, testDescription: here))
    }
    for member in entry.members { add(member, start, end, here, &places) }
  }

  @Test(arguments: places)
  func `the keys that are read are the keys that are described`(place: Place) {
    let json = place.open + "{\"zzzzzzzzzzzzzzzzzzzz\": 1}" + place.close
    var hints: [String] = []
    do throws(ConfigError) {
      _ = try DistributionFile.decode(Array(json.utf8), source: "f")
    } catch {
      hints = error.problems.filter { $0.what.contains("zzzzzzzzzzzzzzzzzzzz") }.map(\.hint)
    }
    #expect(hints == ["the keys here are \(place.keys.joined(separator: ", "))"], "\(json)")
  }

  @Test func `there are many`() { #expect(Self.places.count >= 20) }

  @Test func `each stands on the page with its default and an example`() {
    var count = 0
    func check(_ entry: ManualEntry, _ path: String) {
      let place = path.isEmpty ? entry.key : "\(path).\(entry.key)"
      #expect(Self.page.contains(".TP\n\\fB\(place)\\fR\n"), "\(place)")
      #expect(!entry.default.isEmpty && !entry.example.isEmpty && !entry.summary.isEmpty)
      count += 1
      for member in entry.members { check(member, place) }
    }
    for entry in DistributionManual.entries { check(entry, "") }
    #expect(count > 90)
    #expect(Self.page.contains(".SH \"REFERENCES\""))
  }

  /// Numbers that the references give, or ours in their stead, as the code has them.
  @Test(arguments: [
    "\(ConfigLimits.pathLength) characters", "at most \(ConfigLimits.tags)",
    "at most \(ConfigLimits.headers)", "\(ConfigLimits.listedNames) names", "20,480 bytes",
    "8,192 bytes", "1,783", "10,240", "86,400 seconds", "31,536,000 seconds", "10 minutes",
    "431", "414", "405", "421", "301", "307", "502", "503", "504", "at most \(Limits.ranges)",
    "at most \(Limits.variantsPerKey) variants", "at most \(Limits.interimResponses)",
  ])
  func `limits, defaults and statuses of the references are there`(text: String) {
    let plain = Self.page.replacing("\\-", with: "-")
    #expect(plain.contains(text))
  }

  @Test func `the example of the page is valid`() throws {
    for (_, lines) in DistributionPage.examples {
      let drafts = try DistributionFile.decode(
        Array(lines.joined(separator: "\n").utf8), source: "example")
      _ = try drafts[0].make(now: 0)
    }
  }
}
