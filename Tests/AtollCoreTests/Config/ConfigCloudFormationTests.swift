// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

@Suite struct ConfigCloudFormationTests {
  static let properties = """
    {
      "DistributionName": "shop",
      "BundleId": "small_1_0",
      "IsEnabled": false,
      "IpAddressType": "dualstack",
      "Tags": [{"Key": "team", "Value": "web"}, {"Key": "bare"}],
      "Origin": {"Name": "shop.example", "ProtocolPolicy": "http-only", "RegionName": "eu-west-1"},
      "DefaultCacheBehavior": {"Behavior": "dont-cache"},
      "CacheBehaviors": [{"Path": "img/*", "Behavior": "cache"}],
      "CacheBehaviorSettings": {
        "DefaultTTL": 3600, "MinimumTTL": 60, "MaximumTTL": 7200,
        "AllowedHTTPMethods": "GET,HEAD,OPTIONS", "CachedHTTPMethods": "GET,HEAD,OPTIONS",
        "ForwardedCookies": {"Option": "allow-list", "CookiesAllowList": ["session_*"]},
        "ForwardedHeaders": {"Option": "allow-list", "HeadersAllowList": ["Host"]},
        "ForwardedQueryStrings": {"Option": true, "QueryStringsAllowList": ["page"]}
      }
    }
    """

  private func expected() throws -> Distribution {
    var distribution = try Sample.distribution(preset: .custom)
    distribution.isEnabled = false
    distribution.plan = .small
    distribution.tags = [Tag(key: "team", value: "web"), Tag(key: "bare")]
    distribution.ipAddressType = .dualstack
    distribution.origin.region = "eu-west-1"
    distribution.errors = ErrorSettings(minimumTTL: 10)
    distribution.defaultBehavior = .dontCache
    distribution.behaviors = [PathBehavior(path: "img/*", caching: .cache)]
    distribution.settings = BehaviorSettings(
      ttl: TTL(minimum: 60, default: 3_600, maximum: 7_200), allowedMethods: .getHeadOptions,
      cachesOptions: true, forwardedHeaders: .listed(["Host"]),
      forwardedCookies: .listed(["session_*"]), forwardedQueryStrings: .listed(["page"]))
    return distribution
  }

  @Test(arguments: [
    properties, "{\"Type\": \"AWS::Lightsail::Distribution\", \"Properties\": \(properties)}",
    """
    {"AWSTemplateFormatVersion": "2010-09-09", "Description": "a shop", "Resources":
    {"Shop": {"Type": "AWS::Lightsail::Distribution", "Properties": \(properties)}}}
    """, "[\(properties)]",
  ])
  func `every key is read, in every wrapper`(json: String) throws {
    #expect(try Sample.make(json) == (try expected()))
  }

