// SPDX-License-Identifier: Apache-2.0

/// What a cache policy, or ForwardedValues with the lifetimes beside it, decides (CloudFront §6, §23).
struct CachePolicy {
  var minimum = 0
  var standard = TTL.day
  var maximum = TTL.year
  var headers = NameSelection.none
  var cookies = NameSelection.none
  var queries = NameSelection.none
  var codings: CodingSet = .gzip
  var request = OriginRequestSettings()
  var isDisabled = false

  static let optimizedID = "658327ea-f89d-4fab-a63d-7e88639e58f6"

  static func managed(_ id: String) -> CachePolicy? {
    switch id {
    case optimizedID: CachePolicy(minimum: 1, codings: [.gzip, .brotli])
    case "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": CachePolicy(minimum: 1, codings: [])
    case "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": CachePolicy(codings: [], isDisabled: true)
    case "2e54312d-136d-493c-8eb9-b001f22f67d2":
      CachePolicy(
        minimum: 2, standard: 2, maximum: 600,
        headers: .listed(["Authorization", "CloudFront-Viewer-Country", "Host"]), cookies: .all,
        queries: .all, codings: [.gzip, .brotli])
    case "08627262-05a9-4f76-9ded-b50ca2e3a84f":
      CachePolicy(
        headers: .listed(["Origin"]),
        queries: .listed(["aws.manifestfilter", "start", "end", "m"]), codings: .gzip)
    default: nil
    }
  }
}

extension OriginRequestSettings {
  /// CloudFront §23.
  init?(managed id: String) {
    let cors = ["Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"]
    switch id {
    case "216adef6-5c7f-47e4-b989-5492eafa07d3":
      self.init(headers: .all, cookies: .all, queryStrings: .all)
    case "b689b0a8-53d0-40ab-baf2-68738e2966ac":
      self.init(headers: .allExcept(["Host"]), cookies: .all, queryStrings: .all)
    case "59781a5b-3903-41f3-afcb-af62929ccde1": self.init(headers: .listed(["Origin"]))
    case "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": self.init(headers: .listed(cors))
    case "775133bc-15f2-49f9-abea-afb2e0bf67d2":
      self.init(
        headers: .listed(cors + ["User-Agent", "X-Forwarded-For"]), queryStrings: .all)
    case "acba4595-bd28-49b8-b9fe-13317c0390fa":
      self.init(headers: .listed(["User-Agent", "Referer"]))
    default: return nil
    }
  }
}

extension ResponseHeaderSettings {
  /// CloudFront §23.
  init?(managed id: String) {
    let simple = CORSSettings(overridesOrigin: false)
    let preflight = CORSSettings(
      methods: ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"],
      exposedHeaders: ["*"], overridesOrigin: false)
    switch id {
    case "60669652-455b-4ae9-85a4-c4c02393f86c": self.init(cors: simple)
    case "5cc3b908-e619-4b99-88e5-2cf7f45965bd": self.init(cors: preflight)
    case "67f7725c-6f97-4210-82d7-5512b31e9d03": self.init(security: .standard)
    case "e61eb60c-9c35-4d20-a928-2b84e02af89c": self.init(cors: simple, security: .standard)
    case "eaab4381-ed33-4a86-88ca-d9558dc6cd63": self.init(cors: preflight, security: .standard)
    default: return nil
    }
  }
}
