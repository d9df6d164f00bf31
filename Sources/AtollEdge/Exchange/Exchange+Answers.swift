// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Answers that the edge gives itself.
extension Exchange {
  /// A request whose head could not be read.
  func refuse(status: UInt16, reason: Reason, detail: String) {
    method = .get
    minorVersion = 1
    policyReference = nil
    behaviorReference = nil
    framing = .none
    persists = false
    bytesDown = 0
    bytesUp = 0
    headBytes = 0
    age = -1
    originStatus = 0
    beganAt = services.log == nil ? 0 : SystemCall.monotonicMicroseconds()
    requestID = services.nextRequestID()
    let page = ErrorPage(
      status: status, reason: reason, detail: detail, distribution: nil, requestID: requestID)
    sendPage(page, format: .text, allow: nil)
  }

  /// No distribution answers for the host.
  func refuseHost(_ head: RequestHead, _ base: UnsafePointer<UInt8>) {
    if services.configuration.isDetached(head.authority(in: base)) {
      answer(head, base, status: 403, reason: .domainDetached)
    } else {
      answer(head, base, status: 421, reason: .unknownHost)
    }
  }

  /// - Parameter detail: more than the reason says.
  @inline(never)
  func answer(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, status: UInt16, reason: Reason,
    detail: String? = nil
  ) {
    // What follows the head is a body that nobody reads.
    if framing != .none && framing != .length(0) { persists = false }
    var page = ErrorPage(
      status: status, reason: reason, detail: detail, distribution: policy?.distribution.name,
      requestID: requestID)
    var allow = status == 405 ? behavior?.settings.allowedMethods.listing : nil
    if substitutePage(for: page, allow: allow) { return }
    if let error = errorPage {
      // Its page is not to be had, or there is none: the error that it was for is the answer.
      page = ErrorPage(
        status: error.rule.page == nil ? error.rule.responseStatus : error.rule.status,
        reason: error.reason, detail: error.detail,
        distribution: page.distribution, requestID: requestID)
      allow = error.allow
      method = error.method
    }
    sendPage(
      page, format: ErrorPage.Format(accept: head.fields.value(of: .accept, in: base)),
      allow: allow)
  }

  func sendPage(_ page: ErrorPage, format: ErrorPage.Format, allow: String?) {
    status = page.status
    verdict = Verdict(.error, page.reason)
    let out = services.headBuffer
    out.removeAll()
    let body = page.body(format)
    appendStatusLine(page.status, to: out)
    out.append("Date: ")
    HTTPDate.append(services.loop.wallTime, to: out)
    out.append("\r\nServer: atoll\r\nContent-Type: ")
    out.append(format.contentType)
    out.append("\r\nCache-Control: no-store\r\n")
    if let allow {
      out.append("Allow: ")
      out.append(allow)
      out.append("\r\n")
    }
    if page.status == 503 { out.append("Retry-After: 1\r\n") }
    let head = sentHead(making: out.bytes, keepsCacheControl: true)
    let tail = services.tailBuffer
    tail.removeAll()
    appendVerdict(verdict, age: nil, ttl: nil, originStatus: 0, stored: false, to: tail)
    tail.append("Content-Length: ")
    tail.appendDecimal(UInt64(body.utf8.count))
    tail.append("\r\n")
    endTail(tail)
    if method != .head { tail.append(body) }
    send(
      head, tail, nil, position: 0, count: 0,
      bodyInTail: method == .head ? 0 : body.utf8.count)
  }
}
