// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport

/// The built binary as an edge in a process of its own, for what must be measured apart from the
/// tests: its memory, its descriptors.
final class EdgeProcess: Sendable {
  let port: UInt16
  private let process: RunningAtoll
  private let home: TemporaryDirectory

  /// - Parameter descriptors: how many it may open; without it as many as this process.
  init(_ origin: ScriptedOrigin, descriptors: Int? = nil, _ arguments: String...) throws {
    var program = Binary.path
    var words = ["serve", origin.url, "--http", "127.0.0.1:0", "--access-log", "off"] + arguments
    if let descriptors {
      words = ["-c", "ulimit -n \(descriptors); exec \"$@\"", "sh", program] + words
      program = "/bin/sh"
    }
    let home = TemporaryDirectory()
    self.home = home
    let process = RunningAtoll(words, env: ["ATOLL_HOME": home.file("store")], program: program)
    self.process = process
    var found: UInt16?
    _ = eventually(seconds: 60) {
      // A line that is not finished yet names half a port.
      let lines = process.complained.split(separator: "\n", omittingEmptySubsequences: false)
      found = lines.dropLast().first { $0.contains(" listening ") }
        .flatMap { $0.split(separator: ":").last }.flatMap { UInt16($0) }
      return found != nil
    }
    guard let found else {
      Self.end(process)
      throw WireError.closed
    }
    port = found
  }

  deinit { Self.end(process) }

  func viewer(receiveBuffer: Int32? = nil) throws -> ScriptedViewer {
    try ScriptedViewer(port: port, receiveBuffer: receiveBuffer)
  }

  func get(_ target: String) throws -> ViewerResponse { try viewer().get(target) }

  /// Bytes of the process that are in memory now.
  var residentBytes: Int { TestSupport.residentBytes(of: process.pid) }

  private static func end(_ process: RunningAtoll) {
    kill(process.pid, SIGKILL)
    _ = process.wait()
  }
}
