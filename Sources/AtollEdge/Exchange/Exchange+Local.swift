// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Requests that the settings have answered before any cache is asked: redirects to https,
/// preflights, OPTIONS meant for the edge.
extension Exchange {
  /// Behaviors that are not plain: what protocol and origin of the request mean here.
  @inline(never)
  func admitClosely(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    originStatements = []
    upstream = nil
    if beganAt == 0 && behavior.responses.timing != nil {
      beganAt = SystemCall.monotonicMicroseconds()
    }
    guard let facts = examineViewer(head, base, policy, behavior) else { return }
    let preflight = ByteBuffer(capacity: 256)
    let isPreflight =
      behavior.responses.cors?.appendPreflight(head, base, to: preflight) ?? false
    // A preflight asks for the edge's permission, not for OPTIONS of the origin.
    guard isPreflight || behavior.allows(method) else {
      return answer(head, base, status: 405, reason: .methodNotAllowed)
    }
    switch behavior.settings.viewerProtocol.decision(
      for: method, minorVersion: minorVersion, scheme: viewerScheme(head, base))
    {
    case .serve: break
    case .redirect(let status): return redirect(head, base, status: status)
    case .refuse: return answer(head, base, status: 403, reason: .httpsRequired)
    }
    if isPreflight {
      return answerLocally(status: 204, reason: .corsPreflight, behind: preflight.bytes) { _ in }
    }
    goOn(head, base, policy, behavior, facts, plain: false)
  }

  /// A request that is no distribution's: a certificate authority that looks whether its challenge
  /// is answered, or a host that is not known.
  @inline(never)
  func answerUnclaimed(_ head: RequestHead, _ base: UnsafePointer<UInt8>) {
    guard let answer = services.configuration.challengeAnswer(to: head, base) else {
      return refuseHost(head, base)
    }
    answerLocally(status: 200, reason: .acmeChallenge, body: answer) { out in
      out.append("Cache-Control: no-store\r\n")
    }
  }

  /// To the same URL on https.
  private func redirect(_ head: RequestHead, _ base: UnsafePointer<UInt8>, status: UInt16) {
    let location = ByteBuffer(capacity: Int(head.targetLength) + 256)
    // A proxy that ends TLS is on a port of its own.
    let ports = isForwarded(head, base) ? SecurePorts() : services.edge.securePorts
    guard appendSecureURL(head, base, ports: ports, to: location) else {
      // HTTP/1.0 may name no host; what stands there otherwise is none.
      return head.authorityLength == 0
        ? answer(head, base, status: 403, reason: .httpsRequired)
        : answer(head, base, status: 400, reason: .badRequest)
    }
    let body = "This is served at \(String(decoding: location.bytes, as: UTF8.self))\n"
    answerLocally(status: status, reason: .redirect, body: body) { out in
      out.append("Location: ")
      out.append(location.bytes)
      out.append("\r\n")
    }
  }

  /// OPTIONS that may be forwarded no more: the edge is its final recipient (RFC 9110 §7.6.2,
  /// §9.3.7).
  func answerAsRecipient(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Bool {
    guard method == .options, let behavior,
      let hops = head.fields.value(of: .maxForwards, in: base).flatMap({ decimal($0) }), hops == 0
    else { return false }
    answerLocally(status: 200, reason: .maxForwards) { out in
      out.append("Allow: ")
      out.append(behavior.settings.allowedMethods.listing)
      out.append("\r\n")
    }
    return true
  }

  /// - Parameters:
  ///   - behind: field lines that no policy changes.
  ///   - fields: appends those that one may.
  func answerLocally(
    status: UInt16, reason: Reason, body: String = "",
    behind: UnsafeBufferPointer<UInt8> = UnsafeBufferPointer(start: nil, count: 0),
    fields: (ByteBuffer) -> Void
  ) {
    // What follows the head is a body that nobody reads.
    if framing != .none && framing != .length(0) { persists = false }
    self.status = status
    verdict = Verdict(.local, reason)
    let out = services.headBuffer
    out.removeAll()
    appendStatusLine(status, to: out)
    out.append("Date: ")
    HTTPDate.append(services.loop.wallTime, to: out)
    out.append("\r\nServer: atoll\r\n")
    fields(out)
    if !body.isEmpty { out.append("Content-Type: text/plain; charset=utf-8\r\n") }
    let sent = sentHead(making: out.bytes)
    let tail = services.tailBuffer
    tail.removeAll()
    appendVerdict(verdict, age: nil, ttl: nil, originStatus: 0, stored: false, to: tail)
    tail.append(behind)
    // RFC 9110 §8.6: none with 204.
    if status != 204 {
      tail.append("Content-Length: ")
      tail.appendDecimal(UInt64(body.utf8.count))
      tail.append("\r\n")
    }
    endTail(tail)
    let sentBody = method == .head ? "" : body
    tail.append(sentBody)
    send(sent, tail, nil, position: 0, count: 0, bodyInTail: sentBody.utf8.count)
  }
}