  @Test func `the other spellings mean the same`() throws {
    let distribution = try Sample.make(
      """
      {
        "DistributionName": "shop",
        "Origin": {"Name": "my-instance", "Source": "http://shop.example:8080/app"},
        "DefaultCacheBehavior": {
          "Behavior": "allow",
          "CacheBehavior": {"Caching": {"DefaultTtl": 300, "MinTtl": 10, "MaxTtl": 600}}
        },
        "CacheBehaviors": [
          {"Path": "/img/*", "Behavior": "allow",
           "CacheBehavior": {"Caching": {"DefaultTtl": 500, "MaxTtl": 600}}},
          {"Path": "/css/*", "Behavior": "allow", "Caching": {"MinTtl": 100}}
        ],
        "CacheBehaviorSettings": {"Caching": {"DefaultTtl": 300, "MinTtl": 10, "MaxTtl": 600}}
      }
      """)
    #expect(distribution.defaultBehavior == .cache)
    #expect(distribution.settings.ttl == TTL(minimum: 10, default: 300, maximum: 600))
    #expect(
      distribution.behaviors == [
        PathBehavior(
          path: "/img/*", caching: .cache, ttl: TTL(minimum: 10, default: 500, maximum: 600)),
        PathBehavior(
          path: "/css/*", caching: .cache, ttl: TTL(minimum: 100, default: 300, maximum: 600)),
      ])
    #expect(distribution.origin.url == "http://shop.example:8080/app")
    #expect(distribution.origin.label == "my-instance")
  }

  @Test func `a template may hold several distributions`() throws {
    let json = """
      {"Resources": {
        "A": {"Type": "AWS::Lightsail::Distribution", "Properties":
          {"DistributionName": "one", "Origin": {"Name": "a.example"},
           "DefaultCacheBehavior": {"Behavior": "cache"}}},
        "B": {"Type": "AWS::Lightsail::Distribution", "Properties":
          {"DistributionName": "two", "Origin": {"Name": "b.example", "ProtocolPolicy":
           "https-only"}, "DefaultCacheBehavior": {"Behavior": "dont-cache"}}}}}
      """
    let made = try Sample.decode(json).map { try $0.make(now: 0) }
    #expect(made.map(\.name) == ["one", "two"])
    #expect(made.map(\.preset) == [.static, .dynamic])
    #expect(made.map(\.origin.url) == ["http://a.example", "https://b.example"])
  }

  @Test(arguments: [
    (#"{"DistributionNam": "a"}"#, "site.json", "\"DistributionNam\"", "\"DistributionName\""),
    (
      #"{"CacheBehaviorSettings": {"DefaultTtl": 5}}"#, "site.json: CacheBehaviorSettings",
      "\"DefaultTtl\"", "\"DefaultTTL\""
    ),
    (
      #"{"CacheBehaviorSettings": {"DefaultTTL": "one day"}}"#,
      "site.json: CacheBehaviorSettings.DefaultTTL", "\"one day\" is not a number of seconds",
      "write seconds, such as 86400"
    ),
    (
      #"{"CertificateName": 1}"#, "site.json: CertificateName", "is not text", "\"shop\""
    ),
    (#"{"IpAddressType": "ipx"}"#, "site.json: IpAddressType", "\"ipx\"", "\"ipv4\""),
    (#"{"BundleId": "huge_1_0"}"#, "site.json: BundleId", "\"huge_1_0\"", "\"small_1_0\""),
    (
      #"{"Origin": {"Name": "a.example", "Sorce": "x"}}"#, "site.json: Origin", "\"Sorce\"",
      "\"Source\""
    ),
    (#"{"Origin": {}}"#, "site.json: Origin", "\"Name\" is missing", "host name"),
    (
      #"{"Origin": {"Source": "https://a.example", "ProtocolPolicy": "http-only"}}"#,
      "site.json: Origin.ProtocolPolicy", "contradicts", "\"https-only\""
    ),
    (
      #"{"DefaultCacheBehavior": {"Behavior": "deny"}}"#,
      "site.json: DefaultCacheBehavior.Behavior", "\"deny\"", "\"cache\" or \"dont-cache\""
    ),
    (
      #"{"DefaultCacheBehavior": {"Behavior": "cache", "Caching": {"DefaultTTL": 5}}}"#,
      "site.json: DefaultCacheBehavior.Caching", "\"DefaultTTL\"", "\"DefaultTtl\""
    ),
    (
      #"{"DefaultCacheBehavior": {"Caching": {"MinTtl": 5}}, "CacheBehaviorSettings": {"MinimumTTL": 6}}"#,
      "site.json: CacheBehaviorSettings.MinimumTTL",
      "6 contradicts 5 in DefaultCacheBehavior.Caching.MinTtl", "keep one"
    ),
    (
      #"{"CacheBehaviors": [{"Path": "a"}]}"#, "site.json: CacheBehaviors[0]",
      "\"Behavior\" is missing", "\"Path\""
    ),
    (
      #"{"CacheBehaviorSettings": {"ForwardedCookies": {"Option": "allow-list"}}}"#,
      "site.json: CacheBehaviorSettings.ForwardedCookies", "names nothing", "fill the list"
    ),
    (
      #"{"CacheBehaviorSettings": {"ForwardedHeaders": {"Option": "none", "HeadersAllowList": ["Host"]}}}"#,
      "site.json: CacheBehaviorSettings.ForwardedHeaders.HeadersAllowList", "no effect",
      "allow-list"
    ),
    (
      #"{"Type": "AWS::S3::Bucket", "Properties": {}}"#, "site.json: Type", "is no distribution",
      "AWS::Lightsail::Distribution"
    ),
    (
      #"{"Type": "AWS::Lightsail::Distribution"}"#, "site.json", "\"Properties\" is missing", "add"
    ),
    (#"{"Resources": {}, "Outputs": {}}"#, "site.json", "\"Outputs\"", "the keys here are"),
    (
      #"{"Resources": {"A": {"Type": "AWS::Lightsail::Distribution", "Properties": {"Orign": 1}}}}"#,
      "site.json: Resources.A.Properties", "\"Orign\"", "\"Origin\""
    ),
  ])
  func `a wrong key or value is refused at its place`(
    json: String, place: String, what: String, hint: String
  ) {
    Sample.expectProblem(of: json, at: place, what, hint)
  }

  @Test func `what is not valid is told in the file's own words`() {
    let problems = Sample.problems {
      _ = try Sample.make(
        """
        {"Resources": {"A": {"Type": "AWS::Lightsail::Distribution", "Properties":
          {"DistributionName": "-", "Origin": {"Name": "a.example"},
           "CacheBehaviors": [{"Path": "a b", "Behavior": "cache"}],
           "CacheBehaviorSettings": {"DefaultTTL": 5, "MinimumTTL": 6,
             "ForwardedHeaders": {"Option": "allow-list", "HeadersAllowList": ["Cookie"]}}}}}}
        """)
    }
    let place = "site.json: Resources.A.Properties"
    #expect(
      problems.map(\.where) == [
        "\(place).DistributionName", "\(place).CacheBehaviors[0].Path",
        "\(place).CacheBehaviorSettings.DefaultTTL",
        "\(place).CacheBehaviorSettings.ForwardedHeaders",
      ])
  }
}
