// SPDX-License-Identifier: Apache-2.0

extension Distribution {
  /// The settings that only an edge with a GeoIP database can follow; nil when there are none.
  package var geoDatabaseNeed: ConfigError? {
    var problems = ProblemList()
    func add(_ place: String) {
      problems.add(
        place, "needs a GeoIP database, which this edge has not",
        hint: "start the edge with --geo-database <file.mmdb>, or take the setting out")
    }
    if geoRestriction != .none { add("geoRestriction") }
    func check(
      _ key: KeySettings?, _ headers: NameSelection?, _ request: OriginRequestSettings?,
      _ place: String
    ) {
      if key?.country ?? false { add("\(place).key.country") }
      if Self.hasGeographic(headers) { add("\(place).forwardedHeaders") }
      if Self.hasGeographic(request?.headers) { add("\(place).originRequest.headers") }
    }
    check(settings.key, settings.forwardedHeaders, settings.originRequest, "settings")
    for (index, behavior) in behaviors.enumerated() {
      let overrides = behavior.overrides
      check(
        overrides.key, overrides.forwardedHeaders, overrides.originRequest, "behaviors[\(index)]")
    }
    do throws(ConfigError) {
      try problems.check()
      return nil
    } catch {
      return error
    }
  }

  private static func hasGeographic(_ selection: NameSelection?) -> Bool {
    guard case .listed(let names) = selection else { return false }
    return names.contains { name in
      ViewerHeader(named: name).map { !ViewerHeaders.geographic.isDisjoint(with: $0.set) } ?? false
    }
  }
}
