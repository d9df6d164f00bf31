// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

package struct AccessLogError: Error, Equatable, Sendable {
  package let path: String
  package let reason: String

  package init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }
}

/// The access log: loops format lines into buffers of their own, one thread writes them out.
///
/// Whatever becomes of the target, traffic goes on: when the disk is full, the pipe's reader sleeps
/// or is gone, lines are lost and counted, and a bounded number of buffers waits.
package final class AccessLog: @unchecked Sendable {
  package enum Target: Equatable, Sendable {
    case standardOutput
    case file(String)
  }

  /// Bytes after which a loop hands its lines over.
  static let batchSize = 65_536
  /// Batches that wait for the writer; about 4 MiB.
  static let batchLimit = 64
  /// Milliseconds that a line waits in its loop's buffer at most.
  static let interval = 1000
  /// Seconds between two complaints about the same target.
  private static let complaintInterval: Int64 = 60

  private let format: LogFormat
  private let report: @Sendable (String) -> Void
  private let monitor = Monitor()
  // Under the monitor's lock:
  private var buffers: [LogBuffer] = []
  private var queue: [LogBatch] = []
  private var spare: [ByteBuffer] = []
  private var reopens = false
  private var closes = false
  private var isFinished = false
  private var lostByWriter: UInt64 = 0
  // The writer thread's own:
  private var output: LogOutput
  private var complaintAfter: Int64 = 0
  private var lostInTrouble: UInt64 = 0

  /// - Parameter report: takes a line for the edge's own log.
  package init(
    target: Target, format: LogFormat, report: @escaping @Sendable (String) -> Void
  ) throws(AccessLogError) {
    self.format = format
    self.report = report
    output = try LogOutput(target)
    Thread.startDetached("atoll-log") { [self] in write() }
  }

  /// A buffer for one loop.
  package func makeBuffer() -> LogBuffer {
    monitor.withLock {
      let buffer = LogBuffer(log: self, format: format)
      buffers.append(buffer)
      return buffer
    }
  }

  /// Opens the file anew under its name, after what was logged before: for log rotation.
  package func reopen() {
    monitor.withLock { reopens = true }
    monitor.broadcast()
  }

  /// Writes out what is there and ends; gives up on a target that takes nothing for a second.
  package func close() {
    monitor.lock()
    closes = true
    monitor.broadcast()
    let deadline = SystemCall.monotonicMilliseconds() + 1000
    while !isFinished {
      let left = deadline - SystemCall.monotonicMilliseconds()
      if left <= 0 { break }
      monitor.wait(milliseconds: Int(left))
    }
    monitor.unlock()
  }

  /// Lines that nobody will read, since the start.
  package var lostLines: UInt64 {
    let (buffers, lost) = monitor.withLock { (self.buffers, lostByWriter) }
    return buffers.reduce(lost) { $0 + $1.lostLines }
  }

  /// Takes a full batch and gives an empty buffer for it; nil when too many wait already.
  fileprivate func exchange(_ batch: LogBatch) -> ByteBuffer? {
    monitor.lock()
    defer { monitor.unlock() }
    if queue.count >= Self.batchLimit || isFinished { return nil }
    queue.append(batch)
    monitor.signal()
    return spare.popLast() ?? ByteBuffer(capacity: Self.batchSize + 8192)
  }

  // MARK: The writer's thread

  private func write() {
    var isLast = false
    while !isLast {
      let (reopens, closes) = waitForWork()
      // Everything goes through the queue, so that a loop's lines keep their order.
      for buffer in monitor.withLock({ buffers }) { buffer.handOver() }
      let batches = monitor.withLock {
        defer { queue.removeAll(keepingCapacity: true) }
        return queue
      }
      for batch in batches { write(batch) }
      if reopens { reopenOutput() }
      isLast = closes
    }
    monitor.withLock { isFinished = true }
    monitor.broadcast()
  }

  private func waitForWork() -> (reopens: Bool, closes: Bool) {
    monitor.lock()
    defer { monitor.unlock() }
    let deadline = SystemCall.monotonicMilliseconds() + Int64(Self.interval)
    while queue.isEmpty && !reopens && !closes {
      let left = deadline - SystemCall.monotonicMilliseconds()
      if left <= 0 { break }
      monitor.wait(milliseconds: Int(left))
    }
    defer { reopens = false }
    return (reopens, closes)
  }

  private func write(_ batch: LogBatch) {
    let failure = output.write(batch.buffer.bytes) { [self] in
      monitor.withLock { closes }
    }
    let now = SystemCall.wallSeconds()
    if let failure {
      lostInTrouble += batch.lines
      if now >= complaintAfter {
        complaintAfter = now + Self.complaintInterval
        report("access log \(output.name) cannot be written, lines are lost: \(failure)")
      }
    } else if lostInTrouble > 0 {
      report("access log \(output.name) is written again, \(lostInTrouble) lines were lost")
      lostInTrouble = 0
      complaintAfter = 0
    }
    monitor.withLock {
      if failure != nil { lostByWriter += batch.lines }
      if spare.count < 8 && batch.buffer.capacity <= 4 * Self.batchSize {
        batch.buffer.removeAll()
        spare.append(batch.buffer)
      }
    }
  }

  private func reopenOutput() {
    do throws(AccessLogError) {
      try output.reopen()
    } catch {
      report(
        "access log \"\(error.path)\" cannot be opened again: \(error.reason); "
          + "the open file stays in use")
    }
  }
}

