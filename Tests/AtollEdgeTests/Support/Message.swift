// SPDX-License-Identifier: Apache-2.0

/// The head of a message as a test reads it: written from RFC 9112, independent of the edge's parsers.
struct MessageHead: Sendable {
  var startLine: String
  var fields: [(name: String, value: String)]

  /// The first value of a field.
  subscript(_ name: String) -> String? { values(of: name).first }

  func values(of name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  /// The members of a list field over all its lines.
  func list(_ name: String) -> [String] {
    values(of: name).flatMap { $0.split(separator: ",") }.map { trimmed(String($0)) }
  }
}

func trimmed(_ text: String) -> String {
  var text = Substring(text)
  while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
  while let last = text.last, last == " " || last == "\t" { text.removeLast() }
  return String(text)
}

/// How a body came to its end.
enum BodyEnding: Equatable, Sendable {
  case complete
  /// Closed or reset before the framing said so.
  case truncated
}

struct MessageBody: Sendable, CustomStringConvertible {
  var bytes: [UInt8] = []
  var count = 0
  /// Sizes of the chunks, when it was chunked.
  var chunks: [Int] = []
  /// The field lines behind the last of them.
  var trailers: [(name: String, value: String)] = []
  var ending = BodyEnding.complete

  /// Short: a failed expectation prints it.
  var description: String {
    let start = String(decoding: bytes.prefix(40), as: UTF8.self)
    return "\(ending), \(count) bytes: \(start)\(count > 40 ? "…" : "")"
  }
}

enum MessageFraming: Equatable, Sendable {
  case none, chunked, untilClose
  case length(Int)
}

extension Wire {
  /// Start line and fields up to the empty line; nil when the stream ended before the first byte.
  func readHead() throws -> MessageHead? {
    guard let first = try readLine() else { return nil }
    var head = MessageHead(startLine: try withoutEnd(first), fields: [])
    while true {
      guard let bytes = try readLine() else { throw WireError.closed }
      let line = try withoutEnd(bytes)
      if line.isEmpty { return head }
      head.fields.append(try field(line))
    }
  }

  private func field(_ line: String) throws -> (name: String, value: String) {
    guard let colon = line.firstIndex(of: ":") else {
      throw WireError.malformed("field line \(line)")
    }
    return (String(line[..<colon]), trimmed(String(line[line.index(after: colon)...])))
  }

  /// - Parameter keeping: whether the bytes are kept or only counted.
  func readBody(_ framing: MessageFraming, keeping: Bool = true) throws -> MessageBody {
    var body = MessageBody()
    do {
      switch framing {
      case .none: break
      case .length(let length): try readPart(length, into: &body, keeping: keeping)
      case .untilClose:
        while try readSome(65_536, into: &body, keeping: keeping) > 0 {}
      case .chunked:
        while true {
          guard let line = try readLine() else { throw WireError.closed }
          let text = try withoutEnd(line)
          let digits = text.prefix { $0.isHexDigit }
          guard let size = Int(digits, radix: 16) else {
            throw WireError.malformed("chunk size \(text)")
          }
          if size == 0 { break }
          body.chunks.append(size)
          try readPart(size, into: &body, keeping: keeping)
          guard try read(2) == [13, 10] else { throw WireError.malformed("chunk end") }
        }
        while true {
          guard let bytes = try readLine() else { throw WireError.closed }
          let line = try withoutEnd(bytes)
          if line.isEmpty { break }
          body.trailers.append(try field(line))
        }
      }
    } catch WireError.closed, WireError.reset {
      body.ending = .truncated
    }
    return body
  }

  private func readPart(_ length: Int, into body: inout MessageBody, keeping: Bool) throws {
    var left = length
    while left > 0 {
      let some = try readSome(left, into: &body, keeping: keeping)
      guard some > 0 else { throw WireError.closed }
      left -= some
    }
  }

  private func readSome(_ limit: Int, into body: inout MessageBody, keeping: Bool) throws -> Int {
    if pendingCount == 0, try !receive() { return 0 }
    let count = min(limit, pendingCount)
    if keeping { body.bytes += take(count) } else { _ = try discard(count) }
    body.count += count
    return count
  }

  private func withoutEnd(_ line: [UInt8]) throws -> String {
    guard line.count >= 2, line[line.count - 2] == 13 else {
      throw WireError.malformed("bare line feed")
    }
    return String(decoding: line[..<(line.count - 2)], as: UTF8.self)
  }
}

/// Bytes in the chunked coding.
func chunked(_ parts: String..., trailers: [String] = []) -> String {
  parts.map { String($0.utf8.count, radix: 16) + "\r\n" + $0 + "\r\n" }.joined() + "0\r\n"
    + trailers.map { $0 + "\r\n" }.joined() + "\r\n"
}
