// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// The way to a response head: members of the route, their targets, their addresses, and what is
/// tried again.
///
/// | what fails | what follows |
/// |---|---|
/// | an address | the next address, else as often as the origin's attempts say |
/// | connecting, the name, a full pool | the next target: nothing has been sent |
/// | a kept connection, before any byte | the same target anew, for safe methods |
/// | a new connection, before any byte | the next target, for safe methods |
/// | silence | the next target, else the same, as the attempts say; GET and HEAD alone |
/// | all of these in the end, or a chosen status | the next member, for GET, HEAD and OPTIONS |
extension OriginRequest {
  // MARK: Members of the route

  /// A request that may be sent again without harm (RFC 9110 §9.2.1), of which nothing is lost.
  private var isRepeatable: Bool { method.isSafe && !hasBody }

  /// CloudFront §17: the methods that fail over.
  private var mayFailOver: Bool {
    !hasBody && (method == .get || method == .head || method == .options)
  }

  private var memberCount: Int { mayFailOver ? fetch.behavior.route.members.count : 1 }

  private var hasFurtherMember: Bool { member + 1 < memberCount }

  private func policy(ofMember index: Int) -> OriginPolicy {
    fetch.distribution.origins[fetch.behavior.route.members[index]]
  }

  /// Asks the first member from `first` on that can be asked.
  ///
  /// Nothing of earlier requests counts (CloudFront §17) but that every target of a member is known
  /// to be down; and if that is so of all members they are asked all the same, in their order.
  /// - Parameter reason: why the ones before did not do.
  func askMembers(from first: Int, after reason: Reason) {
    var reason = reason
    if first == 0 {
      asksAllDown = (0..<memberCount).allSatisfy {
        policy(ofMember: $0).targets.isDown(at: loop.now)
      }
    }
    for index in first..<memberCount {
      let next = policy(ofMember: index)
      let isLast = index == memberCount - 1
      if !isLast && !asksAllDown && next.targets.isDown(at: loop.now) { continue }
      member = index
      policy = next
      tried = []
      choices = 0
      silencesLeft = next.origin.connectAttempts - 1
      malformation = nil
      writeHead()
      if askTarget() { return }
      reason = .originUnhealthy
    }
    end(failing: reason)
  }

  /// The member asked last cannot give a response.
  private func giveUp(_ reason: Reason) {
    guard hasFurtherMember else { return end(failing: reason) }
    reportFailure(reason)
    askMembers(from: member + 1, after: reason)
  }

  /// Notes what the status says of the target; true when the next member is asked instead of taking
  /// this response.
  func goesElsewhere(after status: UInt16) -> Bool {
    if let target { report(target.answered(status: status, at: loop.now), of: target.state) }
    guard hasFurtherMember, fetch.behavior.route.statuses.contains(status) else {
      fetch.stickyCookie = stickyCookie()
      return false
    }
    let connection = self.connection
    self.connection = nil
    target?.finished()
    target = nil
    connection?.letGo()
    askMembers(from: member + 1, after: .originConnect)
    return true
  }

  /// The head of the request as the present origin wants it.
  private func writeHead() {
    guard let viewer = parseViewerHead() else { return }
    let written = services.headBuffer
    written.removeAll()
    appendOriginRequest(
      viewer, viewerHead.base, distribution: fetch.distribution, behavior: fetch.behavior,
      origin: policy, context: context, to: written)
    written.truncate(to: written.count - 2)
    fetch.slice?.appendRange(to: written)
    written.append("CDN-Loop: ")
    written.append(services.edge.loopID)
    written.append("\r\n\r\n")
    head.removeAll()
    // HEAD fills the cache as GET does, and is answered from it.
    if viewer.method == .head && method == .get {
      head.append("GET")
      head.append(written.base + 4, written.count - 4)
    } else {
      head.append(written.bytes)
    }
  }

  // MARK: Targets

