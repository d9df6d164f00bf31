// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Asks a running edge over its admin socket.
package struct AdminClient: Sendable {
  package let path: String
  /// Milliseconds that an answer may take.
  package let timeout: Int

  /// Bytes of an answer.
  private static let answerLimit = 256 << 20

  package init(path: String, timeout: Int = 5_000) {
    self.path = path
    self.timeout = timeout
  }

  /// The edge's metrics; of one distribution alone when `distribution` is its name.
  package func metrics(distribution: String? = nil) throws(AdminError) -> MetricsReport {
    let query = distribution.map { "?distribution=\(Self.encode($0))" } ?? ""
    guard let report = MetricsReport(json: try get("/metrics\(query)")) else {
      throw AdminError(path: path, reason: "the edge gave an unreadable answer")
    }
    return report
  }

  /// How the edge sees the targets of a distribution's origins; nil when it does not serve it.
  package func health(ofDistribution name: String) throws(AdminError) -> DistributionHealth? {
    let answer = try get("/health?distribution=\(Self.encode(name))")
    guard let report = HealthReport(json: answer) else {
      throw AdminError(path: path, reason: "the edge gave an unreadable answer")
    }
    return report.distributions.first { $0.name == name }
  }

  /// How many entries a purge would match now.
  /// - Parameter id: the distribution's.
  package func count(id: String, _ selector: PurgeSelector) throws(AdminError) -> Int {
    let query =
      switch selector {
      case .all: "all="
      case .path(let path): "path=\(Self.encode(path))"
      case .prefix(let prefix): "prefix=\(Self.encode(prefix))"
      case .tag(let tag): "tag=\(Self.encode(tag))"
      }
    let answer = try get("/count?id=\(Self.encode(id))&\(query)")
    guard let count = (try? JSONReader.read(answer))?["count"]?.integer
    else { throw AdminError(path: path, reason: "the edge gave an unreadable answer") }
    return Int(count)
  }

  /// The body of the answer to a GET request.
  package func get(_ target: String) throws(AdminError) -> [UInt8] {
    let deadline = SystemCall.monotonicMilliseconds() + Int64(timeout)
    let descriptor = try AdminSocket.connect(path, milliseconds: timeout)
    defer { close(descriptor) }
    var request = "GET \(target) HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n"[...].utf8[...]
    while !request.isEmpty {
      let bytes = Array(request)
      switch SystemCall.send(descriptor, bytes, bytes.count) {
      case .moved(let count): request = request.dropFirst(count)
      case .wouldBlock: throw AdminError(path: path, reason: "no answer in time")
      case .failed(let error):
        throw AdminError(path: path, reason: SystemCall.errorText(error))
      }
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    reading: while true {
      if SystemCall.monotonicMilliseconds() >= deadline || answer.count > Self.answerLimit {
        throw AdminError(path: path, reason: "no answer in time")
      }
      switch SystemCall.receive(descriptor, &chunk, chunk.count) {
      case .moved(0): break reading
      case .moved(let count): answer += chunk[..<count]
      case .wouldBlock: throw AdminError(path: path, reason: "no answer in time")
      case .failed(let error):
        throw AdminError(path: path, reason: SystemCall.errorText(error))
      }
    }
    return try body(of: answer)
  }

  private func body(of answer: [UInt8]) throws(AdminError) -> [UInt8] {
    let head = ResponseHead()
    let body: [UInt8]? = answer.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress,
        case .complete(let length) = head.parse(base, count: bytes.count, requestMethod: .get),
        case .length(let count) = head.framing, Int(count) == bytes.count - length
      else { return nil }
      return Array(bytes[length...])
    }
    guard let body else { throw AdminError(path: path, reason: "the edge broke off its answer") }
    if head.status != 200 {
      let text = String(decoding: body.prefix { $0 != 0x0a }, as: UTF8.self)
      throw AdminError(path: path, reason: text)
    }
    return body
  }

  /// Percent-encodes what a query cannot carry (RFC 3986 §3.4).
  private static func encode(_ text: String) -> String {
    percentEncoded(text) { isAlphanumeric($0) || "-._~/*".utf8.contains($0) }
  }
}
