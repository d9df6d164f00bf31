// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import Synchronization
import TestSupport
import Testing

/// A directory of its own for one test, gone at its end.
private func readBytes(_ path: String) -> [UInt8] { Array((readText(path) ?? "").utf8) }

private final class Reports: Sendable {
  private let list = Mutex<[String]>([])
  var add: @Sendable (String) -> Void { { line in self.list.withLock { $0.append(line) } } }
  var lines: [String] { list.withLock { $0 } }
}

struct AccessLogFileTests {
  private func append(_ count: Int, to buffer: LogBuffer, from first: Int = 0) {
    var record = AccessRecord()
    for number in first..<first + count {
      record.requestIDLow = UInt64(number)
      buffer.append(record)
    }
  }

  /// The request numbers of the lines, -1 for what is no whole line.
  private func numbers(_ bytes: [UInt8]) -> [Int] {
    bytes.split(separator: 0x0a).map { line in
      let text = String(decoding: line, as: UTF8.self)
      guard text.hasPrefix("- - - ["), let id = text.split(separator: " ").last, id.count == 32
      else { return -1 }
      return Int(id, radix: 16) ?? -1
    }
  }

  @Test func `lines appear within about a second without being asked for`() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("access.log")
    let log = try AccessLog(target: .file(path), format: .combined) { _ in }
    let buffer = log.makeBuffer()
    append(3, to: buffer)
    #expect(eventually { readBytes(path).filter { $0 == 0x0a }.count == 3 })
    #expect(numbers(readBytes(path)) == [0, 1, 2])
    log.close()
  }

  @Test func `every line of every loop is written once, each loop's in order`() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("access.log")
    let log = try AccessLog(target: .file(path), format: .combined) { _ in }
    let loops = 4
    let each = 5000
    let threads = (0..<loops).map { loop in
      let buffer = log.makeBuffer()
      return Thread.start("loop") {
        for batch in 0..<each / 100 {
          self.append(100, to: buffer, from: loop * 1_000_000 + batch * 100)
          usleep(500)
        }
      }
    }
    for thread in threads { pthread_join(thread, nil) }
    log.close()
    let all = numbers(readBytes(path))
    #expect(all.count == loops * each)
    for loop in 0..<loops {
      let own = all.filter { $0 / 1_000_000 == loop }
      #expect(own == Array(loop * 1_000_000..<loop * 1_000_000 + each))
    }
    #expect(log.lostLines == 0)
  }

  @Test func `after reopen lines go to the new file of that name`() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("access.log")
    let log = try AccessLog(target: .file(path), format: .combined) { _ in }
    let buffer = log.makeBuffer()
    append(2, to: buffer)
    rename(path, directory.file("access.log.1"))
    log.reopen()
    #expect(eventually { access(path, F_OK) == 0 })
    append(2, to: buffer, from: 2)
    log.close()
    #expect(numbers(readBytes(directory.file("access.log.1"))) == [0, 1])
    #expect(numbers(readBytes(path)) == [2, 3])
  }

  @Test func `a reopen that fails keeps the open file and says so`() throws {
    let directory = TemporaryDirectory()
    mkdir(directory.file("logs"), 0o755)
    let path = directory.file("logs/access.log")
    let reports = Reports()
    let log = try AccessLog(target: .file(path), format: .combined, report: reports.add)
    let buffer = log.makeBuffer()
    rename(directory.file("logs"), directory.file("moved"))
    log.reopen()
    #expect(eventually { !reports.lines.isEmpty })
    append(1, to: buffer)
    log.close()
    #expect(numbers(readBytes(directory.file("moved/access.log"))) == [0])
    #expect(reports.lines.count == 1)
    #expect(reports.lines[0].contains("cannot be opened again: no such file or directory"))
  }

  @Test func `a log that cannot be opened is an error at the start`() {
    #expect(
      throws: AccessLogError(path: "/nonexistent/access.log", reason: "no such file or directory")
    ) {
      _ = try AccessLog(target: .file("/nonexistent/access.log"), format: .json) { _ in }
    }
  }

  @Test func `a full disk loses lines, is reported once, and hurts nobody`() throws {
    let reports = Reports()
    let log = try AccessLog(target: .file("/dev/full"), format: .combined, report: reports.add)
    let buffer = log.makeBuffer()
    append(10_000, to: buffer)
    #expect(eventually { log.lostLines > 0 })
    append(10_000, to: buffer)
    log.close()
    #expect(log.lostLines == 20_000)
    #expect(reports.lines.count == 1)
    #expect(reports.lines[0].hasSuffix("lines are lost: no space left on device"))
  }

  @Test func `a sleeping reader makes lines wait, then be lost, never a loop wait`() throws {
    let directory = TemporaryDirectory()
    let path = directory.file("pipe")
    mkfifo(path, 0o600)
    let reader = open(path, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let log = try AccessLog(target: .file(path), format: .combined) { _ in }
    let buffer = log.makeBuffer()
    let count = 150_000  // some 13 MB, three times of what may wait
    append(count, to: buffer)
    #expect(log.lostLines > 0)
    #expect(log.lostLines < UInt64(count))
    log.close()
  }

  @Test func `a reader that left loses lines only`() throws {
    signal(SIGPIPE, SIG_IGN)
    let directory = TemporaryDirectory()
    let path = directory.file("pipe")
    mkfifo(path, 0o600)
    let reader = open(path, O_RDONLY | O_NONBLOCK)
    let reports = Reports()
    let log = try AccessLog(target: .file(path), format: .json, report: reports.add)
    let buffer = log.makeBuffer()
    close(reader)
    append(5, to: buffer)
    #expect(eventually { log.lostLines == 5 })
    #expect(reports.lines.count == 1)
    log.close()
  }
}
