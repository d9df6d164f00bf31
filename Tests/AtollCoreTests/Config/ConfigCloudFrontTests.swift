// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

/// CloudFront's own form (cloudfront-behaviour.md §2, §6, §17, §20, §23, §26).
@Suite struct ConfigCloudFrontTests {
  /// As CloudFormation has it.
  static let config = """
    {
      "Enabled": true, "Comment": "a shop", "DefaultRootObject": "index.html",
      "HttpVersion": "http2", "PriceClass": "PriceClass_All", "IPV6Enabled": true,
      "Origins": [
        {"Id": "app", "DomainName": "app.example", "OriginPath": "/v1", "ConnectionAttempts": 2,
         "ConnectionTimeout": 5,
         "OriginCustomHeaders": [{"HeaderName": "X-Secret", "HeaderValue": "s"}],
         "CustomOriginConfig": {"HTTPPort": 8080, "OriginProtocolPolicy": "http-only",
           "OriginReadTimeout": 60, "OriginKeepaliveTimeout": 10}},
        {"Id": "images", "DomainName": "img.example",
         "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}
      ],
      "OriginGroups": {"Quantity": 1, "Items": [
        {"Id": "both", "FailoverCriteria": {"StatusCodes": {"Quantity": 2, "Items": [500, 404]}},
         "Members": {"Quantity": 2, "Items": [{"OriginId": "app"}, {"OriginId": "images"}]}}]},
      "DefaultCacheBehavior": {
        "TargetOriginId": "app", "ViewerProtocolPolicy": "redirect-to-https",
        "AllowedMethods": ["GET", "HEAD", "OPTIONS"], "CachedMethods": ["GET", "HEAD"],
        "Compress": true, "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
        "OriginRequestPolicyId": "acba4595-bd28-49b8-b9fe-13317c0390fa",
        "ResponseHeadersPolicyId": "67f7725c-6f97-4210-82d7-5512b31e9d03"
      },
      "CacheBehaviors": [
        {"PathPattern": "/api/*", "TargetOriginId": "app", "ViewerProtocolPolicy": "https-only",
         "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
         "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
         "OriginRequestPolicyId": "216adef6-5c7f-47e4-b989-5492eafa07d3"},
        {"PathPattern": "/img/*", "TargetOriginId": "both", "ViewerProtocolPolicy": "allow-all",
         "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 600,
         "ForwardedValues": {"QueryString": true, "QueryStringCacheKeys": ["size"],
           "Headers": ["Accept"], "Cookies": {"Forward": "whitelist", "WhitelistedNames": ["s_*"]}}}
      ],
      "CustomErrorResponses": [
        {"ErrorCode": 404, "ResponseCode": 200, "ResponsePagePath": "/index.html",
         "ErrorCachingMinTTL": 30},
        {"ErrorCode": 503, "ErrorCachingMinTTL": 0}
      ],
      "Restrictions": {"GeoRestriction": {"RestrictionType": "blacklist", "Locations": ["KP"]}},
      "ViewerCertificate": {"CloudFrontDefaultCertificate": true},
      "Logging": {}, "Aliases": [], "WebACLId": ""
    }
    """

