// SPDX-License-Identifier: Apache-2.0

/// What the edge adds to a viewer's request on its way to the origin.
package struct OriginRequestContext {
  /// The address of the connection's peer as text, for X-Forwarded-For; empty when there is none.
  package var peerAddress: UnsafeBufferPointer<UInt8>
  /// With the headers that the behavior sends.
  package var viewer: ViewerFacts
  package var requestID: (high: UInt64, low: UInt64)
  /// In which the viewer spoke.
  package var version: HTTPVersion
  /// The response may become an entry: the viewer's conditions and ranges stay at the edge.
  package var storing: Bool
  /// Validators of a stale entry, as stored; with one of them the request asks whether it still
  /// holds (RFC 9111 §4.3.1).
  package var etag: UnsafeBufferPointer<UInt8>?
  package var lastModified: UnsafeBufferPointer<UInt8>?
  /// How the edge frames the body that it sends on.
  package var bodyFraming: BodyFraming

  package init(
    peerAddress: UnsafeBufferPointer<UInt8>, viewer: ViewerFacts = ViewerFacts(),
    requestID: (high: UInt64, low: UInt64), version: HTTPVersion = .http11, storing: Bool,
    etag: UnsafeBufferPointer<UInt8>? = nil, lastModified: UnsafeBufferPointer<UInt8>? = nil,
    bodyFraming: BodyFraming = .none
  ) {
    self.peerAddress = peerAddress
    self.viewer = viewer
    self.requestID = requestID
    self.version = version
    self.storing = storing
    self.etag = etag
    self.lastModified = lastModified
    self.bodyFraming = bodyFraming
  }
}

/// Appends the whole head of the request to the origin, the empty line included.
///
/// What goes in is decided by `FieldRules` and the behavior's selections; what the cache key or Vary
/// looks at and what is sent here are made by the same functions, so that no response is stored
/// under a value that its origin did not see.
package func appendOriginRequest(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, distribution: DistributionPolicy,
  behavior: BehaviorPolicy, origin: OriginPolicy, context: OriginRequestContext,
  to request: ByteBuffer
) {
  request.append(base, Int(head.methodLength))
  request.append(0x20)
  if head.method == .options && head.isAboutServer(base) {
    request.append(0x2a)
  } else {
    request.append(origin.path.bytes)
    head.appendOriginURL(base, behavior: behavior, to: request)
  }
  request.append(" HTTP/1.1\r\nHost: ")
  let authority = head.authority(in: base)
  let sendsViewerHost = behavior.forwardsHost || origin.headers.sendsViewerHost
  request.append(
    sendsViewerHost && !authority.isEmpty ? authority : origin.host(for: context.viewer.scheme))
  request.append("\r\n")
  appendViewerFields(head, base, behavior, origin.headers, context, to: request)
  appendNegotiatedFields(head, base, behavior, origin.headers, context, to: request)
  appendForwardingFields(head, base, behavior, origin.headers, context, to: request)
  appendFactsAboutViewer(context.viewer, behavior.sentViewerHeaders, to: request)
  request.append(origin.headers.lines.bytes)
  appendValidators(context, to: request)
  appendFraming(head, base, behavior, origin.headers, context, to: request)
  request.append("\r\n")
}

/// The viewer's fields that go on as they are.
private func appendViewerFields(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy,
  _ own: OriginHeaders, _ context: OriginRequestContext, to request: ByteBuffer
) {
  let fields = head.fields
  let isStorable = behavior.cachesMethod(head.method)
  let usesCache = isStorable || head.method == .get || head.method == .head
  var copied = usesCache ? behavior.copiedFields : behavior.copiedFieldsOfUncachedMethods
  if context.storing || context.etag != nil || context.lastModified != nil {
    copied &= ~FieldRules.conditional
  }
  copied &= ~own.replaced
  for index in 0..<fields.count {
    let known = fields.lines[index].known
    if copied & known.bit == 0 { continue }
    let name = fields.name(at: index, in: base)
    if known == .other {
      if !behavior.forwards(unknown: name, isStorable: isStorable) || own.replaces(known, name) {
        continue
      }
    }
    if head.withholds(name, base) { continue }
    request.append(name)
    request.append(": ")
    request.append(fields.value(at: index, in: base))
    request.append("\r\n")
  }
  if (behavior.copiedFields | own.replaced) & KnownField.userAgent.bit == 0 {
    request.append("User-Agent: atoll\r\n")
  }
}

/// Accept-Encoding and Cookie: reduced to what the behavior selects.
private func appendNegotiatedFields(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy,
  _ own: OriginHeaders, _ context: OriginRequestContext, to request: ByteBuffer
) {
  if own.replaced & KnownField.acceptEncoding.bit == 0 {
    if let codings = behavior.acceptedCodings(head, base),
      context.storing || !behavior.sendsAllHeaders
    {
      if codings.utf8CodeUnitCount > 0 {
        request.append("Accept-Encoding: ")
        request.append(codings)
        request.append("\r\n")
      }
    } else if behavior.negotiation != .withheld {
      appendLines(of: .acceptEncoding, "Accept-Encoding: ", head, base, to: request)
    }
  }
  switch behavior.cookies.sent {
  case .none: break
  case .all where behavior.cookies.keyed == .none:
    appendLines(of: .cookie, "Cookie: ", head, base, to: request)
  case .all, .chosen:
    withCookies(head, base) {
      behavior.cookies.sends($0)
    } _: { cookies in
      for index in 0..<cookies.count {
        request.append(index == 0 ? "Cookie: " : "; ")
        request.append(cookies[index])
      }
      if cookies.count > 0 { request.append("\r\n") }
    }
  }
}

