// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Who asks: the peer of the connection, or whoever the proxies that are believed say.
extension Exchange {
  /// How the viewer reached the edge.
  func viewerScheme(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Scheme {
    forwarded(head, base).scheme ?? peerScheme
  }

  /// A proxy that is believed has said how the viewer reached it.
  func isForwarded(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> Bool {
    forwarded(head, base).scheme != nil
  }

  /// The viewer's address as text, without port.
  func viewerAddress(_ head: RequestHead, _ base: UnsafePointer<UInt8>)
    -> UnsafeBufferPointer<UInt8>
  {
    forwarded(head, base).viewer?.text ?? viewer.addressText
  }

  /// Nil when it is not known, or there is no database.
  private func country(_ told: ForwardedRequest) -> CountryCode? {
    guard let address = told.viewer?.address ?? viewer.address.ipAddress else { return nil }
    return geoDatabase?.record(of: address)?.country
  }

  /// How the peer itself reached the edge.
  var peerScheme: Scheme { viewer.scheme }

  private func forwarded(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> ForwardedRequest {
    guard let policy, !policy.trustedProxies.isEmpty else { return ForwardedRequest() }
    return ForwardedRequest(
      head, base, peer: viewer.address.ipAddress, trusted: policy.trustedProxies)
  }

  private var geoDatabase: GeoDatabase? {
    (configuration ?? services.heldConfiguration).configuration.geoDatabase
  }

  // MARK: Admission

  /// What a behavior that is not plain wants to know of a viewer before the lookup; nil when the
  /// request has been answered.
  @inline(never)
  func examineViewer(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) -> ViewerFacts? {
    if !policy.distribution.isEnabled {
      answer(head, base, status: 403, reason: .distributionDisabled)
      return nil
    }
    let told = forwarded(head, base)
    if !policy.countries.isEmpty && policy.countries.refuses(country(told)) {
      answer(head, base, status: 403, reason: .countryBlocked)
      return nil
    }
    showsKey = policy.trustedProxies.contains(viewer.address.ipAddress)
    return viewerFacts(head, base, told, behavior.comparedViewerHeaders)
  }

  // MARK: Facts

  /// What key and Vary of this request look at; valid until the next call on this loop.
  func viewerFacts(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> ViewerFacts {
    guard let behavior, !behavior.isPlain else { return ViewerFacts(scheme: peerScheme) }
    return viewerFacts(head, base, behavior.comparedViewerHeaders)
  }

  /// - Parameter headers: those whose values are needed.
  func viewerFacts(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ headers: ViewerHeaders
  ) -> ViewerFacts {
    viewerFacts(head, base, forwarded(head, base), headers)
  }

  private func viewerFacts(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ told: ForwardedRequest,
    _ headers: ViewerHeaders
  ) -> ViewerFacts {
    let scheme = told.scheme ?? peerScheme
    if headers.isEmpty { return ViewerFacts(scheme: scheme) }
    let buffer = services.viewerBuffer
    buffer.removeAll()
    var source = ViewerSource(
      text: UnsafeBufferPointer(start: nil, count: 0), port: 0, scheme: scheme, version: version)
    if !headers.isDisjoint(with: ViewerHeader.address.set) {
      source.text = told.viewer?.text ?? viewer.addressText
      source.port = told.viewer?.port ?? viewer.address.port
    }
    // What a proxy before the edge agreed on with the viewer is not known.
    if !headers.isDisjoint(with: ViewerHeader.tls.set), told.scheme == nil {
      source.security = viewer.security
    }
    if !headers.isDisjoint(with: .geographic),
      let address = told.viewer?.address ?? viewer.address.ipAddress,
      let record = geoDatabase?.record(of: address)
    {
      appendViewerHeaders(headers, head, base, source: source, geo: record, to: buffer)
    } else {
      appendViewerHeaders(headers, head, base, source: source, geo: NoGeoRecord(), to: buffer)
    }
    return ViewerFacts(scheme: scheme, headers: buffer.bytes)
  }
}

/// Facts about a viewer that outlive its turn of the loop.
struct KeptViewerFacts {
  private let scheme: Scheme
  private let headers: ByteBuffer?

  init(_ facts: ViewerFacts) {
    scheme = facts.scheme
    if facts.headers.isEmpty {
      headers = nil
    } else {
      let copy = ByteBuffer(capacity: facts.headers.count)
      copy.append(facts.headers)
      headers = copy
    }
  }

  /// Valid as long as this.
  var facts: ViewerFacts {
    guard let headers else { return ViewerFacts(scheme: scheme) }
    return ViewerFacts(scheme: scheme, headers: headers.bytes)
  }
}
