// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// What a scripted origin has at every one of its URLs, served in ranges as RFC 9110 §14 says.
struct RangedSite {
  var body: [UInt8]
  /// With its quotes; nil for none.
  var etag: String? = "\"v1\""
  var fields = ["Cache-Control: max-age=60", "Content-Type: application/x-test"]
  var servesRanges = true

  /// - Parameter seed: bodies of different seeds differ in every byte.
  init(size: Int, seed: UInt8 = 0) {
    body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) &+ seed }
  }

  func bytes(_ range: Range<Int>) -> [UInt8] { Array(body[range]) }

  /// - Parameter hold: called between head and body with the request.
  static func origin(
    _ site: Shared<RangedSite>, hold: @escaping @Sendable (OriginRequest) -> Void = { _ in }
  ) throws -> ScriptedOrigin {
    try ScriptedOrigin { exchange in
      try site.value.answer(exchange) { _ in
        hold(exchange.request)
        return true
      }
    }
  }

  /// - Parameter beforeBody: gets the body, and whether the rest of the response is to follow.
  func answer(
    _ exchange: OriginExchange, beforeBody: ([UInt8]) throws -> Bool
  ) throws {
    let request = exchange.request
    let fields = self.fields + (etag.map { ["ETag: \($0)"] } ?? [])
    func send(_ status: String, _ more: [String], _ body: [UInt8]) throws {
      let lines = ["HTTP/1.1 \(status)"] + fields + more + ["Content-Length: \(body.count)"]
      try exchange.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
      if try beforeBody(body), request.method != "HEAD" { try exchange.send(body) }
    }
    if let etag, request["if-none-match"] == etag {
      return try exchange.sendHead(
        "304 Not Modified", "ETag: \(etag)", "Cache-Control: max-age=60")
    }
    guard servesRanges, let value = request["range"] else {
      return try send("200 OK", servesRanges ? ["Accept-Ranges: bytes"] : [], body)
    }
    guard let range = range(value) else {
      return try send("416 Range Not Satisfiable", ["Content-Range: bytes */\(body.count)"], [])
    }
    let last = range.upperBound - 1
    try send(
      "206 Partial Content",
      ["Content-Range: bytes \(range.lowerBound)-\(last)/\(body.count)"], bytes(range))
  }

  /// Of one range, written without any of the edge's code.
  private func range(_ value: String) -> Range<Int>? {
    guard value.hasPrefix("bytes="), !value.contains(",") else { return nil }
    let ends = value.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2 else { return nil }
    switch (Int(ends[0]), Int(ends[1])) {
    case (let first?, let last):
      return first < body.count ? first..<min(last ?? .max - 1, body.count - 1) + 1 : nil
    case (nil, let suffix?):
      return suffix > 0 && !body.isEmpty ? max(0, body.count - suffix)..<body.count : nil
    case (nil, nil): return nil
    }
  }
}

extension RangedSite {
  /// An edge with small slices before an origin of this site.
  static func edge(
    _ site: Shared<RangedSite>, slices: Int = 1000,
    hold: @escaping @Sendable (OriginRequest) -> Void = { _ in },
    _ change: (inout Distribution) -> Void = { _ in },
    options: (inout EdgeOptions) -> Void = { _ in }
  ) throws -> (EdgeUnderTest, ScriptedOrigin) {
    let origin = try origin(site, hold: hold)
    let edge = try EdgeUnderTest(
      origin,
      {
        $0.settings.sliceSize = slices
        // Tests hold responses back.
        $0.origin.responseTimeout = 60
        change(&$0)
      }, options: options)
    return (edge, origin)
  }
}

/// One part of a multipart/byteranges body.
struct BodyPart: Equatable {
  var contentType: String?
  var contentRange: String?
  var bytes: [UInt8]
}

/// Parts as RFC 2046 §5.1.1 separates them; nil for anything else.
func bodyParts(_ response: ViewerResponse) -> [BodyPart]? {
  let prefix = "multipart/byteranges; boundary="
  guard let type = response["content-type"], type.hasPrefix(prefix) else { return nil }
  let delimiter = Array("\r\n--\(type.dropFirst(prefix.count))".utf8)
  var rest = Array("\r\n".utf8)[...] + response.body.bytes[...]
  func take(upTo mark: [UInt8]) -> [UInt8]? {
    var at = rest.startIndex
    while at + mark.count <= rest.endIndex {
      if rest[at] == mark[0], rest[at..<(at + mark.count)].elementsEqual(mark) {
        defer { rest = rest[(at + mark.count)...] }
        return Array(rest[..<at])
      }
      at += 1
    }
    return nil
  }
  guard take(upTo: delimiter) == [] else { return nil }
  var parts: [BodyPart] = []
  while true {
    guard let line = take(upTo: [13, 10]) else { return nil }
    if line == Array("--".utf8) { return rest.isEmpty ? parts : nil }
    guard line.isEmpty, let head = take(upTo: [13, 10, 13, 10]), let bytes = take(upTo: delimiter)
    else { return nil }
    var part = BodyPart(bytes: bytes)
    for field in String(decoding: head, as: UTF8.self).split(separator: "\r\n") {
      let pair = field.split(separator: ":", maxSplits: 1)
      if pair[0] == "Content-Type" { part.contentType = trimmed(String(pair[1])) }
      if pair[0] == "Content-Range" { part.contentRange = trimmed(String(pair[1])) }
    }
    parts.append(part)
  }
}
