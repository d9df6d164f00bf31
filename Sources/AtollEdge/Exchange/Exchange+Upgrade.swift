// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Requests that end in another protocol: WebSocket and its like.
extension Exchange {
  /// The origin has switched protocols: the viewer gets its 101, then both are joined until one ends.
  /// - Parameters:
  ///   - following: what has come behind the origin's 101 already; lies in the loop's scratch memory.
  func upgrade(
    _ response: ResponseHead, _ base: UnsafePointer<UInt8>,
    following: UnsafeBufferPointer<UInt8>, on connection: OriginConnection, of target: TargetUse?
  ) {
    guard let behavior else { return connection.close() }
    let cookie = fetch?.stickyCookie
    leaveFetch()
    status = 101
    originStatus = 101
    verdict = Verdict(.pass, .upgrade)
    let first = ByteBuffer(capacity: 1024 + following.count)
    appendResponseHead(
      response, base, behavior: behavior, storing: false, now: services.loop.wallTime, to: first)
    appendVerdict(verdict, age: nil, ttl: nil, originStatus: 101, stored: false, to: first)
    if let cookie { first.append(cookie.bytes) }
    first.append("X-Request-Id: ")
    first.appendHex(requestID.high)
    first.appendHex(requestID.low)
    first.append("\r\n\r\n")
    headBytes = first.count
    first.append(following)
    hasResponded = true
    step = .responding
    if beganAt != 0 { firstByteAt = SystemCall.monotonicMicroseconds() }
    viewer.upgrade(
      with: connection, of: target, timeout: behavior.settings.upgradeTimeout, first: first)
  }
}
