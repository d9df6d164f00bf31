// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// The headers about the viewer (CloudFront §14) in key, Vary and origin request.
struct ViewerFactsTests {
  private struct Place: GeoRecord {
    let values: [ViewerHeader: String]

    func append(_ header: ViewerHeader, to buffer: ByteBuffer) -> Bool {
      guard let value = values[header] else { return false }
      buffer.append(value)
      return true
    }
  }

  private static let berlin: [ViewerHeader: String] = [
    .country: "DE", .countryName: "Germany", .region: "BE", .regionName: "Land Berlin",
    .city: "Berlin", .postalCode: "10115", .latitude: "52.5", .longitude: "13.4",
    .timeZone: "Europe/Berlin", .asn: "64496",
  ]

  private struct Given {
    let request: GivenRequest
    var scheme = Scheme.http
    var place: [ViewerHeader: String] = [:]
    var address = "192.0.2.1"
    var security: ViewerSecurity?

    init(
      _ fields: [String] = [], scheme: Scheme = .http, place: [ViewerHeader: String] = [:],
      address: String = "192.0.2.1"
    ) {
      request = GivenRequest("GET /a", fields)
      self.scheme = scheme
      self.place = place
      self.address = address
    }
  }

  private func facts<Result>(
    _ given: Given, _ headers: ViewerHeaders, _ body: (ViewerFacts) -> Result
  ) -> Result {
    let buffer = ByteBuffer()
    var address = given.address
    return address.withUTF8 { text in
      appendViewerHeaders(
        headers, given.request.head, given.request.base,
        source: ViewerSource(
          text: text, port: 4711, scheme: given.scheme, security: given.security),
        geo: Place(values: given.place), to: buffer)
      return body(ViewerFacts(scheme: given.scheme, headers: buffer.bytes))
    }
  }

  private func key(_ given: Given, _ policy: DistributionPolicy) -> [UInt8] {
    facts(given, policy.behavior().comparedViewerHeaders) { viewer in
      writtenBytes {
        appendCacheKey(
          given.request.head, given.request.base, distribution: policy,
          behavior: policy.behavior(), viewer: viewer, to: $0)
      }
    }
  }

  /// The origin's lines about the viewer.
  private func sent(
    _ given: Given, _ policy: DistributionPolicy, prefix: String = "CloudFront-"
  ) -> [String] {
    facts(given, policy.behavior().sentViewerHeaders) { viewer in
      writtenLines {
        appendOriginRequest(
          given.request.head, given.request.base, distribution: policy,
          behavior: policy.behavior(), origin: policy.origins[0],
          context: OriginRequestContext(
            peerAddress: UnsafeBufferPointer(start: nil, count: 0), viewer: viewer,
            requestID: (0, 0), storing: true),
          to: $0)
      }.filter { $0.hasPrefix(prefix) }
    }
  }

  private func isSelected(
    _ vary: String, _ one: Given, _ other: Given, _ policy: DistributionPolicy
  ) -> Bool? {
    let response = GivenResponse(200, ["Vary: \(vary)"])
    let behavior = policy.behavior()
    var isUsable = false
    let section = facts(one, behavior.sentViewerHeaders) { viewer in
      writtenBytes {
        isUsable = appendVarySection(
          response: response.head, responseBase: response.base, request: one.request.head,
          requestBase: one.request.base, behavior: behavior, viewer: viewer, to: $0)
      }
    }
    if !isUsable { return nil }
    return facts(other, behavior.comparedViewerHeaders) { viewer in
      withBytes(section) {
        varyMatches(
          $0, request: other.request.head, requestBase: other.request.base, behavior: behavior,
          viewer: viewer)
      }
    }
  }

  private static let phone = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Mobile/15E148"
  private static let tablet = "User-Agent: Mozilla/5.0 (iPad; CPU OS 16_6) Mobile/15E148"