  /// Begins to ask one of the origin's targets; false when none is left.
  @discardableResult
  private func askTarget(mayReuse: Bool = true) -> Bool {
    if tried.count >= Limits.targetsPerRequest { return false }
    let targets = policy.targets
    let origin = policy.origin
    var wish = TargetWish(balance: origin.balance, tried: tried)
    if targets.all.count > 1 {
      if choices == 0 { preferred = stickyTarget() }
      wish.ticket = targets.nextTicket()
      wish.preferred = preferred
      if origin.balance == .hash { wish.hash = urlHash() }
    }
    wish.mayTry = isRepeatable
    wish.isLastResort = !hasFurtherMember || asksAllDown
    guard let use = targets.choose(wish, at: loop.now) else { return false }
    // Validation and deployment have seen to it that what must be secured can be.
    guard let endpoint = policy.endpoint(of: use.state.target, for: context.viewer.scheme) else {
      return false
    }
    target = use
    tried.append(use.index)
    choices += 1
    addresses = []
    attempt = 0
    attemptsLeft = targets.all.count == 1 ? origin.connectAttempts : 1
    let pool = services.pool(for: endpoint)
    self.pool = pool
    pool.start(self, mayReuse: mayReuse)
    return true
  }

  /// Asks a target after one that nothing could be sent to: any request may do that.
  private func askNextTarget() -> Bool {
    if policy.targets.all.count == 1 { return false }
    if askTarget() { return true }
    if choices >= policy.origin.connectAttempts { return false }
    // Fewer targets than attempts: once more from the first.
    tried = []
    return askTarget()
  }

  private func concludeTarget(_ failure: TargetFailure?) {
    guard let target else { return }
    self.target = nil
    if let failure {
      report(target.failed(failure, at: loop.now), of: target.state)
    } else {
      target.abandon()
    }
  }

  /// Of the URL as the cache key has it, without the slot, which differs from edge to edge.
  private func urlHash() -> UInt64 {
    guard let viewer = parseViewerHead() else { return 0 }
    let key = ByteBuffer(capacity: 512)
    appendCacheKey(
      viewer, viewerHead.base, distribution: fetch.distribution, behavior: fetch.behavior,
      viewer: viewerFacts.facts, to: key)
    return targetHash(ofKey: key.bytes)
  }

  // MARK: Sticky sessions

  private func stickyTarget() -> Int? {
    guard let session = policy.origin.sticky else { return nil }
    guard let viewer = parseViewerHead() else {
      return nil
    }
    return AtollCore.stickyTarget(
      viewer, viewerHead.base, session: session, targets: policy.targets,
      secret: services.edge.stickySecret)
  }

  /// The field that keeps the viewer at the target that has answered; nil when its cookie says so
  /// already, or nothing is to be kept.
  private func stickyCookie() -> ByteBuffer? {
    guard let session = policy.origin.sticky, let target, policy.targets.all.count > 1,
      target.index != preferred
    else { return nil }
    let line = ByteBuffer(capacity: 128)
    appendStickyCookie(
      session, target: target.state, secret: services.edge.stickySecret,
      scheme: context.viewer.scheme,
      to: line)
    return line
  }

  // MARK: Connections

  /// The pool has an open connection for this request.
  func assigned(_ connection: OriginConnection) {
    guard !isEnded else { return connection.pool.park(connection) }
    self.connection = connection
    requestTime = loop.wallTime
    fetch.timing.beginWaiting(at: SystemCall.monotonicMicroseconds(), reused: true)
    connection.begin(self)
  }

  /// The pool has a place for a new connection.
  func openConnection(in pool: OriginPool) {
    if isEnded { return pool.endOpening() }
    if !addresses.isEmpty {
      pool.endOpening()
      return connectNext()
    }
    let loop = self.loop
    let me = Unmanaged.passRetained(self)
    let token = UInt(bitPattern: me.toOpaque())
    fetch.timing.beginResolving(at: SystemCall.monotonicMicroseconds())
    services.resolver.resolve(host: pool.endpoint.host, port: pool.endpoint.port) { result in
      loop.post {
        let request = Unmanaged<OriginRequest>.fromOpaque(
          UnsafeRawPointer(bitPattern: token)!
        ).takeRetainedValue()
        request.resolved(result)
      }
    }
  }

