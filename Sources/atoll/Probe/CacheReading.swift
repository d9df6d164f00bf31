// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the headers of one response tell about the cache nearest to the viewer.
struct CacheReading: Equatable {
  var verdict = CacheVerdict.unknown
  /// The cache's word for why: `response-no-store`, `dynamic`, `expired`.
  var reason: String?
  /// The cache's name for itself, or its maker's.
  var cache: String?
  /// The field that told.
  var source: String?
  /// Whether the response was stored, when the cache says.
  var isStored: Bool?
  /// Seconds.
  var age: Int?
  /// Seconds that a stored copy stays fresh from now on; negative for a stale one.
  var ttl: Int?
  /// Every cache that spoke in Cache-Status, the nearest to the origin first.
  var members: [CacheStatusMember] = []

  /// - Parameter now: seconds since 1970, for a response without Date.
  init(_ response: ClientResponse, now: Int64) {
    age = response.age
    members = response.combined("Cache-Status").flatMap(CacheStatusField.parse) ?? []
    for read in Self.order(response, members) where verdict == .unknown { read(&self, response) }
    if ttl == nil, verdict != .pass, verdict != .error {
      ttl = Lifetime.remaining(response, age: age ?? 0, now: now)
    }
  }

  private typealias Reader = (inout CacheReading, ClientResponse) -> Void

  /// The fields in the order of trust, that of the nearest cache first: a cache passes on what those
  /// behind it have said, so one that can be told to be the last on the way goes before the others.
  private static func order(_ response: ClientResponse, _ members: [CacheStatusMember]) -> [Reader]
  {
    let last = lastVia(response)?.lowercased() ?? ""
    let others: [Reader] = [
      word("CDN-Cache", "Bunny"), word("X-Cache-Status", nil), word("X-Proxy-Cache", nil),
      word("X-LiteSpeed-Cache", "LiteSpeed"), word("X-QC-Cache", "QUIC.cloud"), varnish,
      trafficServer, serverTiming, age,
    ]
    let cloudflare = word("CF-Cache-Status", "Cloudflare")
    let general = [cacheStatus, cloudflare, word("X-Vercel-Cache", "Vercel"), xCache] + others
    if let name = members.last?.cache.lowercased(), last.contains(name) { return general }
    if last.contains("cloudfront") { return [xCache] + general }
    if response.values("Server").contains(where: { $0.lowercased() == "cloudflare" }) {
      return [cloudflare] + general
    }
    return general
  }

  /// Who added the last member of Via: the name or the comment (RFC 9110 §7.6.3).
  private static func lastVia(_ response: ClientResponse) -> Substring? {
    response.values("Via").last?.split(separator: ",").last
  }

  /// RFC 9211.
  private static func cacheStatus(_ reading: inout CacheReading, _ response: ClientResponse) {
    guard let member = reading.members.last else { return }
    reading.source = "Cache-Status"
    reading.cache = member.cache
    reading.ttl = member.ttl
    reading.isStored = member.isStored
    reading.reason = member.detail ?? member.forward
    if member.isHit {
      reading.verdict = (member.ttl ?? 0) < 0 ? .stale : .hit
      reading.reason = member.detail
      return
    }
    reading.verdict = verdict(of: member, response)
  }

  /// Of a cache that had no hit.
  private static func verdict(of member: CacheStatusMember, _ response: ClientResponse)
    -> CacheVerdict
  {
    guard let forward = member.forward else {
      // Neither hit nor forwarded: the cache made the response itself.
      if response.status >= 400 { return .error }
      switch member.detail.flatMap(Reason.init(text:)) {
      case .redirect, .corsPreflight, .maxForwards, .acmeChallenge: return .pass
      default: return .unknown
      }
    }
    // The origin's 304 is this response's own when the viewer asked conditionally, unless the
    // cache had something to confirm (RFC 9211 §2.2, "stale").
    if member.forwardStatus == 304, forward == "stale" || response.status != 304 {
      return .revalidated
    }
    // Forwarded because it was stale, and answered with what is stale still.
    if forward == "stale", let ttl = member.ttl, ttl < 0 { return .stale }
    if let reason = member.detail.flatMap(Reason.init(text:)), reason.isError { return .error }
    if forward == "bypass" || forward == "method" { return .pass }
    return member.isCollapsed == true ? .coalesced : .miss
  }