  @Test func `a key with the device`() {
    let policy = makePolicy(.static) { $0.settings.key.device = true }
    let keys = [Given(), Given([Self.phone]), Given([Self.tablet])].map { key($0, policy) }
    #expect(Set(keys).count == 3)
    #expect(key(Given(["User-Agent: iPhone"]), policy) == keys[1])
    #expect(
      sent(Given([Self.phone]), policy) == [
        "CloudFront-Is-Desktop-Viewer: false", "CloudFront-Is-Mobile-Viewer: true",
        "CloudFront-Is-Tablet-Viewer: false", "CloudFront-Is-SmartTV-Viewer: false",
      ])
    #expect(key(Given([Self.phone]), makePolicy(.static)) == key(Given(), makePolicy(.static)))
  }

  @Test(arguments: [
    (ViewerSecurity.Handshake.full, "fullHandshake"), (.resumed, "sessionResumed"),
    (.reused, "connectionReused"),
  ])
  func `the origin is told of the viewer's TLS`(handshake: ViewerSecurity.Handshake, word: String) {
    let policy = makePolicy {
      $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-TLS"])
    }
    let version: StaticString = "TLSv1.3"
    let cipher: StaticString = "TLS_AES_128_GCM_SHA256"
    var given = Given(scheme: .https)
    given.security = ViewerSecurity(
      version: UnsafeBufferPointer(start: version.utf8Start, count: version.utf8CodeUnitCount),
      cipher: UnsafeBufferPointer(start: cipher.utf8Start, count: cipher.utf8CodeUnitCount),
      handshake: handshake)
    #expect(
      sent(given, policy) == ["CloudFront-Viewer-TLS: TLSv1.3:TLS_AES_128_GCM_SHA256:\(word)"])
    #expect(sent(Given(["CloudFront-Viewer-TLS: forged"]), policy).isEmpty)
    // Never in a key (CloudFront §6).
    #expect(key(given, policy) == key(Given(scheme: .https), policy))
  }

  @Test func `a key with the country`() {
    for preset in [Preset.static, .origin] {
      let policy = makePolicy(preset) { $0.settings.key.country = true }
      let places = ["DE", "FR"].map { Given(place: [.country: $0]) } + [Given()]
      #expect(Set(places.map { key($0, policy) }).count == 3)
      #expect(sent(Given(place: Self.berlin), policy) == ["CloudFront-Viewer-Country: DE"])
      // Unknown: nothing is sent.
      #expect(sent(Given(), policy).isEmpty)
    }
  }

  @Test func `a key with the scheme`() {
    let policy = makePolicy(.static) { $0.settings.key.scheme = true }
    #expect(key(Given(), policy) != key(Given(scheme: .https), policy))
    #expect(sent(Given(scheme: .https), policy) == ["CloudFront-Forwarded-Proto: https"])
    #expect(
      sent(Given(scheme: .https), policy, prefix: "X-Forwarded-Proto")
        == ["X-Forwarded-Proto: https"])
    // An object fetched over either scheme serves both (CloudFront §5), unless the origin is told.
    let plain = makePolicy(.static)
    #expect(key(Given(), plain) == key(Given(scheme: .https), plain))
    #expect(sent(Given(scheme: .https), plain).isEmpty)
    #expect(sent(Given(scheme: .https), plain, prefix: "X-Forwarded-Proto").isEmpty)
    // RFC 9111 §2: the key is the target URI, of which the scheme is a part.
    #expect(key(Given(), makePolicy()) != key(Given(scheme: .https), makePolicy()))
    // Named as a header it means the same.
    for name in ["CloudFront-Forwarded-Proto", "X-Forwarded-Proto"] {
      let named = makePolicy(.static) { $0.settings.forwardedHeaders = .listed([name]) }
      #expect(key(Given(), named) != key(Given(scheme: .https), named))
    }
    // Where every viewer comes by https the origin may know it.
    let redirecting = makePolicy(.static) { $0.settings.viewerProtocol = .redirectToHTTPS }
    #expect(
      sent(Given(scheme: .https), redirecting, prefix: "X-Forwarded-Proto")
        == ["X-Forwarded-Proto: https"])
    #expect(!redirecting.behavior().isPlain)
  }

  @Test func `WordPress learns that the viewer speaks TLS (Lightsail, last section)`() {
    for preset in [Preset.wordpress, .dynamic] {
      let lines = sent(Given(scheme: .https), makePolicy(preset), prefix: "")
      #expect(lines.contains("CloudFront-Forwarded-Proto: https"))
      #expect(lines.contains("X-Forwarded-Proto: https"))
    }
  }

  @Test func `a key with all of it, no part of which passes for another`() {
    let policy = makePolicy(.static) {
      $0.settings.key = KeySettings(host: true, scheme: true, device: true, country: true)
      $0.settings.forwardedHeaders = .listed([
        "CloudFront-Viewer-City", "CloudFront-Viewer-Country-Region", "X-Foo",
      ])
      $0.settings.forwardedCookies = .listed(["c"])
    }
    let all = [
      Given(), Given(scheme: .https), Given([Self.phone]), Given(["X-Foo: DE"]),
      Given(["Cookie: c=DE"]), Given(place: [.country: "DE"]), Given(place: [.region: "DE"]),
      Given(place: [.city: "DE"]), Given(place: [.country: "DE", .city: "DE"]),
      Given(place: [.city: ""]), Given(place: [.region: "D", .city: "E"]),
    ]
    #expect(Set(all.map { key($0, policy) }).count == all.count)
  }

  @Test func `listed headers are sent and keyed`() {
    let policy = makePolicy(.static) {
      $0.settings.forwardedHeaders = .listed(["cloudfront-viewer-city", "CloudFront-Is-IOS-Viewer"])
    }
    #expect(
      sent(Given([Self.phone], place: Self.berlin), policy) == [
        "CloudFront-Is-IOS-Viewer: true", "CloudFront-Viewer-City: Berlin",
      ])
    #expect(key(Given(place: [.city: "Bonn"]), policy) != key(Given(place: Self.berlin), policy))
    #expect(key(Given(place: [.country: "FR"]), policy) == key(Given(), policy))
  }

  @Test func `those of an origin request are sent, and Vary selects`() {
    let policy = makePolicy(.static) {
      $0.settings.originRequest.headers = .listed([
        "CloudFront-Viewer-Country", "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN",
        "CloudFront-Viewer-Http-Version", "CloudFront-Viewer-Latitude",
        "CloudFront-Viewer-Time-Zone",
      ])
    }
    #expect(
      sent(Given(place: Self.berlin), policy) == [
        "CloudFront-Viewer-Country: DE", "CloudFront-Viewer-Latitude: 52.5",
        "CloudFront-Viewer-Time-Zone: Europe/Berlin", "CloudFront-Viewer-ASN: 64496",
        "CloudFront-Viewer-Http-Version: 1.1", "CloudFront-Viewer-Address: 192.0.2.1:4711",
      ])
    let (german, french) = (Given(place: Self.berlin), Given(place: [.country: "FR"]))
    #expect(key(german, policy) == key(french, policy))
    #expect(isSelected("CloudFront-Viewer-Country", german, french, policy) == false)
    #expect(isSelected("cloudfront-viewer-country", german, german, policy) == true)
    #expect(isSelected("CloudFront-Viewer-Country", Given(), Given(), policy) == true)
    #expect(isSelected("CloudFront-Viewer-Country", Given(), german, policy) == false)
    // Nobody else has the same address.
    #expect(isSelected("CloudFront-Viewer-Address", german, german, policy) == nil)
    // What the origin was not told cannot have made a difference.
    #expect(isSelected("CloudFront-Viewer-City", german, french, policy) == true)
  }

  @Test func `headers of the request's own shape`() {
    let policy = makePolicy(.static) {
      $0.settings.originRequest.headers = .listed([
        "CloudFront-Viewer-Header-Order", "CloudFront-Viewer-Header-Count",
      ])
    }
    #expect(
      sent(Given(["X-B: 1", "accept: a"]), policy) == [
        "CloudFront-Viewer-Header-Order: Host:X-B:accept", "CloudFront-Viewer-Header-Count: 3",
      ])
  }

  @Test func `a viewer cannot forge them`() {
    let policy = makePolicy(.static) {
      $0.settings.key.country = true
      $0.settings.originRequest.headers = .all
    }
    let forged = Given(
      ["CloudFront-Viewer-Country: US", "cloudfront-is-mobile-viewer: true"], place: Self.berlin)
    #expect(sent(forged, policy) == ["CloudFront-Viewer-Country: DE"])
    #expect(key(forged, policy) == key(Given(place: Self.berlin), policy))
    #expect(
      sent(forged, makePolicy(), prefix: "").filter { $0.lowercased().hasPrefix("cloudfront") }
        .isEmpty)
  }

  @Test(arguments: [
    "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN", "CloudFront-Viewer-Header-Order",
  ])
  func `what every viewer has for itself is not keyed (CloudFront §6)`(name: String) {
    let policy = makePolicy(.static) { $0.settings.forwardedHeaders = .listed([name]) }
    #expect(key(Given(), policy) == key(Given(address: "203.0.113.9"), policy))
    // And so not sent where the response may serve others.
    #expect(sent(Given(place: Self.berlin), policy).isEmpty)
    let uncached = makePolicy(.dynamic) { $0.settings.forwardedHeaders = .listed([name]) }
    #expect(sent(Given(place: Self.berlin), uncached).count == 2)
  }

  @Test func `plain behaviors are looked up at once`() {
    let cases: [((inout Distribution) -> Void, Bool)] = [
      ({ _ in }, true), ({ $0.isEnabled = false }, false),
      ({ $0.geoRestriction = .block(["DE"]) }, false),
      ({ $0.trustedProxies = ["10.0.0.0/8"] }, false),
      ({ $0.settings.viewerProtocol = .httpsOnly }, false),
      ({ $0.settings.key.device = true }, false), ({ $0.settings.key.country = true }, false),
      ({ $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-City"]) }, false),
      ({ $0.settings.originRequest.headers = .listed(["CloudFront-Viewer-Address"]) }, true),
      ({ $0.settings.key.scheme = true }, true), ({ $0.settings.key.sortsQuery = true }, true),
    ]
    for (index, (edit, expected)) in cases.enumerated() {
      #expect(makePolicy(.static, edit).behavior().isPlain == expected, "case \(index)")
    }
  }

  @Test func `an encoded response selects by coding though its origin does not say so`() {
    for (policy, expected) in [
      (makePolicy(), false),
      (makePolicy(.static) { $0.settings.forwardedHeaders = .listed(["Accept-Encoding"]) }, true),
      (makePolicy(.static) { $0.settings.key.codings = [] }, true),
    ] {
      let response = GivenResponse(200, ["Content-Encoding: gzip"])
      let request = GivenRequest("GET /a", ["Accept-Encoding: gzip"])
      let section = writtenBytes {
        #expect(
          appendVarySection(
            response: response.head, responseBase: response.base, request: request.head,
            requestBase: request.base, behavior: policy.behavior(), viewer: ViewerFacts(), to: $0))
      }
      #expect(section.isEmpty == expected)
      let other = GivenRequest("GET /a", ["Accept-Encoding: identity"])
      #expect(
        withBytes(section) {
          varyMatches(
            $0, request: other.head, requestBase: other.base, behavior: policy.behavior(),
            viewer: ViewerFacts())
        } == expected)
    }
  }
}
