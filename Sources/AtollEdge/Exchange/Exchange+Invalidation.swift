// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What a successful unsafe request makes of stored responses (RFC 9111 §4.4).
extension Exchange {
  /// What is stored for the target has probably changed, and so has what Location and
  /// Content-Location name, as far as it has the same origin.
  func invalidate(after fetch: Fetch) {
    guard let policy, let behavior, let base = viewer.keptHead.map({ UnsafePointer($0) }) else {
      return
    }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    invalidate(head, base, policy, behavior)
    let target = TargetURI(
      head, base, scheme: viewerScheme(head, base),
      origin: policy.origins[behavior.route.members[0]])
    for field in [KnownField.location, .contentLocation] {
      guard let value = StoredLines.joined(field, fetch.head.bytes),
        let path = target.resolve(value.bytes)
      else { continue }
      invalidate(path: path, of: head, base, policy)
    }
  }

  /// HEAD that was passed on may tell that what is stored for GET is out of date (RFC 9111 §4.3.5).
  /// Nothing is updated by it: what was passed on may not be stored.
  func invalidate(contradictedBy fetch: Fetch) {
    guard let policy, let behavior, behavior.caches,
      let base = viewer.keptHead.map({ UnsafePointer($0) })
    else { return }
    let head = services.requestHead
    guard case .complete = head.parse(base, count: viewer.headLength) else { return }
    let hash = writeKey(head, base, policy, behavior, viewerFacts(head, base, behavior))
    let key = services.keyBuffer.bytes
    let found = services.cache.lookup(hash: hash, key: key) { isSelected(by: $0) }
    guard let entry = found.entry else { return }
    defer { entry.release() }
    let isAboutEntry =
      entry.status == 200
      && describes(
        fetch.meta, in: fetch.head.base, length: fetch.length, stored: entry.meta,
        in: entry.head.baseAddress!, bodyLength: entry.bodyLength)
    if !isAboutEntry { invalidate(head, base, policy, behavior) }
  }

  /// The same for another path of this host, as the same viewer would ask for it.
  private func invalidate(
    path: [UInt8], of head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy
  ) {
    let request = ByteBuffer(capacity: head.length + path.count)
    appendRequest(for: path, like: head, base, to: request)
    let other = services.requestHeadAgain
    guard case .complete = other.parse(request.base, count: request.count) else { return }
    let otherPath = UnsafeBufferPointer(
      start: request.base + Int(other.pathStart), count: Int(other.pathLength))
    invalidate(
      other, UnsafePointer(request.base), policy, policy.behavior(forPath: otherPath))
  }

  /// What the key of another behavior than this exchange's would hold of the viewer.
  private func viewerFacts(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy
  ) -> ViewerFacts {
    behavior.isPlain
      ? ViewerFacts(scheme: peerScheme)
      : viewerFacts(head, base, behavior.comparedViewerHeaders)
  }

  /// All variants, and what is derived from them, of the response to GET.
  private func invalidate(
    _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ policy: DistributionPolicy,
    _ behavior: BehaviorPolicy
  ) {
    guard behavior.caches else { return }
    writeKey(head, base, policy, behavior, viewerFacts(head, base, behavior))
    let key = services.keyBuffer
    invalidateOutline(of: key.bytes)
    forgetFailure()
    if let url = InvalidatedURL(key: key.bytes, behavior: behavior) {
      services.edge.invalidations.add(url)
    }
    for kind in [KeyKind.response, .options] {
      setKeyKind(kind, of: key)
      let hash = keyHash(key.bytes, seed: services.seed)
      services.registry.overtake(hash)
      _ = services.cache.invalidate(hash: hash, key: key.bytes)
    }
  }
}
