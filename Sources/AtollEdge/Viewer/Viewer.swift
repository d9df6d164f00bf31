// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// Whom an exchange answers: an HTTP/1.1 connection, or one stream of an HTTP/2 connection.
///
/// Both speak to the exchange in the same terms, those of HTTP/1.1's text: a request's head as
/// `RequestHead` reads it, a response's head as status line and field lines. What is the protocol's
/// own (framing, persistence, compression of heads) stays with the subclass.
class Viewer: Channel {
  enum BodySource { case none, entry, fetch }

  final let services: LoopServices
  final private(set) var address: SocketAddress
  final let exchange: Exchange
  /// Over TLS.
  final private(set) var isSecure: Bool
  /// A request's head is being gone through where it came to lie; it is kept only if its answer
  /// takes longer.
  final var isBeginning = false
  /// Of the present request's head.
  final var ownHeadLength = 0
  final var upload: Upload?
  /// For the access log: the head of the request under way, wherever it lies.
  final var presentHeadBase: UnsafePointer<UInt8>?
  private final var writtenAddress: ByteBuffer?

  // The response's body: a piece of it after the other, of an entry or of what is being fetched.
  final var source = BodySource.none
  final var bodyEntry: Entry?
  final var bodyPosition = 0
  final var pieceRemaining = 0
  /// Nothing follows the piece.
  final var bodyEnded = true

  init(services: LoopServices, descriptor: Int32, address: SocketAddress, isSecure: Bool) {
    self.services = services
    self.address = address
    self.isSecure = isSecure
    exchange = Exchange(services: services)
    super.init(loop: services.loop, descriptor: descriptor)
    exchange.viewerReference = .passUnretained(self)
  }

  /// How the peer itself reached the edge.
  final var scheme: Scheme { isSecure ? .https : .http }
  var isHTTP2: Bool { false }

  /// Of the peer's TLS, as of the present request; nil in the clear.
  var security: ViewerSecurity? { nil }

  /// Serves another peer's requests from now on.
  final func move(to address: SocketAddress, isSecure: Bool) {
    self.address = address
    self.isSecure = isSecure
    if writtenAddress != nil { writtenAddress = nil }
  }

  // MARK: The request

  /// The present request's head, when it lies in memory of the viewer's own.
  var ownHead: UnsafeMutablePointer<UInt8>? { mustOverride() }

  /// The head that the exchange goes on with: the viewer's, or that of the request for an error page.
  final var keptHead: UnsafeMutablePointer<UInt8>? { exchange.errorPage?.head?.base ?? ownHead }
  final var headLength: Int { exchange.errorPage?.head?.count ?? ownHeadLength }

  final var presentHead: RequestHead? {
    if isBeginning { return services.requestHead }
    guard let ownHead, ownHeadLength > 0 else {
      presentHeadBase = nil
      return nil
    }
    presentHeadBase = UnsafePointer(ownHead)
    let head = services.requestHead
    return head.parse(ownHead, count: ownHeadLength) == .complete(length: ownHeadLength)
      ? head : nil
  }

  /// The viewer's address as text, without port: for X-Forwarded-For and the log.
  final var addressText: UnsafeBufferPointer<UInt8> {
    if let writtenAddress { return writtenAddress.bytes }
    let buffer = ByteBuffer(capacity: 48)
    address.appendHost(to: buffer)
    // The peer of a Unix socket has no address.
    if buffer.count == 0 { buffer.append("unix:") }
    writtenAddress = buffer
    return buffer.bytes
  }

  // MARK: The request's body

  final func beginUpload(_ upload: Upload) { self.upload = upload }

  /// The response begins before the request's body has ended, which keeps the connection from being
  /// used again.
  var hasUnreadBody: Bool { upload.map { !$0.isEnded } ?? false }

  /// The next bytes of the body, framed as the request says. Nil when nothing is there now.
  func nextBodyBytes() -> (bytes: UnsafeMutablePointer<UInt8>, count: Int)? { mustOverride() }

  /// `used` bytes of what `nextBodyBytes` gave belong to the body; the rest stays for later.
  func consumedBody(_ used: Int, of piece: (bytes: UnsafeMutablePointer<UInt8>, count: Int)) {
    mustOverride()
  }

  /// Where the body ends is told by the protocol's frames: what comes has no framing of its own, and
  /// `bodyHasEnded` says when nothing follows.
  var delimitsBody: Bool { false }
  var bodyHasEnded: Bool { false }
  /// What came behind such a body, once: field lines, each with CRLF.
  func takeTrailers() -> ByteBuffer? { nil }

  func sendContinue() { mustOverride() }

  /// While a body is awaited from the viewer.
  func awaitBody() { mustOverride() }
  /// While it is the origin's turn.
  func awaitOrigin() { mustOverride() }

  // MARK: The response

  /// An interim response, as it stands.
  func sendInterim(_ bytes: UnsafeBufferPointer<UInt8>) { mustOverride() }

  /// A whole response from memory: head, per-request tail and `count` bytes of `entry`'s body from
  /// `position`. What follows the empty line of the tail is a body too.
  /// - Returns: whether the entry was kept for later. Then the caller's reference to it is gone.
  func respond(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, entry: Entry?, position: Int, count: Int,
    closes: Bool
  ) -> Bool { mustOverride() }

  /// The head of a response whose body the exchange's fetch or parts bring.
  func respond(
    head: UnsafeBufferPointer<UInt8>, tail: ByteBuffer, hasBody: Bool, chunked: Bool,
    endsByClose: Bool, closes: Bool
  ) { mustOverride() }

  /// Where text that goes before the next piece of the body is put.
  func bodyText() -> ByteBuffer { mustOverride() }

  /// The rest of the body will not come: what is missing must not look like an end.
  func breakOff(_ reason: Reason) { mustOverride() }

  /// What is left of the body are `count` bytes of `entry` from `position`.
  /// - Returns: whether these are any, for which the entry is kept, with the caller's reference.
  @inline(__always)
  final func keep(_ entry: Entry?, position: Int, count: Int) -> Bool {
    bodyPosition = position
    pieceRemaining = count
    bodyEnded = true
    guard count > 0, let entry else { return false }
    bodyEntry = entry
    source = .entry
    return true
  }

  final func dropEntry() {
    bodyEntry?.release()
    bodyEntry = nil
  }

  /// More of the body may have come.
  func bodyProgressed() { mustOverride() }

  // MARK: Ends

  /// Is joined with the origin, which has switched protocols, until one of both ends.
  /// - Parameters:
  ///   - target: counts the connection as the target's.
  ///   - timeout: seconds of silence.
  ///   - first: what the viewer gets first, the 101 and what came behind it.
  func upgrade(
    with origin: OriginConnection, of target: TargetUse?, timeout: Int, first: ByteBuffer
  ) { mustOverride() }

  /// What is missing of the response must not look like its end.
  func resetOnClose() { mustOverride() }

  /// Ends without a response, or in the middle of one.
  func close() { mustOverride() }

  private func mustOverride(_ name: StaticString = #function) -> Never {
    fatalError("\(name) is a protocol's own")
  }
}