  /// `Hit from cloudfront`, `MISS, HIT`, `TCP_HIT from a23.deploy.akamaitechnologies.com (…)`.
  private static func xCache(_ reading: inout CacheReading, _ response: ClientResponse) {
    // Of several caches in a row, as Fastly's, the last is the viewer's.
    guard let value = response.values("X-Cache").last,
      let words = value.split(separator: ",").last?.split(separator: " "),
      let first = words.first, let (verdict, reason) = CacheWord.read(first)
    else { return }
    reading.verdict = verdict
    reading.reason = reason
    reading.source = "X-Cache"
    if words.count > 2, words[1].lowercased() == "from" {
      reading.cache = String(words[2])
    } else if response.values("X-Served-By").contains(where: { $0.hasPrefix("cache-") }) {
      reading.cache = "Fastly"
    }
  }

  /// A field that holds one such word.
  private static func word(_ field: String, _ cache: String?) -> Reader {
    { reading, response in
      guard let value = response.values(field).last,
        let first = value.split(whereSeparator: { $0 == " " || $0 == "," }).last,
        let (verdict, reason) = CacheWord.read(first)
      else { return }
      reading.verdict = verdict
      reading.reason = reason
      reading.source = field
      reading.cache = cache
    }
  }

  /// Varnish names the request, and on a hit the one that stored the entry too.
  private static func varnish(_ reading: inout CacheReading, _ response: ClientResponse) {
    guard let numbers = response.values("X-Varnish").last?.split(separator: " "), !numbers.isEmpty
    else { return }
    reading.verdict = numbers.count > 1 ? .hit : .miss
    reading.source = "X-Varnish"
    reading.cache = "Varnish"
  }

  /// Traffic Server's code in Via: `[cMsSf ]`, where the letter after `c` is the look-up's result.
  private static func trafficServer(_ reading: inout CacheReading, _ response: ClientResponse) {
    guard let via = lastVia(response), let bracket = via.range(ofText: "["),
      let c = via[bracket.upperBound...].firstIndex(of: "c")
    else { return }
    switch via[via.index(after: c)...].first {
    case "H", "R": reading.verdict = .hit
    case "S": reading.verdict = via.contains("sN") ? .revalidated : .miss
    case "M": reading.verdict = .miss
    case "A", "U": reading.verdict = .miss
    default: return
    }
    reading.source = "Via"
    reading.cache = "Traffic Server"
  }

  /// `cdn-cache; desc=HIT`, as Akamai and Shopify send.
  private static func serverTiming(_ reading: inout CacheReading, _ response: ClientResponse) {
    for metric in (response.combined("Server-Timing") ?? "").split(separator: ",") {
      let parts = metric.split(separator: ";").map { $0.trimmed }
      guard parts.first?.lowercased() == "cdn-cache" else { continue }
      for part in parts.dropFirst() where part.lowercased().hasPrefix("desc=") {
        let word = part.dropFirst(5).filter { $0 != "\"" }
        guard let (verdict, reason) = CacheWord.read(word) else { continue }
        reading.verdict = verdict
        reading.reason = reason
        reading.source = "Server-Timing"
      }
    }
  }

  /// RFC 9111 §5.1: a response with Age was not made for this request.
  private static func age(_ reading: inout CacheReading, _ response: ClientResponse) {
    guard let age = reading.age, age > 0 else { return }
    reading.verdict = .hit
    reading.source = "Age"
    reading.cache = lastVia(response)?.split(separator: " ").dropFirst().first.map(String.init)
  }
}

/// How long a response may be kept, judged from outside by its headers alone.
enum Lifetime {
  /// Seconds left, or nil when the headers give none.
  static func remaining(_ response: ClientResponse, age: Int, now: Int64) -> Int? {
    let control = response.directives("Cache-Control")
    // RFC 9213: what is meant for caches like these goes before Cache-Control.
    let targeted = response.directives("CDN-Cache-Control")
    if targeted.maxAge >= 0 { return Int(targeted.maxAge) - age }
    if !control.flags.isDisjoint(with: [.noStore, .private, .noCache]) { return nil }
    let lifetime = control.sharedMaxAge >= 0 ? control.sharedMaxAge : control.maxAge
    if lifetime >= 0 { return Int(lifetime) - age }
    guard let expires = response.values("Expires").first else { return nil }
    let date = response.values("Date").first.flatMap { parse($0, now: now) } ?? now
    // RFC 9111 §5.3: an unreadable date, "0" above all, is in the past.
    guard let moment = parse(expires, now: now) else { return -age }
    return Int(min(max(moment - date, 0), Int64(Int32.max))) - age
  }

  private static func parse(_ text: String, now: Int64) -> Int64? {
    Array(text.utf8).withUnsafeBufferPointer { HTTPDate.parse($0, now: now) }
  }
}
