// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// The tables that read, write, check, compare and describe settings.
@Suite struct ConfigFormTests {
  /// Enough for every example to name what it needs.
  private let surroundings = """
    "name": "shop", "origin": "http://a.example",
    "origins": {"images": "http://b.example", "spare": "http://c.example"}
    """

  @Test(arguments: BehaviorSettings.table.map(\.member.manual))
  func `the example of every setting is valid, changes something and comes back`(
    entry: ManualEntry
  ) throws {
    for preset in Preset.allCases {
      let json = """
        {\(surroundings), "preset": "\(preset.rawValue)", "settings": {"\(entry.key)": \(entry.example)}}
        """
      let made = try Sample.make(json)
      let bytes = DistributionFile.encode(made)
      #expect(try DistributionFile.decodeStored(bytes, source: "shop.json") == made)
    }
    // The same of a behavior alone.
    let behavior = try Sample.make(
      """
      {\(surroundings), "preset": "static", "behaviors": [
        {"path": "/x/*", "behavior": "cache", "\(entry.key)": \(entry.example)}]}
      """)
    #expect(!behavior.behaviors[0].overrides.isEmpty)
    #expect(
      try DistributionFile.decodeStored(DistributionFile.encode(behavior), source: "shop.json")
        == behavior)
    var without = behavior
    without.behaviors[0].overrides = SettingsOverride()
    let change = try #require(differences(from: without, to: behavior).first)
    #expect(change.contains("of the override \"/x/*\" from the distribution's to"))
    #expect(differences(from: behavior, to: without).count == 1)
    #expect(behavior.settings == without.settings)
  }

  @Test(arguments: BehaviorSettings.table.flatMap { members(of: $0.member.manual, "settings") })
  func `so is the example of every member of one`(path: [String], example: String) throws {
    // What a member needs beside it.
    let beside = [
      "credentials": #", "origins": ["https://a.example"]"#, "minimum": #", "default": 90"#,
    ]
    var json = "{\"\(path.last!)\": \(example)\(beside[path.last!] ?? "")}"
    for key in path.dropLast().reversed() { json = "{\"\(key)\": \(json)}" }
    let made = try Sample.make(
      "{\(surroundings), \"preset\": \"static\", \(json.dropFirst())")
    let bytes = DistributionFile.encode(made)
    #expect(try DistributionFile.decodeStored(bytes, source: "shop.json") == made)
  }

  private static func members(of entry: ManualEntry, _ above: String...) -> [(
    path: [String], example: String
  )] {
    members(of: entry, path: above)
  }

  private static func members(of entry: ManualEntry, path: [String]) -> [(
    path: [String], example: String
  )] {
    // Elements of lists have their tests in ConfigValidationTests.
    if entry.kind.hasPrefix("list") { return [] }
    let here = path + [entry.key]
    return entry.members.flatMap {
      [(path: here + [$0.key], example: $0.example)] + members(of: $0, path: here)
    }
  }

  @Test(arguments: Distribution.table.map(\.manual))
  func `the example of every member of a distribution is valid and comes back`(
    entry: ManualEntry
  ) throws {
    let others = surroundings.split(separator: ",\n")[entry.key == "origins" ? 0..<1 : 0..<2]
      .joined(separator: ",")
    let made = try Sample.make("{\(others), \"\(entry.key)\": \(entry.example)}")
    let plain = try Sample.make("{\(others)}")
    #expect(!differences(from: plain, to: made).isEmpty)
    #expect(!differences(from: made, to: plain).isEmpty)
    let bytes = DistributionFile.encode(made)
    #expect(try DistributionFile.decodeStored(bytes, source: "shop.json") == made)
  }

  @Test(arguments: Origin.form.members.map(\.manual))
  func `the example of every member of an origin is valid and comes back`(
    entry: ManualEntry
  ) throws {
    let origin = """
      {"url": "http://a.example", "\(entry.key)": \(entry.example)}
      """
    let made = try Sample.make(
      "{\"name\": \"shop\", \"origin\": \(origin), \"origins\": {\"b\": \(origin)}}")
    #expect(made.origins[0].origin == made.origin)
    let bytes = DistributionFile.encode(made)
    #expect(try DistributionFile.decodeStored(bytes, source: "shop.json") == made)
    var plain = made
    plain.origin = try Origin(url: "http://a.example")
    #expect(
      differences(from: plain, to: made).allSatisfy { $0.contains("the origin's") })
    #expect(!differences(from: plain, to: made).isEmpty)
    plain.origin = made.origin
    plain.origins[0].origin = try Origin(url: "http://a.example")
    #expect(
      differences(from: plain, to: made).allSatisfy { $0.contains("of the origin \"b\"") })
  }

  @Test func `a quiet setting stands in the file only where it differs from the preset's`() throws {
    var distribution = try Sample.distribution(preset: .spa)
    var text = String(decoding: DistributionFile.encode(distribution), as: UTF8.self)
    for key in ["errors", "rootObject", "key", "compression", "origins", "sliceSize"] {
      #expect(!text.contains("\"\(key)\""), "\(key)")
    }
    distribution.errors = ErrorSettings()
    distribution.rootObject = nil
    distribution.settings.compression.codings = .gzip
    text = String(decoding: DistributionFile.encode(distribution), as: UTF8.self)
    #expect(text.contains("\"rootObject\": null"))
    #expect(text.contains("\"minimumTTL\": null"))
    #expect(text.contains("\"responses\": []"))
    #expect(!text.contains("minimumSize"))
    #expect(
      try DistributionFile.decodeStored(Array(text.utf8), source: "x").errors == ErrorSettings())
  }

  @Test func `a single-page application answers what its origin lacks with its page`() throws {
    let spa = try Sample.make(
      #"{"name": "shop", "origin": "http://a.example", "preset": "spa"}"#)
    #expect(spa.preset == .spa)
    #expect(spa.rootObject == "index.html")
    #expect(spa.settings == Preset.static.caching.settings)
    #expect(
      spa.errors.responses
        == [403, 404].map {
          ErrorResponse(status: $0, page: .path("/index.html"), responseStatus: 200)
        })
    var changed = spa
    changed.errors.responses.removeLast()
    changed.settlePreset()
    #expect(changed.preset == .custom)
    changed.apply(.dynamic)
    #expect(changed.errors == ErrorSettings(minimumTTL: 10))
    #expect(changed.rootObject == nil)
  }

  @Test func `a document that was printed is whole, another says only what changes`() throws {
    let printed = DistributionFile.encode(try Sample.distribution())
    #expect(try DistributionFile.decode(printed, source: "x")[0].isWhole)
    #expect(try !Sample.decode(#"{"name": "ab", "preset": "static"}"#)[0].isWhole)
  }

  @Test func `null takes an optional part away`() throws {
    var base = try Sample.distribution()
    base.origin.healthCheck = HealthCheck(path: "/up", status: 204)
    base.origin.sticky = StickySession()
    base.rootObject = "index.html"
    base.settings.responseHeaders.security = .standard
    let draft = try Sample.decode(
      """
      {"origin": {"healthCheck": null, "sticky": null}, "rootObject": null,
       "settings": {"responseHeaders": {"security": null}}}
      """, base: base)[0]
    let made = try draft.make(existing: base, now: base.modified)
    #expect(made.origin.healthCheck == nil)
    #expect(made.origin.sticky == nil)
    #expect(made.rootObject == nil)
    #expect(made.settings.responseHeaders.security == nil)
    #expect(
      differences(from: base, to: made).filter { !$0.hasPrefix("change the preset") } == [
        "change the root object from \"index.html\" to none",
        "change the origin's sticky sessions from as usual to none",
        "change the origin's health check from path \"/up\", status 204 to none",
        "change the security headers from standard to none",
      ])
  }

  @Test func `part of an object leaves its other parts as they are`() throws {
    var base = try Sample.distribution()
    base.settings.compression = CompressionSettings(codings: .gzip, minimumSize: 5)
    base.origin.ejection.duration = 7
    let draft = try Sample.decode(
      """
      {"settings": {"compression": {"maximumSize": 9}, "key": {"device": true}},
       "origin": {"ejection": {"failures": 1}},
       "behaviors": [{"path": "/a/*", "behavior": "cache", "key": {"country": true}}]}
      """, base: base)[0]
    let made = try draft.make(existing: base, now: 0)
    #expect(
      made.settings.compression
        == CompressionSettings(codings: .gzip, minimumSize: 5, maximumSize: 9))
    #expect(made.origin.ejection == Ejection(failures: 1, duration: 7))
    #expect(made.behaviors[0].overrides.key == KeySettings(device: true, country: true))
  }

  @Test(arguments: [
    (
      #""settings": {"key": {"devise": true}}"#, "settings.key", "unknown key \"devise\"",
      "\"device\""
    ),
    (#""settings": {"key": true}"#, "settings.key", "where an object belongs", "{ … }"),
    (
      #""settings": {"compression": {"codings": ["zstd"]}}"#, "settings.compression.codings",
      "\"zstd\"", "\"br\""
    ),
    (
      #""settings": {"compression": {"codings": "gzip"}}"#, "settings.compression.codings",
      "where a list belongs", "[ … ]"
    ),
    (
      #""settings": {"responseHeaders": {"security": "strict"}}"#,
      "settings.responseHeaders.security", "\"strict\"", "\"standard\""
    ),
    (
      #""settings": {"responseHeaders": {"set": [{"value": "x"}]}}"#,
      "settings.responseHeaders.set[0]", "\"name\" is missing", "X-Site"
    ),
    (
      #""settings": {"responseHeaders": {"set": [{"name": "X", "mode": "add"}]}}"#,
      "settings.responseHeaders.set[0].mode", "\"add\"", "\"append\""
    ),
    (
      #""settings": {"responseHeaders": {"serverTiming": "all"}}"#,
      "settings.responseHeaders.serverTiming", "not a percentage", "0 to 100"
    ),
    (
      #""settings": {"forwardedHeaders": {"allExcept": ["A"]}}"#, "settings.forwardedHeaders",
      "no choice of names", "\"all\""
    ),
    (
      #""settings": {"forwardedCookies": {"allBut": ["A"]}}"#, "settings.forwardedCookies",
      "\"allBut\"", "allExcept"
    ),
    (
      #""behaviors": [{"path": "/a", "behavior": "cache", "sliceSize": "1M"}]"#,
      "behaviors[0].sliceSize", "not a number of bytes", "1048576"
    ),
    (
      #""behaviors": [{"path": "/a", "behavior": "cache", "tttl": {}}]"#, "behaviors[0]",
      "\"tttl\"", "\"ttl\""
    ),
    (
      #""origin": {"url": "http://a.example", "helthCheck": {}}"#, "origin", "\"helthCheck\"",
      "\"healthCheck\""
    ),
    (
      #""origin": {"url": "http://a.example", "targets": ["https://b.example"]}"#,
      "origin.targets[0]", "another scheme", "http://b.example"
    ),
    (
      #""origin": {"url": "http://a.example", "targets": ["http://b.example/x"]}"#,
      "origin.targets[0]", "has a path", "\"url\""
    ),
    (
      #""origin": {"url": "http://a.example", "headers": ["X"]}"#, "origin.headers",
      "where an object belongs", "X-Secret"
    ),
    (
      #""origin": {"url": "http://a.example", "balance": "random"}"#, "origin.balance",
      "\"random\"", "\"hash\""
    ),
    (
      #""origin": {"url": "https://a.example", "tls": {"minimumVersion": "TLSv1.1"}}"#,
      "origin.tls.minimumVersion", "\"TLSv1.1\"", "\"TLSv1.2\""
    ),
    (
      #""origin": {"url": "https://a.example", "tls": {"verfy": false}}"#, "origin.tls",
      "\"verfy\"", "\"verify\""
    ),
    (#""origins": {"b": {"label": "x"}}"#, "origins.b", "\"url\" is missing", "http://"),
    (#""origins": ["http://b.example"]"#, "origins", "where an object belongs", "images"),
    (#""origins": {"b": "b.example"}"#, "origins.b", "no scheme", "http://b.example"),
    (
      #""originGroups": {"g": {"statuses": [500]}}"#, "originGroups.g", "\"members\" is missing",
      "spare"
    ),
    (
      #""originGroups": {"g": {"members": ["a"], "statuses": ["5xx"]}}"#,
      "originGroups.g.statuses[0]", "not a status", "503"
    ),
    (
      #""errors": {"responses": [{"page": "/x"}]}"#, "errors.responses[0]", "\"status\" is missing",
      "404"
    ),
    (
      #""errors": {"responses": [{"status": 404, "page": 5}]}"#, "errors.responses[0].page",
      "5 is no page", "file"
    ),
    (
      #""errors": {"responses": [{"status": 404, "page": {}}]}"#, "errors.responses[0].page",
      "\"file\" is missing", "/srv"
    ),
    (
      #""geoRestriction": {"allow": ["DE"], "block": ["US"]}"#, "geoRestriction", "stand together",
      "one"
    ),
    (#""geoRestriction": {"deny": ["DE"]}"#, "geoRestriction", "\"deny\"", "allow, block"),
    (#""trustedProxies": "10.0.0.1""#, "trustedProxies", "where a list belongs", "[ … ]"),
    (#""rootObject": true"#, "rootObject", "not text", "index.html"),
  ])
  func `a wrong key or type is refused at its place`(
    json: String, place: String, what: String, hint: String
  ) {
    let problems = Sample.problems { _ = try Sample.decode("{\(json)}") }
    #expect(problems.count == 1, "\(problems)")
    #expect(problems.first?.where == "site.json: \(place)")
    #expect(problems.first?.what.contains(what) == true, "\(problems)")
    #expect(problems.first?.hint.contains(hint) == true, "\(problems)")
  }
}