  private func resolved(_ result: Result<[SocketAddress], ResolveError>) {
    pool?.endOpening()
    guard !isEnded else { return }
    switch result {
    case .success(let found) where !found.isEmpty:
      addresses = found
      // Every address is tried, and one address as often as the origin's setting says.
      attemptsLeft = max(attemptsLeft, min(found.count, 8))
      connectNext()
    case .success, .failure:
      unreachable(.dns, .originDns)
    }
  }

  private func connectNext() {
    guard let pool else { return }
    fetch.timing.beginConnecting(at: SystemCall.monotonicMicroseconds())
    while attemptsLeft > 0 {
      attemptsLeft -= 1
      let address = addresses[attempt % addresses.count]
      attempt += 1
      let (connection, error) = pool.connect(to: address, timeout: policy.origin.connectTimeout)
      if let connection {
        self.connection = connection
        connection.begin(self)
        return
      }
      lastConnectError = error
    }
    unreachable(
      TargetFailure.of(connectError: lastConnectError),
      lastConnectError == ETIMEDOUT ? .originTimeout : .originConnect)
  }

  /// More wait for this target than it can be asked for.
  func refusedByPool() { unreachable(nil, .overloaded) }

  func connected() {
    requestTime = loop.wallTime
    fetch.timing.beginWaiting(at: SystemCall.monotonicMicroseconds(), reused: false)
  }

  func connectFailed(_ error: Int32) {
    connection = nil
    lastConnectError = error
    guard !isEnded else { return }
    connectNext()
  }

  /// There is no secure connection to this target: another address would be the same server.
  func securingFailed(_ reason: Reason, _ detail: String) {
    connection = nil
    guard !isEnded else { return }
    malformation = detail
    unreachable(.tls(detail), reason)
  }

  /// Nothing was sent: another target may get any request.
  private func unreachable(_ failure: TargetFailure?, _ reason: Reason) {
    concludeTarget(failure)
    if !askNextTarget() { giveUp(reason) }
  }

  /// The connection broke, or kept silent for too long.
  func failed(_ reason: Reason, onReused: Bool, hadResponse: Bool) {
    connection = nil
    guard !isEnded else { return }
    let isWaiting = fetch.view.phase == .waiting
    let mayRepeat = isRepeatable && isWaiting && !hadResponse
    if mayRepeat && reason == .originClosed && onReused {
      // It was closed while it idled: no attempt of the origin's was spent, and the target is as
      // well as before (RFC 9112 §9.3.1).
      pool?.start(self, mayReuse: false)
      return
    }
    concludeTarget(Self.failure(reason))
    guard isWaiting else { return end(aborting: reason) }
    if mayRepeat && reason == .originClosed && askTarget() { return }
    if mayRepeat && reason == .originTimeout && silencesLeft > 0
      && (method == .get || method == .head)
    {
      silencesLeft -= 1
      if askTarget() { return }
      if !hasFurtherMember {
        tried = []
        if askTarget(mayReuse: false) { return }
      }
    }
    giveUp(reason)
  }

  private static func failure(_ reason: Reason) -> TargetFailure? {
    switch reason {
    case .originTimeout: .timeout
    case .originBadResponse: .malformed
    case .originTls: .tls("no secure connection")
    case .originClosed, .truncated: .closed
    default: nil
    }
  }

  // MARK: The edge's log

  func reportFailure(_ reason: Reason) {
    let targets = policy.targets.all
    let asked = tried.last.map { targets[$0] } ?? targets[0]
    let endpoint =
      policy.endpoint(of: asked.target, for: context.viewer.scheme)
      ?? OriginEndpoint(host: asked.target.host, port: asked.target.port)
    services.reportOriginFailure(
      fetch.distribution, endpoint, reason,
      detail: reason == .originConnect ? SystemCall.errorText(lastConnectError) : malformation)
  }

  private func report(_ change: TargetHealth.Change?, of target: TargetState) {
    guard let change else { return }
    services.edge.options.report(
      target.line(change, distribution: fetch.distribution.distribution.name, origin: policy.name))
  }
}
