// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Synchronization

/// Answers http-01 challenges where no edge runs: a server of these few paths, for as long as the CA
/// looks.
final class ChallengeListener: ChallengeProver {
  let challenge = ChallengeType.http
  /// nil: every address.
  private let host: String?
  private let port: UInt16
  private let state = Mutex(State())

  private struct State: ~Copyable {
    /// Key authorizations by token.
    var answers: [String: String] = [:]
    var listener: Int32?
  }

  /// Connections that are served at once; more are closed.
  private static let connectionLimit = 64
  /// Seconds that a request may take.
  private static let patience = 10
  private let connections = Atomic(0)

  init(host: String? = nil, port: UInt16 = 80) {
    self.host = host
    self.port = port
  }

  func present(_ proofs: [ChallengeProof]) throws(ACMEError) {
    let outcome: Result<Int32?, ACMEError> = state.withLock { state in
      for proof in proofs { state.answers[proof.token] = proof.keyAuthorization }
      if state.listener != nil { return .success(nil) }
      do throws(ACMEError) {
        let listener = try listen()
        state.listener = listener
        return .success(listener)
      } catch {
        return .failure(error)
      }
    }
    guard let listener = try outcome.get() else { return }
    AtollCore.Thread.startDetached("challenges") { self.accept(listener) }
  }

  func withdraw() {
    state.withLock { state in
      state.answers = [:]
      // Wakes the thread, which closes it.
      if let listener = state.listener { shutdown(listener, Int32(SHUT_RDWR)) }
      state.listener = nil
    }
  }

  // MARK: Listening

  private func listen() throws(ACMEError) -> Int32 {
    // Where there is no IPv6, IPv4 alone.
    let hosts = host.map { [$0] } ?? ["::", "0.0.0.0"]
    let addresses = hosts.compactMap { SocketAddress(host: $0, port: port) }
    let text = (host.map { "\($0), " } ?? "") + "port \(port)"
    var reason = EINVAL
    for address in addresses {
      switch Self.listen(address) {
      case .success(let listener): return listener
      case .failure(let error): reason = error.code
      }
      if reason == EADDRINUSE || reason == EACCES { break }
    }
    throw Self.failure(reason, text)
  }

  private struct Failure: Error { var code: Int32 }

  private static func listen(_ address: SocketAddress) -> Result<Int32, Failure> {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let listener = socket(address.family, type, 0)
    guard listener >= 0 else { return .failure(Failure(code: errno)) }
    var on: Int32 = 1
    var off: Int32 = 0
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, size)
    if address.family == AF_INET6 {
      setsockopt(listener, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, size)
    }
    if address.withUnsafeAddress({ bind(listener, $0, $1) }) != 0
      || Glibc.listen(listener, 128) != 0
    {
      let reason = errno
      close(listener)
      return .failure(Failure(code: reason))
    }
    return .success(listener)
  }

  private static func failure(_ reason: Int32, _ place: String) -> ACMEError {
    switch reason {
    case EADDRINUSE:
      ACMEError(
        .preparation, "another program listens on \(place)",
        hint: "have an edge of this store serve that port; or have that program pass "
          + "\(ChallengeProof.path) on to another address, and name that with --http; or prove the "
          + "domain by --challenge dns-01")
    case EACCES, EPERM:
      ACMEError(
        .preparation, "may not listen on \(place)",
        hint: "run it as root, or listen elsewhere with --http and have port 80 lead there; or "
          + "prove the domain by --challenge dns-01")
    default:
      ACMEError(
        .preparation, "can't listen on \(place): \(errorText(reason))",
        hint: "name an address of this machine with --http")
    }
  }

  // MARK: Answering

  private func accept(_ listener: Int32) {
    defer { close(listener) }
    while true {
      let peer = csystem_accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
      if peer < 0 {
        if errno == EINTR || errno == ECONNABORTED { continue }
        // Withdrawn, or out of descriptors: then the CA says what it did not find.
        return
      }
      if connections.load(ordering: .relaxed) >= Self.connectionLimit {
        close(peer)
        continue
      }
      connections.add(1, ordering: .relaxed)
      AtollCore.Thread.runDetached("challenge") {
        self.serve(peer)
        close(peer)
        self.connections.subtract(1, ordering: .relaxed)
      }
    }
  }

  private func serve(_ peer: Int32) {
    var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    let end = time(nil) + Self.patience
    var head: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 2_048)
    while !Self.isComplete(head) {
      let count = recv(peer, &buffer, buffer.count, 0)
      guard count > 0, head.count + count <= Limits.requestHead, time(nil) <= end else { return }
      head += buffer.prefix(count)
    }
    let response = Array(Self.response(to: head, answer(to:)).utf8)
    _ = send(peer, response, response.count, Int32(MSG_NOSIGNAL))
    // Closing with bytes unread would take the response back.
    shutdown(peer, Int32(SHUT_WR))
    while recv(peer, &buffer, buffer.count, 0) > 0, time(nil) <= end {}
  }

  private func answer(to token: String) -> String? {
    state.withLock { $0.answers[token] }
  }

  private static func isComplete(_ head: [UInt8]) -> Bool {
    head.suffix(4).elementsEqual([13, 10, 13, 10])
      || String(decoding: head, as: UTF8.self).contains("\r\n\r\n")
  }

  /// - Parameter answer: the key authorization of a token.
  static func response(to head: [UInt8], _ answer: (String) -> String?) -> String {
    let line = String(decoding: head.prefix { $0 != 13 }, as: UTF8.self)
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    var status = "404 Not Found"
    var body = "atoll answers challenges of a CA here, and nothing else.\n"
    if words.count != 3 || !words[2].hasPrefix("HTTP/1.") {
      status = "400 Bad Request"
    } else if words[0] != "GET" {
      status = "405 Method Not Allowed"
    } else if words[1].hasPrefix(ChallengeProof.path),
      let found = answer(String(words[1].dropFirst(ChallengeProof.path.count)))
    {
      status = "200 OK"
      body = found
    }
    return
      "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\n"
      + "Cache-Control: no-store\r\nConnection: close\r\n\r\n" + body
  }
}
