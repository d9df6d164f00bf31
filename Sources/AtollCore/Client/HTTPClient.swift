// SPDX-License-Identifier: Apache-2.0

/// Makes HTTP/1.1 requests one after the other, each on a connection of its own, and blocks until
/// the response is there or the time is over. Redirects are the caller's to follow.
package struct HTTPClient: Sendable {
  /// What becomes of a response's body; it is counted and hashed in any case.
  package enum BodyUse: Equatable, Sendable {
    /// In bytes; a longer one is an error.
    case keep(limit: Int)
    case count
  }

  package var userAgent: String
  package var trust: Trust
  /// False: a server's certificate is looked at and taken whatever it is.
  package var verifies: Bool
  package var route: ClientRoute
  package var bodyUse: BodyUse
  /// Seconds for look-up, connecting and the handshake.
  package var connectTimeout: Double
  /// Seconds for everything.
  package var timeout: Double

  package init(
    userAgent: String, trust: Trust = .system, verifies: Bool = true,
    route: ClientRoute = ClientRoute(), bodyUse: BodyUse = .keep(limit: 1 << 20),
    connectTimeout: Double = 10, timeout: Double = 30
  ) {
    self.userAgent = userAgent
    self.trust = trust
    self.verifies = verifies
    self.route = route
    self.bodyUse = bodyUse
    self.connectTimeout = connectTimeout
    self.timeout = timeout
  }

  package func send(_ request: ClientRequest) throws(ClientError) -> ClientResponse {
    for field in request.headers where !Self.isSendable(field) {
      throw .usage("the field \(quoted(field.name)) has a character that no field may have")
    }
    var exchange = ClientExchange(client: self, request: request)
    return try exchange.run()
  }

  /// Seconds that a server gets to show that it speaks TLS.
  private static let probeTime = 3.0

  /// The address that a URL leads to, if TLS is spoken there: asked for a handshake it answers with
  /// a record of TLS, be it a refusal.
  package func peerSpeakingTLS(at url: ClientURL) -> String? {
    let context = TLSClientContext(trust: nil, verifies: false)
    let deadline = Deadline(seconds: min(connectTimeout, Self.probeTime))
    do throws(ClientError) {
      var socket = try ClientSocket.connect(to: try places(for: url, by: deadline), by: deadline)
      let peer = socket.peer
      do throws(ClientError) {
        try socket.secure(context, host: url.host, by: deadline)
        return peer
      } catch {
        return error.fault == .tls ? peer : nil
      }
    } catch {
      return nil
    }
  }

  fileprivate func places(
    for url: ClientURL, by deadline: Deadline
  ) throws(ClientError) -> [SocketAddress] {
    let (place, addresses) = route.place(for: url)
    switch place {
    case .unix(let path):
      guard let socket = SocketAddress(unixPath: path) else {
        throw .usage("\"\(path)\" is too long for the path of a socket")
      }
      return [socket]
    case .tcp(let host, let number):
      let places = addresses.compactMap { SocketAddress(host: $0, port: number) }
      if !places.isEmpty { return places }
      return try NameLookup.places(host: host, port: number, by: deadline)
    }
  }

  private static func isSendable(_ field: HeaderField) -> Bool {
    isToken(field.name.utf8)
      && field.value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
  }

  fileprivate func makeContext() throws(ClientError) -> TLSClientContext {
    do throws(FileTrouble) {
      return TLSClientContext(trust: try TrustStore.open(trust), verifies: verifies)
    } catch {
      // Who does not verify needs nobody to believe.
      if !verifies { return TLSClientContext(trust: nil, verifies: false) }
      let file = if case .file(let path) = trust { "the file \(quoted(path))" } else { "the file" }
      throw .usage("\(file) \(error.what)", hint: error.hint)
    }
  }
}

/// One request and its response, measured phase by phase.
private struct ClientExchange {
  let client: HTTPClient
  let request: ClientRequest
  private var response = ClientResponse()
  private var hash = Fingerprint()