/// Lines that were formatted together.
private struct LogBatch {
  let buffer: ByteBuffer
  let lines: UInt64
}

/// One loop's lines on their way to the writer.
///
/// The lock is the loop's alone but once a second, when the writer collects what is there.
package final class LogBuffer: @unchecked Sendable {
  private unowned let log: AccessLog
  private let monitor = Monitor()
  private var buffer: ByteBuffer
  private var lines: UInt64 = 0
  private var lost: UInt64 = 0
  private var writer: AccessLineWriter

  fileprivate init(log: AccessLog, format: LogFormat) {
    self.log = log
    buffer = ByteBuffer(capacity: AccessLog.batchSize + 8192)
    writer = AccessLineWriter(format: format)
  }

  /// Never waits for the target; the line is lost when too many wait already.
  package func append(_ record: borrowing AccessRecord) {
    monitor.lock()
    if buffer.count >= AccessLog.batchSize && !exchange() {
      lost += 1
    } else {
      writer.append(record, to: buffer)
      lines += 1
    }
    monitor.unlock()
  }

  fileprivate func handOver() {
    monitor.withLock {
      if lines > 0 { _ = exchange() }
    }
  }

  private func exchange() -> Bool {
    guard let empty = log.exchange(LogBatch(buffer: buffer, lines: lines)) else { return false }
    buffer = empty
    lines = 0
    return true
  }

  fileprivate var lostLines: UInt64 { monitor.withLock { lost } }
}

/// Where the writer writes.
private struct LogOutput {
  private let target: AccessLog.Target
  private var descriptor: Int32
  /// A pipe or terminal takes bytes when its reader likes; a file takes them or fails.
  private var isStream = false
  /// The last write broke off inside a line.
  private var endsInsideLine = false

  init(_ target: AccessLog.Target) throws(AccessLogError) {
    self.target = target
    switch target {
    case .standardOutput: descriptor = STDOUT_FILENO
    case .file(let path): descriptor = try Self.open(path)
    }
    inspect()
  }

  var name: String {
    switch target {
    case .standardOutput: "on standard output"
    case .file(let path): "\"\(path)\""
    }
  }

  mutating func reopen() throws(AccessLogError) {
    guard case .file(let path) = target else { return }
    let fresh = try Self.open(path)
    close(descriptor)
    descriptor = fresh
    endsInsideLine = false
    inspect()
  }

  private mutating func inspect() {
    var status = stat()
    isStream = fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG
  }

  private static func open(_ path: String) throws(AccessLogError) -> Int32 {
    // Without O_NONBLOCK, opening a named pipe would wait for its reader.
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK
    while true {
      let descriptor = Glibc.open(path, flags, 0o640)
      if descriptor >= 0 { return descriptor }
      if errno == EINTR { continue }
      let reason =
        errno == ENXIO ? "nobody reads the pipe" : SystemCall.errorText(errno)
      throw AccessLogError(path: path, reason: reason)
    }
  }

  /// Writes everything, or says why not. A stream that takes nothing is waited for, until `stops`.
  mutating func write(_ bytes: UnsafeBufferPointer<UInt8>, stops: () -> Bool) -> String? {
    if endsInsideLine {
      // The torn line must not swallow the next one.
      if let failure = writeAll(lineFeed, stops: stops) { return failure }
      endsInsideLine = false
    }
    return writeAll(bytes, stops: stops)
  }

  private mutating func writeAll(
    _ bytes: UnsafeBufferPointer<UInt8>, stops: () -> Bool
  ) -> String? {
    var written = 0
    while written < bytes.count {
      var count = bytes.count - written
      if isStream {
        guard waitUntilWritable(stops) else { return "its reader takes nothing" }
        // A pipe that polls writable takes this much without blocking, shared or not.
        count = min(count, Int(PIPE_BUF))
      }
      let result = Glibc.write(descriptor, bytes.baseAddress! + written, count)
      if result > 0 {
        written += result
      } else if result < 0 && errno != EINTR && errno != EAGAIN {
        let failure = SystemCall.errorText(errno)
        endsInsideLine = written > 0 && bytes[written - 1] != UInt8(ascii: "\n")
        return failure
      }
    }
    return nil
  }

  private func waitUntilWritable(_ stops: () -> Bool) -> Bool {
    while true {
      var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      let ready = poll(&event, 1, 200)
      // Errors and hang-ups come back from the write, with their reason.
      if ready > 0 { return true }
      if ready < 0 && errno != EINTR { return true }
      if stops() { return false }
    }
  }

  private var lineFeed: UnsafeBufferPointer<UInt8> {
    let text: StaticString = "\n"
    return UnsafeBufferPointer(start: text.utf8Start, count: 1)
  }
}