/// What the edge has found out about the viewer (CloudFront §14).
private func appendFactsAboutViewer(
  _ viewer: ViewerFacts, _ sent: ViewerHeaders, to request: ByteBuffer
) {
  if sent.isEmpty { return }
  var parts = ViewerParts(viewer.headers)
  while let part = parts.next() {
    guard let value = part.value, !sent.isDisjoint(with: part.header.set) else { continue }
    request.append(part.header.name)
    request.append(": ")
    request.append(value)
    request.append("\r\n")
  }
}

private func appendLines(
  of field: KnownField, _ prefix: StaticString, _ head: RequestHead,
  _ base: UnsafePointer<UInt8>, to request: ByteBuffer
) {
  var line = head.fields.firstIndex(of: field)
  while let index = line {
    if head.withholds(head.fields.name(at: index, in: base), base) { return }
    request.append(prefix)
    request.append(head.fields.value(at: index, in: base))
    request.append("\r\n")
    line = head.fields.nextIndex(of: field, after: index)
  }
}

/// What says where the request came from and which way it went.
private func appendForwardingFields(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy,
  _ own: OriginHeaders, _ context: OriginRequestContext, to request: ByteBuffer
) {
  if own.replaced & KnownField.xForwardedFor.bit == 0 {
    appendForwardedFor(head, base, context, to: request)
  }
  // Only where responses of one scheme do not answer for the other.
  if own.replaced & KnownField.xForwardedProto.bit == 0,
    behavior.sendsScheme || !behavior.cachesMethod(head.method)
  {
    switch context.viewer.scheme {
    case .http: request.append("X-Forwarded-Proto: http\r\n")
    case .https: request.append("X-Forwarded-Proto: https\r\n")
    }
  }
  // Only where it is part of the key: origins build links from it, and a viewer may write anything
  // into Host.
  let authority = head.authority(in: base)
  if behavior.keysHost || behavior.forwardsHost, !authority.isEmpty,
    own.replaced & KnownField.xForwardedHost.bit == 0
  {
    request.append("X-Forwarded-Host: ")
    request.append(authority)
    request.append("\r\n")
  }
  // RFC 9110 §7.6.3: the version in which the viewer spoke; the viewer's own lines stand before.
  switch head.minorVersion == 0 ? .http10 : context.version {
  case .http10: request.append("Via: 1.0 atoll\r\n")
  case .http11: request.append("Via: 1.1 atoll\r\n")
  case .http2: request.append("Via: 2 atoll\r\n")
  }
  request.append("X-Request-Id: ")
  request.appendHex(context.requestID.high)
  request.appendHex(context.requestID.low)
  request.append("\r\n")
  if head.method == .options || head.method == .trace,
    let hops = head.fields.value(of: .maxForwards, in: base).flatMap({ decimal($0) })
  {
    // RFC 9110 §7.6.2.
    request.append("Max-Forwards: ")
    request.appendDecimal(hops == 0 ? 0 : hops - 1)
    request.append("\r\n")
  }
}

/// Whoever the viewer names, and the viewer itself: what an origin may believe of it is its affair.
private func appendForwardedFor(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ context: OriginRequestContext,
  to request: ByteBuffer
) {
  var separator: StaticString = "X-Forwarded-For: "
  var line = head.fields.firstIndex(of: .xForwardedFor)
  while let index = line {
    request.append(separator)
    request.append(head.fields.value(at: index, in: base))
    separator = ", "
    line = head.fields.nextIndex(of: .xForwardedFor, after: index)
  }
  if !context.peerAddress.isEmpty {
    request.append(separator)
    request.append(context.peerAddress)
    separator = ", "
  }
  if separator.utf8CodeUnitCount == 2 { request.append("\r\n") }
}

private func appendValidators(_ context: OriginRequestContext, to request: ByteBuffer) {
  if let etag = context.etag {
    request.append("If-None-Match: ")
    request.append(etag)
    request.append("\r\n")
  }
  if let lastModified = context.lastModified {
    request.append("If-Modified-Since: ")
    request.append(lastModified)
    request.append("\r\n")
  }
}

/// RFC 9112 §6 and §9.6; the edge frames what it sends itself.
private func appendFraming(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy,
  _ own: OriginHeaders, _ context: OriginRequestContext, to request: ByteBuffer
) {
  switch context.bodyFraming {
  case .none, .untilClose:
    // RFC 9110 §8.6: a method that usually brings content says when it brings none.
    if head.method == .post || head.method == .put || head.method == .patch {
      request.append("Content-Length: 0\r\n")
    }
  case .length(let length):
    request.append("Content-Length: ")
    request.appendDecimal(length)
    request.append("\r\n")
  case .chunked:
    request.append("Transfer-Encoding: chunked\r\n")
    RequestTrailers(head: head, base: base, behavior: behavior, origin: own)
      .appendAnnouncement(to: request)
  }
  if !context.storing && head.appendUpgrade(base, to: request) { return }
  // RFC 9110 §10.1.4: only who is asked by somebody that keeps trailers may say so in turn.
  if head.acceptsTrailers(base) {
    request.append("TE: trailers\r\nConnection: keep-alive, TE\r\n")
  } else {
    request.append("Connection: keep-alive\r\n")
  }
}
