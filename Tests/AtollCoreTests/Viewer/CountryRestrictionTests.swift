// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct CountryRestrictionTests {
  @Test(
    arguments: [
      (.none, "DE", false), (.none, nil, false), (.allow(["DE", "AT"]), "DE", false),
      (.allow(["DE", "AT"]), "FR", true), (.allow(["DE"]), nil, false),
      (.block(["DE", "AT"]), "AT", true), (.block(["DE"]), "FR", false),
      (.block(["DE"]), nil, false), (.block(["de"]), "DE", true), (.allow([]), "DE", true),
    ] as [(GeoRestriction, String?, Bool)])
  func `who is refused (CloudFront §26)`(
    restriction: GeoRestriction, country: String?, expected: Bool
  ) {
    let compiled = CountryRestriction(restriction)
    #expect(compiled.refuses(country.flatMap { CountryCode($0) }) == expected)
  }

  @Test(arguments: ["", "D", "DEU", "de", "D1", "ÄÖ"])
  func `no country code`(text: String) { #expect(CountryCode(text) == nil) }

  @Test func `what needs a database is named`() {
    let cases: [((inout Distribution) -> Void, [String])] = [
      ({ $0.geoRestriction = .block(["DE"]) }, ["geoRestriction"]),
      ({ $0.settings.key.country = true }, ["settings.key.country"]),
      (
        { $0.settings.forwardedHeaders = .listed(["Accept", "cloudfront-viewer-CITY"]) },
        ["settings.forwardedHeaders"]
      ),
      (
        { $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-ASN"]) },
        ["settings.originRequest.headers"]
      ),
      (
        {
          var behavior = PathBehavior(path: "/a", caching: .cache)
          behavior.overrides.key = KeySettings(country: true)
          behavior.overrides.forwardedHeaders = .listed(["CloudFront-Viewer-Country"])
          $0.behaviors = [PathBehavior(path: "/b", caching: .cache), behavior]
        }, ["behaviors[1].key.country", "behaviors[1].forwardedHeaders"]
      ),
      ({ $0.settings.key.device = true }, []),
      ({ $0.settings.forwardedHeaders = .listed(["CloudFront-Is-Mobile-Viewer"]) }, []),
      ({ _ in }, []),
    ]
    for (edit, places) in cases {
      var distribution = Distribution.make(
        name: "shop", origin: Origin(scheme: .http, host: "origin.example", port: 80),
        preset: .static, id: "d0123456789abc", now: 0)
      edit(&distribution)
      #expect((distribution.geoDatabaseNeed?.problems ?? []).map(\.where) == places)
    }
  }
}
