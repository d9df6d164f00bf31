// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// Makes one HTTP/1.1 request and reads the response, measuring each phase.
struct ProbeClient {
  let request: ProbeRequest
  let userAgent: String
  private var response = ProbeResponse()
  private var hash = Fingerprint()

  static func run(_ request: ProbeRequest, userAgent: String) throws(ProbeError) -> ProbeResponse {
    var client = ProbeClient(request: request, userAgent: userAgent)
    return try client.run()
  }

  private init(request: ProbeRequest, userAgent: String) {
    self.request = request
    self.userAgent = userAgent
  }

  private mutating func run() throws(ProbeError) -> ProbeResponse {
    let start = ContinuousClock.now
    let deadline = Deadline(seconds: request.timeout, from: start)
    let connectDeadline = Deadline(seconds: request.connectTimeout, from: start).earlier(deadline)
    let (place, addresses) = request.route.place(for: request.url)
    var places: [SocketAddress]
    switch place {
    case .unix(let path):
      guard let socket = SocketAddress(unixPath: path) else {
        throw .usage("\"\(path)\" is too long for the path of a socket")
      }
      places = [socket]
    case .tcp(let host, let number):
      places = addresses.compactMap { SocketAddress(host: $0, port: number) }
      if places.isEmpty {
        places = try NameLookup.places(host: host, port: number, by: connectDeadline)
      }
    }
    let found = ContinuousClock.now
    let socket = try ProbeSocket.connect(to: places, by: connectDeadline)
    let connected = ContinuousClock.now
    response.phases.dns = Self.seconds(from: start, to: found)
    response.phases.connect = Self.seconds(from: found, to: connected)
    response.peer = socket.peer
    try socket.send(request.head(userAgent: userAgent), by: deadline)
    try receive(from: socket, connected: connected, by: deadline)
    return response
  }

  private mutating func receive(
    from socket: borrowing ProbeSocket, connected: ContinuousClock.Instant, by deadline: Deadline
  ) throws(ProbeError) {
    let head = ResponseHead()
    let method = Array(request.method.utf8).withUnsafeBufferPointer { name in
      name.baseAddress.map { RequestHead.method($0, name.count) } ?? .other
    }
    var buffer = [UInt8](repeating: 0, count: max(65_536, Limits.responseHead + 1))
    var filled = 0
    var interim = 0
    var firstByte: ContinuousClock.Instant?
    reading: while true {
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
          throw .unreachable("\(socket.peer) sends interim responses without end")
        }
        // The wait lasts until the final response begins.
        Self.drop(length, from: &buffer, &filled)
        firstByte = filled > 0 ? ContinuousClock.now : nil
        continue
      case .failure(let error):
        throw .unreachable(
          "\(socket.peer) does not answer in HTTP/1.1: \(error.rawValue)",
          hint: "is it an HTTP server, and the port not one for HTTPS?")
      case .incomplete: break
      }
      switch try socket.receive(into: &buffer, from: filled, by: deadline) {
      case .bytes(let count):
        if firstByte == nil { firstByte = ContinuousClock.now }
        filled += count
      case .timeout:
        throw .unreachable(
          "\(socket.peer) did not answer within \(Self.seconds(request.timeout))",
          hint: "give --max-time more")
      case .end, .reset:
        throw .unreachable(
          filled == 0
            ? "\(socket.peer) closed the connection without an answer"
            : "\(socket.peer) closed the connection in the middle of its answer")
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
    _ framing: BodyFraming, from socket: borrowing ProbeSocket, buffer: inout [UInt8], filled: Int,
    by deadline: Deadline
  ) throws(ProbeError) {
    var filled = filled
    var chunks = ChunkedDecoder()
    while true {
      switch framing {
      case .none: return
      case .length(let length):
        count(buffer, from: 0, length: Int(min(UInt64(filled), length - response.bodyLength)))
        if response.bodyLength == length { return }
      case .untilClose: count(buffer, from: 0, length: filled)
      case .chunked:
        guard try decode(&chunks, buffer, filled, peer: socket.peer) else { return }
      }
      switch try socket.receive(into: &buffer, by: deadline) {
      case .bytes(let received): filled = received
      case .timeout:
        throw .unreachable(
          "the body from \(socket.peer) did not end within \(Self.seconds(request.timeout))",
          hint: "give --max-time more")
      case .end where framing == .untilClose: return
      case .end, .reset:
        var message = "\(socket.peer) closed the connection after \(response.bodyLength)"
        if case .length(let length) = framing { message += " of \(length)" }
        throw .unreachable(message + " bytes of the body", hint: "the response is truncated")
      }
    }
  }

  /// Counts the payload of chunks; false when the last one has come.
  private mutating func decode(
    _ chunks: inout ChunkedDecoder, _ buffer: [UInt8], _ filled: Int, peer: String
  ) throws(ProbeError) -> Bool {
    var at = 0
    while at < filled {
      let step = buffer.withUnsafeBufferPointer {
        chunks.next($0.baseAddress! + at, count: filled - at)
      }
      switch step {
      case .data(let consumed, let length):
        count(buffer, from: at + consumed, length: length)
        at += consumed + length
      case .needsMore: return true
      case .end: return false
      case .malformed:
        throw .unreachable("\(peer) sent a malformed chunk", hint: "the response is truncated")
      }
    }
    return true
  }

  private mutating func count(_ buffer: [UInt8], from start: Int, length: Int) {
    response.bodyLength += UInt64(length)
    buffer.withUnsafeBufferPointer {
      hash.mix(UnsafeBufferPointer(rebasing: $0[start..<start + length]))
    }
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
    _ head: ResponseHead, from buffer: [UInt8], into response: inout ProbeResponse
  ) {
    response.status = Int(head.status)
    buffer.withUnsafeBufferPointer { bytes in
      let base = bytes.baseAddress!
      response.fields = (0..<head.fields.count).map { index in
        ProbeResponse.Field(
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