  init(client: HTTPClient, request: ClientRequest) {
    self.client = client
    self.request = request
  }

  mutating func run() throws(ClientError) -> ClientResponse {
    let context = request.url.scheme == .https ? try client.makeContext() : nil
    let start = ContinuousClock.now
    let deadline = Deadline(seconds: client.timeout, from: start)
    let connectDeadline = Deadline(seconds: client.connectTimeout, from: start).earlier(deadline)
    let places = try client.places(for: request.url, by: connectDeadline)
    let found = ContinuousClock.now
    var socket = try ClientSocket.connect(to: places, by: connectDeadline)
    let connected = ContinuousClock.now
    response.phases.dns = Self.seconds(from: start, to: found)
    response.phases.connect = Self.seconds(from: found, to: connected)
    response.peer = socket.peer
    var secured = connected
    if let context {
      try socket.secure(context, host: request.url.host, by: connectDeadline)
      secured = ContinuousClock.now
      response.phases.tls = Self.seconds(from: connected, to: secured)
      response.tls = socket.tlsFacts
    }
    try socket.send(request.head(userAgent: client.userAgent) + request.body, by: deadline)
    try receive(from: socket, connected: secured, by: deadline)
    return response
  }

  private mutating func receive(
    from socket: borrowing ClientSocket, connected: ContinuousClock.Instant, by deadline: Deadline
  ) throws(ClientError) {
    let head = ResponseHead()
    let method = Array(request.method.utf8).withUnsafeBufferPointer { name in
      name.baseAddress.map { RequestHead.method($0, name.count) } ?? .other
    }
    var buffer = [UInt8](repeating: 0, count: max(65_536, Limits.responseHead + 1))
    var filled = 0
    var interim = 0
    var firstByte: ContinuousClock.Instant?
    reading: while true {
      if filled > 0 && request.url.scheme == .http && isTLSRecord(buffer[0]) {
        throw .onlyTLS(socket.peer, request.url)
      }
      let parse = filled == 0 ? .incomplete : Self.parse(head, buffer, filled, method)
      switch parse {
      case .complete(let length):
        let isInterim = head.status < 200 && head.status != 101
        if !isInterim {
          Self.take(head, from: buffer, into: &response)
          Self.drop(length, from: &buffer, &filled)
          break reading
        }
        interim += 1
        if interim > Limits.interimResponses {
          throw ClientError(.response, "\(socket.peer) sends interim responses without end")
        }
        // The wait lasts until the final response begins.
        Self.drop(length, from: &buffer, &filled)
        firstByte = filled > 0 ? ContinuousClock.now : nil
        continue
      case .failure(let error):
        throw ClientError(
          .response, "\(socket.peer) does not answer in HTTP/1.1: \(error.rawValue)",
          hint: "is it an HTTP server?")
      case .incomplete: break
      }
      switch try socket.receive(into: &buffer, from: filled, by: deadline) {
      case .bytes(let count):
        if firstByte == nil { firstByte = ContinuousClock.now }
        filled += count
      case .timeout:
        throw ClientError(
          .timeout(connecting: false),
          "\(socket.peer) did not answer within \(Self.seconds(client.timeout))",
          hint: "allow more time")
      case .end, .reset:
        if filled > 0 {
          throw ClientError(
            .response, "\(socket.peer) closed the connection in the middle of its answer")
        }
        throw ClientError(
          .noAnswer, "\(socket.peer) closed the connection without an answer")
      }
    }
    let waited = firstByte ?? ContinuousClock.now
    response.phases.wait = Self.seconds(from: connected, to: waited)
    try receiveBody(
      head.framing, from: socket, buffer: &buffer, filled: filled, by: deadline)
    response.phases.transfer = Self.seconds(from: waited, to: ContinuousClock.now)
    response.bodyHash = hash.value
  }

