// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import CTLS
import Glibc

/// The connections of one loop to one endpoint: idle ones kept alive, and who waits for one.
final class OriginPool {
  unowned(unsafe) let loop: EventLoop
  let endpoint: OriginEndpoint
  /// No origin of the present configuration has this endpoint: nothing is kept any more.
  private(set) var isRetired: Bool
  private var keepAliveTimeout = 5
  private var idle: [OriginConnection] = []
  private var openCount = 0
  /// Requests that look up the origin's name; each has the place of a connection.
  private var openingCount = 0
  private var waiting: [OriginRequest] = []
  /// The newest session that the endpoint has given, and when a certificate was last looked at, in
  /// milliseconds of the loop's clock.
  private var session: OpaquePointer?
  private var verifiedAt: Int64 = 0

  init(loop: EventLoop, endpoint: OriginEndpoint, isRetired: Bool) {
    self.loop = loop
    self.endpoint = endpoint
    self.isRetired = isRetired
  }

  deinit { SSL_SESSION_free(session) }

  // MARK: TLS sessions

  /// What a new connection may resume. A resumed one sees no certificate: not for ever.
  var resumableSession: OpaquePointer? {
    loop.now - verifiedAt < Limits.originSessionLife ? session : nil
  }

  /// A handshake has verified the certificate.
  func verified() { verifiedAt = loop.now }

  /// - Parameter session: a reference, which the pool takes over.
  func keep(_ session: OpaquePointer) {
    SSL_SESSION_free(self.session)
    self.session = session
  }

  // MARK: Connections

  var isEmpty: Bool { openCount + openingCount == 0 && waiting.isEmpty }

  /// - Parameter isRetired: whether the target has left the configuration. Then idle connections are
  ///   closed at once, and the others after the response that they bring.
  func setRetired(_ isRetired: Bool) {
    self.isRetired = isRetired
    if !isRetired { return }
    // Closing takes it out of the list.
    for connection in idle { connection.close() }
  }

  /// Starts a request on an idle connection, or has it open one; queues it at the limit.
  func start(_ request: OriginRequest, mayReuse: Bool) {
    keepAliveTimeout = request.origin.keepAliveTimeout
    if mayReuse {
      // The one used last: the rest may time out.
      while let connection = idle.popLast() {
        if connection.isStale {
          connection.close()
        } else {
          return request.assigned(connection)
        }
      }
    }
    if openCount + openingCount >= Limits.originConnections {
      if idle.isEmpty {
        if waiting.count >= Limits.waitingForOrigin { return request.refusedByPool() }
        waiting.append(request)
        return
      }
      idle.removeFirst().close()
    }
    open(request)
  }

  private func open(_ request: OriginRequest) {
    openingCount += 1
    request.openConnection(in: self)
  }

  /// The request connects now, or wants no connection any more.
  func endOpening() {
    openingCount -= 1
    startWaiting()
  }

  func cancelWaiting(_ request: OriginRequest) { waiting.removeAll { $0 === request } }

  /// A new connection to an address; nil and errno when the kernel refuses at once.
  func connect(to address: SocketAddress, timeout: Int) -> (OriginConnection?, Int32) {
    let descriptor = socket(
      address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
      0)
    if descriptor < 0 { return (nil, csystem_errno()) }
    if !address.isUnix { SystemCall.disableDelay(descriptor) }
    let result = address.withUnsafeAddress { pointer, length in
      Glibc.connect(descriptor, pointer, length)
    }
    let error = result == 0 ? 0 : csystem_errno()
    if error != 0 && error != EINPROGRESS {
      close(descriptor)
      return (nil, error)
    }
    openCount += 1
    return (OriginConnection(pool: self, descriptor: descriptor, connectTimeout: timeout), 0)
  }

  func park(_ connection: OriginConnection) {
    if let next = takeWaiting() { return next.assigned(connection) }
    if isRetired || idle.count >= Limits.idleOriginConnections { return connection.close() }
    idle.append(connection)
    connection.setDeadline(after: keepAliveTimeout * 1000)
  }

  func closed(_ connection: OriginConnection) {
    openCount -= 1
    if let index = idle.firstIndex(where: { $0 === connection }) { idle.remove(at: index) }
    startWaiting()
    if isRetired { loop.services.dropRetiredPools() }
  }

  /// Fills the places that are free when all who are on their way now have taken theirs.
  private func startWaiting() {
    if waiting.isEmpty { return }
    loop.afterwards { [self] in
      while openCount + openingCount < Limits.originConnections, let next = takeWaiting() {
        open(next)
      }
    }
  }

  private func takeWaiting() -> OriginRequest? {
    waiting.isEmpty ? nil : waiting.removeFirst()
  }
}
