// SPDX-License-Identifier: Apache-2.0

extension Explainer {
  func addStorage(of response: ExplainedResponse, to result: inout Explanation) {
    let bytes = response.bytes
    let buffer = ByteBuffer()
    buffer.append(bytes)
    let base = UnsafePointer(buffer.base)
    let parsed = ResponseHead()
    guard case .complete = parsed.parse(base, count: buffer.count, requestMethod: head.method)
    else {
      result.add("storage", "Stored", .nothing, "the response's head cannot be read")
      return
    }
    let decision = decideStorage(
      request: caching, method: head.method, response: parsed, base: base, behavior: behavior,
      requestTime: now, responseTime: now)
    withExtendedLifetime(buffer) {}
    var facts: [Explanation.Fact] = [
      .init(key: "status", label: "status", value: .number(response.status), reason: nil)
    ]
    switch decision {
    case .refuse(let reason):
      facts.append(
        .init(key: "stored", label: "stored", value: .flag(false), reason: sentence(reason)))
      facts.append(
        .init(key: "reason", label: "reason", value: .text("\(reason.text)"), reason: nil))
      facts.append(.init(key: "rule", label: "by", value: .text(rule(of: reason)), reason: nil))
    case .store(let freshness):
      facts.append(.init(key: "stored", label: "stored", value: .flag(true), reason: nil))
      facts.append(
        .init(
          key: "lifetime", label: "fresh for", value: .seconds(Int(freshness.remaining(at: now))),
          reason: lifetimeWords(freshness)))
      facts.append(
        .init(
          key: "rule", label: "by",
          value: .text(lifetimeRule(freshness, status: parsed.status)), reason: nil))
      if freshness.flags.contains(.noCache) {
        facts.append(
          .init(
            key: "validated", label: "validated", value: .flag(true),
            reason: "before every use: no-cache (RFC 9111 section 5.2.2.4)"))
      }
      facts.append(
        .init(
          key: "staleIfError", label: "stale on errors",
          value: .seconds(Int(freshness.staleIfError)),
          reason: freshness.flags.isDisjoint(with: [.mustRevalidate, .noCache])
            ? nil : "forbidden by the response (RFC 9111 section 4.2.4)"))
      facts.append(
        .init(
          key: "staleWhileRevalidate", label: "stale meanwhile",
          value: .seconds(Int(freshness.staleWhileRevalidate)), reason: "RFC 5861 section 3"))
    }
    if let own = distribution.errors.responses.first(where: { $0.status == response.status }),
      own.page != nil || own.responseStatus != nil
    {
      facts.append(
        .init(
          key: "page", label: "viewers get", value: .text(own.words),
          reason: "the distribution's error pages"))
    }
    result.add("storage", "This response", .facts(facts))
  }

  func lifetimeRule(_ freshness: Freshness, status: UInt16) -> String {
    if behavior.errors.minimumTTL(of: status) != nil {
      return "the distribution's error TTL, or what the origin says if that is longer"
    }
    return freshness.flags.contains(.explicit)
      ? "RFC 9111 section 4.2.1" : "RFC 9111 section 4.2.2 and the behavior's lifetimes"
  }

  func lifetimeWords(_ freshness: Freshness) -> String {
    let origin =
      freshness.flags.contains(.explicit) ? "the origin's own lifetime" : "the origin gives none"
    return freshness.initialAge > 0
      ? "\(origin) of \(freshness.lifetime) seconds, \(freshness.initialAge) of them gone" : origin
  }

  func sentence(_ reason: Reason) -> String {
    switch reason {
    case .behaviorDontCache: "the behavior is dont-cache"
    case .method: "\(request.method) is not cached"
    case .upgrade: "the request asks for another protocol"
    case .requestBody: "the request has a body"
    case .requestNoStore: "the request says no-store"
    case .responseNoStore: "the response says no-store"
    case .responsePrivate: "the response says private"
    case .responseNoCache: "the response says no-cache and has no validator"
    case .responseAuthorization:
      "the request carries Authorization, and the response says neither public, s-maxage nor "
        + "must-revalidate"
    case .responseStatus: "status without a lifetime of its own"
    case .responseSetCookie: "it sets a cookie and has no lifetime of its own"
    case .requestCookie: "the request carries cookies, and the response has no lifetime of its own"
    case .responsePartial: "it is a part"
    case .responseNoLifetime: "the origin gives no lifetime, and the behavior has no default"
    case .varyStar: "it says Vary: *"
    case .zeroLifetime: "its lifetime is over at once, and it has no validator"
    default: "\(reason.text)"
    }
  }

  func rule(of reason: Reason) -> String {
    switch reason {
    case .behaviorDontCache: "the behavior"
    case .method: "RFC 9110 section 9.2.3"
    case .upgrade: "RFC 9110 section 7.8"
    case .requestBody: "RFC 9110 section 9.3.1"
    case .requestNoStore: "RFC 9111 section 5.2.1.5"
    case .responseNoStore: "RFC 9111 section 5.2.2.5"
    case .responsePrivate: "RFC 9111 section 5.2.2.7"
    case .responseNoCache: "RFC 9111 section 5.2.2.4"
    case .responseAuthorization: "RFC 9111 section 3.5"
    case .responseStatus: "RFC 9110 section 15.1"
    case .responseSetCookie, .requestCookie: "RFC 9111 section 7.3"
    case .responsePartial: "RFC 9111 section 3.3"
    case .responseNoLifetime: "RFC 9111 section 4.2.2"
    case .varyStar: "RFC 9111 section 4.1"
    case .zeroLifetime: "RFC 9111 section 4.2"
    default: "RFC 9111 section 3"
    }
  }
}