  private mutating func receiveBody(
    _ framing: BodyFraming, from socket: borrowing ClientSocket, buffer: inout [UInt8], filled: Int,
    by deadline: Deadline
  ) throws(ClientError) {
    var filled = filled
    var chunks = ChunkedDecoder()
    while true {
      switch framing {
      case .none: return
      case .length(let length):
        try take(buffer, from: 0, length: Int(min(UInt64(filled), length - response.bodyLength)))
        if response.bodyLength == length { return }
      case .untilClose: try take(buffer, from: 0, length: filled)
      case .chunked:
        guard try decode(&chunks, buffer, filled, peer: socket.peer) else { return }
      }
      switch try socket.receive(into: &buffer, by: deadline) {
      case .bytes(let received): filled = received
      case .timeout:
        throw ClientError(
          .timeout(connecting: false),
          "the body from \(socket.peer) did not end within \(Self.seconds(client.timeout))",
          hint: "allow more time")
      case .end where framing == .untilClose: return
      case .end, .reset:
        var message = "\(socket.peer) closed the connection after \(response.bodyLength)"
        if case .length(let length) = framing { message += " of \(length)" }
        throw ClientError(
          .response, message + " bytes of the body", hint: "the response is truncated")
      }
    }
  }

  /// Takes the payload of chunks; false when the last one has come.
  private mutating func decode(
    _ chunks: inout ChunkedDecoder, _ buffer: [UInt8], _ filled: Int, peer: String
  ) throws(ClientError) -> Bool {
    var at = 0
    while at < filled {
      let step = buffer.withUnsafeBufferPointer {
        chunks.next($0.baseAddress! + at, count: filled - at)
      }
      switch step {
      case .data(let consumed, let length):
        try take(buffer, from: at + consumed, length: length)
        at += consumed + length
      case .needsMore: return true
      case .end: return false
      case .malformed:
        throw ClientError(
          .response, "\(peer) sent a malformed chunk", hint: "the response is truncated")
      }
    }
    return true
  }

  private mutating func take(
    _ buffer: [UInt8], from start: Int, length: Int
  ) throws(ClientError) {
    response.bodyLength += UInt64(length)
    buffer.withUnsafeBufferPointer {
      hash.mix(UnsafeBufferPointer(rebasing: $0[start..<start + length]))
    }
    guard case .keep(let limit) = client.bodyUse else { return }
    if response.bodyLength > UInt64(limit) {
      throw ClientError(
        .tooLarge, "the response of \(response.peer) is larger than \(limit) bytes")
    }
    response.body += buffer[start..<start + length]
  }

  private static func parse(
    _ head: ResponseHead, _ buffer: [UInt8], _ filled: Int, _ method: Method
  )
    -> HeadParse
  {
    buffer.withUnsafeBufferPointer {
      head.parse($0.baseAddress!, count: filled, requestMethod: method)
    }
  }

  /// Moves what follows the first `length` bytes to the front.
  private static func drop(_ length: Int, from buffer: inout [UInt8], _ filled: inout Int) {
    filled -= length
    let rest = filled
    buffer.withUnsafeMutableBytes {
      $0.baseAddress!.copyMemory(from: $0.baseAddress! + length, byteCount: rest)
    }
  }

  private static func take(
    _ head: ResponseHead, from buffer: [UInt8], into response: inout ClientResponse
  ) {
    response.status = Int(head.status)
    buffer.withUnsafeBufferPointer { bytes in
      let base = bytes.baseAddress!
      response.fields = (0..<head.fields.count).map { index in
        HeaderField(
          name: String(decoding: head.fields.name(at: index, in: base), as: UTF8.self),
          value: String(decoding: head.fields.value(at: index, in: base), as: UTF8.self))
      }
    }
  }

  private static func seconds(
    from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
  ) -> Double {
    start.duration(to: end) / .seconds(1)
  }

  private static func seconds(_ value: Double) -> String {
    value == value.rounded() ? "\(Int(value)) s" : "\(value) s"
  }
}
