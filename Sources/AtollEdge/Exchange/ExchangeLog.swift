// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

extension Exchange {
  /// Hands the exchange to the access log; only when there is one.
  @inline(never)
  func writeLog(_ log: LogBuffer) {
    let wall = SystemCall.wallMicroseconds()
    var record = AccessRecord()
    record.seconds = wall / 1_000_000
    record.microseconds = Int32(wall % 1_000_000)
    record.requestIDHigh = requestID.high
    record.requestIDLow = requestID.low
    record.viewer = viewer.addressText
    record.version = version
    record.verdict = verdict
    record.status = status
    record.bodyBytes = max(0, bytesDown - headBytes)
    record.bytesDown = bytesDown
    record.bytesUp = bytesUp
    record.duration = SystemCall.monotonicMicroseconds() - beganAt
    record.firstByte = firstByteAt == 0 ? -1 : firstByteAt - beganAt
    record.age = age
    record.originStatus = originStatus
    if let security = viewer.security { record.tls = security.version }
    if let head = viewer.presentHead, let base = viewer.presentHeadBase {
      // The proxies that are believed know better than the connection.
      if let policy, !policy.trustedProxies.isEmpty { record.viewer = viewerAddress(head, base) }
      record.method = UnsafeBufferPointer(start: base, count: Int(head.methodLength))
      record.target = UnsafeBufferPointer(
        start: base + Int(head.targetStart), count: Int(head.targetLength))
      let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
      record.host = UnsafeBufferPointer(
        start: base + Int(head.authorityStart), count: Int(head.authorityLength))
      record.referer = head.fields.value(of: .referer, in: base) ?? none
      record.userAgent = head.fields.value(of: .userAgent, in: base) ?? none
    }
    if let policy {
      var name = policy.distribution.name
      name.withUTF8 {
        record.distribution = $0
        log.append(record)
      }
    } else {
      log.append(record)
    }
  }
}
