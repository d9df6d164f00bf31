// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Asks the targets of all origins that have a health check, each at its own pace. There is one per
/// edge, on the edge's first loop.
final class HealthChecker: @unchecked Sendable {
  private unowned(unsafe) let loop: EventLoop
  private let resolver: Resolver
  private let report: @Sendable (String) -> Void
  private var rounds: [ObjectIdentifier: HealthRound] = [:]

  init(loop: EventLoop, resolver: Resolver, report: @escaping @Sendable (String) -> Void) {
    self.loop = loop
    self.resolver = resolver
    self.report = report
  }

  /// Checks what this configuration wants checked, and nothing else. What was checked in the same
  /// way before keeps its pace.
  func use(_ configuration: EdgeConfiguration) {
    var next: [ObjectIdentifier: HealthRound] = [:]
    for policy in configuration.distributions where policy.distribution.isEnabled {
      for origin in policy.origins {
        guard let check = origin.origin.healthCheck else { continue }
        for target in origin.targets.all {
          let id = ObjectIdentifier(target)
          // Named twice by the configuration, it is one target all the same.
          if next[id] != nil { continue }
          if let round = rounds[id], round.origin.origin == origin.origin {
            round.take(origin, of: policy.distribution.name)
            next[id] = round
          } else {
            next[id] = HealthRound(
              loop: loop, resolver: resolver, report: report, check: check, target: target,
              origin: origin, distribution: policy.distribution.name)
          }
        }
      }
    }
    for (id, round) in rounds where next[id] !== round { round.end() }
    rounds = next
  }
}

/// The checks of one target, one after the other; the channel's deadline is when the next begins.
final class HealthRound: Channel {
  private let resolver: Resolver
  private let report: @Sendable (String) -> Void
  private let check: HealthCheck
  private let target: TargetState
  private(set) var origin: OriginPolicy
  private var distribution: String
  private var probe: HealthProbe?
  /// Those that this check has not tried yet.
  private var addresses: [SocketAddress] = []
  private var isOver = false

  init(
    loop: EventLoop, resolver: Resolver, report: @escaping @Sendable (String) -> Void,
    check: HealthCheck, target: TargetState, origin: OriginPolicy, distribution: String
  ) {
    self.resolver = resolver
    self.report = report
    self.check = check
    self.target = target
    self.origin = origin
    self.distribution = distribution
    super.init(loop: loop, descriptor: -1)
    register(events: 0)
    setDeadline(after: check.firstPause(random: .random(in: 0 ... .max)))
  }

  /// The same origin under the next configuration.
  func take(_ origin: OriginPolicy, of distribution: String) {
    self.origin = origin
    self.distribution = distribution
  }

  func end() {
    isOver = true
    probe?.close()
    probe = nil
    closeChannel()
  }

  override func deadlineReached() {
    let loop = self.loop
    let me = Unmanaged.passRetained(self)
    let token = UInt(bitPattern: me.toOpaque())
    guard let endpoint = origin.endpoint(of: target.target, for: .http) else {
      return ended(.untold)
    }
    resolver.resolve(host: endpoint.host, port: endpoint.port) { result in
      loop.post {
        let round = Unmanaged<HealthRound>.fromOpaque(UnsafeRawPointer(bitPattern: token)!)
          .takeRetainedValue()
        round.resolved(result)
      }
    }
  }

  private func resolved(_ result: Result<[SocketAddress], ResolveError>) {
    if isOver { return }
    guard case .success(let found) = result, !found.isEmpty else {
      return ended(.failed(.dns))
    }
    addresses = Array(found.prefix(8))
    probeNext()
  }

  private func probeNext() {
    guard let endpoint = origin.endpoint(of: target.target, for: .http) else {
      return ended(.untold)
    }
    let request = ByteBuffer(capacity: 256)
    origin.appendHealthRequest(check, to: request)
    probe = HealthProbe(
      loop: loop, address: addresses.removeFirst(), endpoint: endpoint, request: request,
      check: check
    ) { [weak self] in self?.ended($0) }
  }

  private func ended(_ outcome: HealthProbe.Outcome) {
    probe = nil
    if isOver { return }
    let failure: TargetFailure?
    switch outcome {
    case .failed(.connect) where !addresses.isEmpty:
      // As a request would, the check goes on to the name's next address.
      return probeNext()
    case .failed(let why): failure = why
    case .passed: failure = nil
    case .untold: return setDeadline(after: check.pause(random: .random(in: 0 ... .max)))
    }
    if let change = target.checked(failure, by: check, at: loop.now) {
      report(target.line(change, distribution: distribution, origin: origin.name))
    }
    setDeadline(after: check.pause(random: .random(in: 0 ... .max)))
  }
}

