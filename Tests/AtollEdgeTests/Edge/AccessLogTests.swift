// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import FoundationEssentials
import Glibc
import Testing

/// The access log: one line per exchange, valid whatever the viewer sent.
@Suite(.timeLimit(.minutes(20)))
struct AccessLogTests {
  /// A file of its own, gone when the test ends.
  final class LogFile {
    let path = "/tmp/atoll-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).log"
    deinit { unlink(path) }

    var bytes: [UInt8] {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return [] }
      defer { close(descriptor) }
      var all: [UInt8] = []
      var block = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = read(descriptor, &block, block.count)
        guard count > 0 else { return all }
        all += block[..<count]
      }
    }

    var lines: [[UInt8]] { bytes.split(separator: 0x0a).map(Array.init) }
  }

  /// Any JSON value, for what has to parse and nothing else.
  enum Value: Decodable {
    case string(String), number(Double), bool(Bool), null
    case array([Value]), object([String: Value])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let value = try? container.decode(Bool.self) {
        self = .bool(value)
      } else if let value = try? container.decode(Double.self) {
        self = .number(value)
      } else if let value = try? container.decode(String.self) {
        self = .string(value)
      } else if let value = try? container.decode([Value].self) {
        self = .array(value)
      } else {
        self = .object(try container.decode([String: Value].self))
      }
    }
  }

  @Test func `every line is valid JSON whatever the viewer sends`() throws {
    let log = LogFile()
    let origin = try ScriptedOrigin { try $0.respond(body: "ok") }
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.log(to: log.path)
      })
    let viewer = try edge.viewer()
    var sent = 0
    // Every byte that may stand in a field value, alone and between quotes and backslashes.
    for byte in UInt8(0x20)...255 where byte != 0x7f {
      let start = "GET /q?\"\\'<>{}|^` HTTP/1.1\r\nHost: a\r\n".replacing("<>{}|^`", with: "<>{}")
      let hostile: [UInt8] = [0x78, byte, 0x22, 0x5c, byte, byte, 0x5c, 0x78]
      for name in ["User-Agent", "Referer"] {
        try viewer.send(
          Array(start.utf8) + Array("\(name): ".utf8) + hostile + Array("\r\n\r\n".utf8))
        #expect(try viewer.readResponse().status == 200)
        sent += 1
      }
    }
    // Truncated, overlong and surrogate forms of UTF-8.
    for bytes: [UInt8] in [
      [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xc0, 0xaf], [0xed, 0xa0, 0x80],
      [0xf8, 0x88, 0x80, 0x80, 0x80], [0xff, 0xfe], Array("ünïcode 😀".utf8),
    ] {
      try viewer.send(
        Array("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: ".utf8) + bytes + Array("\r\n\r\n".utf8))
      #expect(try viewer.readResponse().status == 200)
      sent += 1
    }
    // A head that is refused leaves a line too.
    try viewer.send("G\"T\\ /\u{1} HTTP/1.1\r\n\r\n")
    #expect(try viewer.readResponse().status == 400)
    sent += 1
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    let lines = log.lines
    #expect(lines.count == sent)
    for line in lines {
      #expect(String(validating: line, as: UTF8.self) != nil)
      #expect(throws: Never.self) {
        try JSONDecoder().decode([String: Value].self, from: Data(line))
      }
    }
  }

  @Test func `a combined line has the verdict at its end`() throws {
    let log = LogFile()
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.accessLog = .file(log.path)
        $0.logFormat = .combined
      })
    _ = try edge.get("/page?x=1", "User-Agent: test \"quoted\"", "Referer: http://a/")
    _ = try edge.get("/page?x=1")
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    let lines = log.lines.map { String(decoding: $0, as: UTF8.self) }
    #expect(lines.count == 2)
    #expect(lines[0].hasPrefix("127.0.0.1 - - ["))
    #expect(lines[0].contains("\"GET /page?x=1 HTTP/1.1\" 200 1 \"http://a/\""))
    #expect(lines[0].contains("miss"))
    #expect(lines[1].contains("hit"))
    #expect(lines.allSatisfy { !$0.contains("\"quoted\"") || $0.contains("\\\"quoted\\\"") })
  }

  @Test func `a log that was moved away is opened anew`() throws {
    let log = LogFile()
    let moved = LogFile()
    let origin = try CachingTests.counting(["Cache-Control: max-age=60"])
    let edge = try EdgeUnderTest(
      origin,
      options: {
        $0.log(to: log.path)
      })
    _ = try edge.get("/before")
    rename(log.path, moved.path)
    edge.edge.reopenLogs()
    // The writer opens it in its own time; lines that come before go to the old file.
    let started = Clock.now()
    while access(log.path, F_OK) != 0 && Clock.now() - started < 5 { usleep(1000) }
    _ = try edge.get("/after")
    _ = edge.edge.drain(timeout: 5)
    edge.stop()
    let both = (moved.lines + log.lines).map { String(decoding: $0, as: UTF8.self) }
    #expect(both.count == 2)
    #expect(log.lines.contains { String(decoding: $0, as: UTF8.self).contains("/after") })
  }
}
