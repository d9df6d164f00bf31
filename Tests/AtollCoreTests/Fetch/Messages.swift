// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// A parsed head with the bytes that it points into. Written with bare line feeds in tests.
final class Message {
  let bytes = ByteBuffer()
  var base: UnsafePointer<UInt8> { UnsafePointer(bytes.base) }

  init(_ text: String) {
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      bytes.append(String(line))
      bytes.append("\r\n")
    }
    bytes.append("\r\n")
  }
}

final class GivenRequest {
  let head = RequestHead()
  let message: Message
  var base: UnsafePointer<UInt8> { message.base }

  /// - Parameter line: "GET /a" or with the version.
  init(_ line: String = "GET /a", _ fields: [String] = [], host: String? = "site.example") {
    var lines = [line.hasSuffix("HTTP/1.0") ? line : line + " HTTP/1.1"]
    if let host { lines.append("Host: \(host)") }
    message = Message((lines + fields).joined(separator: "\n"))
    let parsed = head.parse(message.base, count: message.bytes.count)
    precondition(parsed == .complete(length: message.bytes.count), "\(parsed) in \(lines)")
  }
}

final class GivenResponse {
  let head = ResponseHead()
  let message: Message
  var base: UnsafePointer<UInt8> { message.base }

  init(_ status: Int = 200, _ fields: [String] = [], reason: String = "OK", minor: Int = 1) {
    let lines = ["HTTP/1.\(minor) \(status) \(reason)"] + fields
    message = Message(lines.joined(separator: "\n"))
    let parsed = head.parse(message.base, count: message.bytes.count, requestMethod: .get)
    precondition(parsed == .complete(length: message.bytes.count), "\(parsed) in \(lines)")
  }
}

/// A policy, which owns what its behaviors point into.
func makePolicy(
  _ preset: Preset = .origin, slot: Int = 3, _ edit: (inout Distribution) -> Void = { _ in }
) -> DistributionPolicy {
  var distribution = Distribution.make(
    name: "shop", origin: Origin(scheme: .http, host: "origin.example", port: 80),
    preset: preset, id: "d0123456789abc", now: 0)
  edit(&distribution)
  return DistributionPolicy(distribution, slot: slot)
}

extension DistributionPolicy {
  /// The only behavior, or the one for a path.
  func behavior(_ path: String = "/a") -> BehaviorPolicy {
    var path = path
    return path.withUTF8 { behavior(forPath: $0) }
  }
}

/// 2026-03-01T12:00:00Z, a Sunday.
let testTime: Int64 = 1_772_366_400

/// An HTTP date this many seconds from `testTime`.
func httpDate(_ offset: Int64 = 0) -> String {
  writtenText { HTTPDate.append(testTime + offset, to: $0) }
}

func writtenBytes(_ write: (ByteBuffer) -> Void) -> [UInt8] {
  let buffer = ByteBuffer()
  write(buffer)
  return Array(buffer.bytes)
}

func writtenText(_ write: (ByteBuffer) -> Void) -> String {
  String(decoding: writtenBytes(write), as: UTF8.self)
}

/// The lines of what was written, without CRLF.
func writtenLines(_ write: (ByteBuffer) -> Void) -> [String] {
  writtenText(write).split(separator: "\r\n", omittingEmptySubsequences: true).map(String.init)
}

func withBytes<Result>(_ bytes: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
  bytes.withUnsafeBufferPointer(body)
}