/// One health check: a connection, a request, and the head of its response.
final class HealthProbe: Channel {
  enum Outcome {
    case passed
    case failed(TargetFailure)
    /// This machine could not ask.
    case untold

    init(connectError error: Int32) {
      self = TargetFailure.of(connectError: error).map { .failed($0) } ?? .untold
    }
  }

  private let request: ByteBuffer
  private let check: HealthCheck
  private let answer = ByteBuffer(capacity: 1024)
  private var sent = 0
  private let endpoint: OriginEndpoint
  private var isConnected = false
  /// Nil in the clear.
  private var secured: OriginTLSSession?
  private var isReady = false
  /// Told once.
  private var ended: ((Outcome) -> Void)?

  init(
    loop: EventLoop, address: SocketAddress, endpoint: OriginEndpoint, request: ByteBuffer,
    check: HealthCheck, ended: @escaping (Outcome) -> Void
  ) {
    self.endpoint = endpoint
    self.request = request
    self.check = check
    self.ended = ended
    let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let descriptor = socket(address.family, Int32(type), 0)
    super.init(loop: loop, descriptor: descriptor)
    var error = descriptor < 0 ? csystem_errno() : 0
    if descriptor >= 0 {
      let result = address.withUnsafeAddress { Glibc.connect(descriptor, $0, $1) }
      error = result == 0 ? 0 : csystem_errno()
    }
    if error == 0 || error == EINPROGRESS {
      register()
      setDeadline(after: check.timeout * 1000)
    } else {
      // The caller has to have this probe before it hears of its end.
      loop.afterwards { [self] in end(Outcome(connectError: error)) }
    }
  }

  override func ready(_ events: UInt32) {
    if !isConnected {
      let error = SystemCall.pendingError(descriptor)
      if error != 0 { return end(Outcome(connectError: error)) }
      if events & Events.output == 0 { return }
      isConnected = true
      if let security = endpoint.security {
        secured = OriginTLSSession(
          endpoint, security: security, descriptor: descriptor, budget: loop.services.budget)
        if secured == nil { return end(.untold) }
      } else {
        isReady = true
      }
    }
    var mayHaveInput = events & ~Events.output != 0
    if !isReady {
      guard secure() else { return }
      mayHaveInput = true
    }
    send()
    if mayHaveInput { receive() }
  }

  /// Whether the handshake is over; it is not when there is to be no connection, either.
  private func secure() -> Bool {
    guard let secured else { return false }
    switch secured.tls.handshake(scratch: loop.services.recordBuffer) {
    case .waiting: return false
    case .failed:
      end(.failed(.tls(secured.failure().detail)))
      return false
    case .done:
      isReady = true
      return true
    }
  }

  override func deadlineReached() { end(.failed(.timeout)) }

  private func send() {
    while sent < request.count, !isClosed {
      let rest = request.count - sent
      let outcome =
        secured?.tls.send(request.base + sent, rest, scratch: loop.services.recordBuffer)
        ?? SystemCall.send(descriptor, request.base + sent, rest)
      switch outcome {
      case .moved(let count): sent += count
      case .wouldBlock: return
      case .failed: return end(.failed(.closed))
      }
    }
  }

  private func receive() {
    while !isClosed {
      let room = answer.reserveTail(4096)
      let outcome =
        secured?.tls.receive(room, 4096) ?? SystemCall.receive(descriptor, room, 4096)
      switch outcome {
      case .wouldBlock: return
      case .moved(0), .failed: return end(.failed(.closed))
      case .moved(let count):
        answer.advance(by: count)
        judge()
      }
    }
  }

  private func judge() {
    let head = loop.services.responseHead
    while answer.count > 0 {
      switch head.parse(answer.base, count: answer.count, requestMethod: .get) {
      case .incomplete: return
      case .failure: return end(.failed(.malformed))
      case .complete(let length):
        if head.status >= 200 {
          return end(check.accepts(status: head.status) ? .passed : .failed(.status(head.status)))
        }
        // An interim response, which nobody asked for; the final one follows.
        let rest = Array(answer.bytes.dropFirst(length))
        answer.removeAll()
        answer.append(rest)
      }
    }
  }

  private func end(_ outcome: Outcome) {
    let ended = self.ended
    close()
    ended?(outcome)
  }

  func close() {
    ended = nil
    secured?.tls.endOutput()
    secured = nil
    closeChannel()
  }
}