  @Test func `a template's distribution is read whole`() throws {
    let made = try Sample.make(
      """
      {"Resources": {"Shop": {"Type": "AWS::CloudFront::Distribution", "Properties":
        {"DistributionConfig": \(Self.config), "Tags": [{"Key": "team", "Value": "web"}]}}}}
      """)
    #expect(made.name == "Shop")
    #expect(made.preset == .custom)
    #expect(made.tags == [Tag(key: "team", value: "web"), Tag(key: "comment", value: "a shop")])
    #expect(made.rootObject == "index.html")
    #expect(made.ipAddressType == .dualstack)
    #expect(made.origin.url == "http://app.example:8080/v1")
    #expect(made.origin.connectAttempts == 2)
    #expect(made.origin.connectTimeout == 5)
    #expect(made.origin.responseTimeout == 60)
    #expect(made.origin.keepAliveTimeout == 10)
    #expect(made.origin.headers == [HeaderField(name: "X-Secret", value: "s")])
    #expect(made.origins.map(\.name) == ["images"])
    #expect(made.origins.first?.origin.url == "http://img.example")
    #expect(
      made.originGroups
        == [OriginGroup(name: "both", members: ["default", "images"], statuses: [500, 404])])
    #expect(made.defaultBehavior == .cache)
    #expect(
      made.settings
        == BehaviorSettings(
          ttl: TTL(minimum: 1, default: 86_400), allowedMethods: .getHeadOptions,
          key: KeySettings(codings: [.gzip, .brotli]),
          originRequest: OriginRequestSettings(headers: .listed(["User-Agent", "Referer"])),
          compression: CompressionSettings(codings: [.gzip, .brotli]),
          viewerProtocol: .redirectToHTTPS,
          responseHeaders: ResponseHeaderSettings(security: .standard)))
    #expect(made.behaviors.map(\.path) == ["/api/*", "/img/*"])
    #expect(made.behaviors.map(\.caching) == [.dontCache, .cache])
    let api = made.behaviors[0].overrides.applied(to: made.settings)
    #expect(api.allowedMethods == .all)
    #expect(api.viewerProtocol == .httpsOnly)
    #expect(api.compression.codings == [])
    #expect(api.responseHeaders == ResponseHeaderSettings())
    #expect(
      api.originRequest
        == OriginRequestSettings(headers: .all, cookies: .all, queryStrings: .all))
    let images = made.behaviors[1].overrides.applied(to: made.settings)
    #expect(images.origin == "both")
    #expect(images.ttl == TTL(minimum: 0, default: 60, maximum: 600))
    #expect(images.forwardedHeaders == .listed(["Accept"]))
    #expect(images.forwardedCookies == .listed(["s_*"]))
    #expect(images.forwardedQueryStrings == .listed(["size"]))
    #expect(images.originRequest.queryStrings == .all)
    #expect(images.allowedMethods == .getHead)
    #expect(
      made.errors
        == ErrorSettings(
          minimumTTL: 10,
          responses: [
            ErrorResponse(
              status: 404, page: .path("/index.html"), responseStatus: 200, minimumTTL: 30),
            ErrorResponse(status: 503, minimumTTL: 0),
          ]))
    #expect(made.geoRestriction == .block(["KP"]))
    let bytes = DistributionFile.encode(made)
    #expect(try DistributionFile.decodeStored(bytes, source: "x") == made)
  }

  @Test func `what the command line prints is read under a name given beside`() throws {
    let json = """
      {"ETag": "E1", "DistributionConfig": {
        "CallerReference": "x", "Aliases": {"Quantity": 0},
        "Origins": {"Quantity": 1, "Items": [{"Id": "a", "DomainName": "a.example",
          "CustomHeaders": {"Quantity": 0}, "OriginShield": {"Enabled": false},
          "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}]},
        "OriginGroups": {"Quantity": 0},
        "DefaultCacheBehavior": {"TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all",
          "TrustedSigners": {"Enabled": false, "Quantity": 0},
          "AllowedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"],
            "CachedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"]}},
          "ForwardedValues": {"QueryString": false, "Cookies": {"Forward": "none"},
            "Headers": {"Quantity": 0}}},
        "CacheBehaviors": {"Quantity": 0}, "CustomErrorResponses": {"Quantity": 0},
        "Comment": "", "Logging": {"Enabled": false, "Bucket": ""}, "Enabled": false}}
      """
    let draft = try Sample.decode(json)[0]
    let made = try draft.make(name: "shop", now: 0)
    #expect(made.isEnabled == false)
    #expect(made.settings.ttl == TTL(default: 86_400))
    #expect(made.settings.allowedMethods == .getHead)
    #expect(made.behaviors.isEmpty)
    let problems = Sample.problems { _ = try draft.make(now: 0) }
    #expect(problems.first?.what == "the distribution has no name")
    #expect(problems.first?.hint.contains("atoll create <name> --file") == true)
  }

  @Test(arguments: [
    (
      #""ViewerCertificate": {"AcmCertificateArn": "arn", "SslSupportMethod": "vip"}"#,
      "ViewerCertificate.SslSupportMethod", "addresses of its own", "sni-only"
    ),
    (
      #""ViewerCertificate": {"AcmCertificateArn": "arn", "MinimumProtocolVersion": "TLSv1"}"#,
      "ViewerCertificate.MinimumProtocolVersion", "no choice of a distribution's", "--tls-policy"
    ),
    (#""Logging": {"Bucket": "b"}"#, "Logging", "no setting", "--access-log"),
    (#""WebACLId": "arn""#, "WebACLId", "no web application firewall", "remove"),
    (#""Staging": true"#, "Staging", "no continuous deployment", "second"),
    (
      #""Restrictions": {"GeoRestriction": {"RestrictionType": "some"}}"#,
      "Restrictions.GeoRestriction.RestrictionType", "\"some\"", "blacklist"
    ),
    (#""PriceClas": 1"#, "", "unknown key \"PriceClas\"", "\"PriceClass\""),
  ])
  func `what cannot be reproduced of a distribution is refused`(
    member: String, place: String, what: String, hint: String
  ) {
    check(
      """
      {"DistributionConfig": {\(member),
        "Origins": [{"Id": "a", "DomainName": "a.example"}],
        "DefaultCacheBehavior": {"TargetOriginId": "a"}}}
      """, place, what, hint)
  }

  @Test(arguments: [
    (
      #""CachePolicyId": "mine""#, "CachePolicyId", "\"mine\" is no managed policy",
      "ForwardedValues"
    ),
    (#""OriginRequestPolicyId": "mine""#, "OriginRequestPolicyId", "no managed policy", "managed"),
    (
      #""ResponseHeadersPolicyId": "mine""#, "ResponseHeadersPolicyId", "no managed policy",
      "managed"
    ),
    (
      #""FunctionAssociations": [{"EventType": "viewer-request"}]"#, "FunctionAssociations",
      "no functions", "remove"
    ),
    (#""TrustedKeyGroups": ["k"]"#, "TrustedKeyGroups", "no signed URLs", "remove"),
    (#""SmoothStreaming": true"#, "SmoothStreaming", "no Smooth", "remove"),
    (#""AllowedMethods": ["GET"]"#, "AllowedMethods", "not one of the choices", "GET,HEAD"),
    (
      #""ForwardedValues": {"Cookies": {"Forward": "some"}}"#, "ForwardedValues.Cookies.Forward",
      "\"some\"", "whitelist"
    ),
    (#""ViewerProtocolPolicy": "https""#, "ViewerProtocolPolicy", "\"https\"", "https-only"),
    (#""MinTTL": "1""#, "MinTTL", "is text", "write 1"),
  ])
  func `what cannot be reproduced of a behavior is refused`(
    member: String, place: String, what: String, hint: String
  ) {
    check(
      """
      {"DistributionConfig": {"Origins": [{"Id": "a", "DomainName": "a.example"}],
        "DefaultCacheBehavior": {\(member), "TargetOriginId": "a"}}}
      """, "DefaultCacheBehavior.\(place)", what, hint)
  }

  @Test(arguments: [
    (
      #""S3OriginConfig": {"OriginAccessIdentity": "x"}"#, "S3OriginConfig", "signs no requests",
      "openly"
    ),
    (#""OriginAccessControlId": "x""#, "OriginAccessControlId", "signs no requests", "openly"),
    (#""OriginShield": {"Enabled": true}"#, "OriginShield", "no origin shield", "remove"),
    (
      #""CustomOriginConfig": {"OriginProtocolPolicy": "match-viewer"}"#,
      "CustomOriginConfig.OriginProtocolPolicy", "one scheme", "https-only"
    ),
  ])
  func `what cannot be reproduced of an origin is refused`(
    member: String, place: String, what: String, hint: String
  ) {
    check(
      """
      {"DistributionConfig": {"Origins": [{"Id": "a", "DomainName": "a.example", \(member)}],
        "DefaultCacheBehavior": {"TargetOriginId": "a"}}}
      """, "Origins[0].\(place)", what, hint)
  }

  @Test func `an origin that is not there is told`() {
    check(
      """
      {"DistributionConfig": {"Origins": [{"Id": "images", "DomainName": "a.example"}],
        "DefaultCacheBehavior": {"TargetOriginId": "imags"}}}
      """, "DefaultCacheBehavior.TargetOriginId", "no origin or group \"imags\"",
      "did you mean \"images\"?")
  }

  private func check(_ json: String, _ place: String, _ what: String, _ hint: String) {
    let problems = Sample.problems { _ = try Sample.decode(json) }
    #expect(problems.count == 1, "\(problems)")
    let whole = "site.json: DistributionConfig" + (place.isEmpty ? "" : ".\(place)")
    #expect(problems.first?.where == whole)
    #expect(problems.first?.what.contains(what) == true, "\(problems)")
    #expect(problems.first?.hint.contains(hint) == true, "\(problems)")
  }
}
