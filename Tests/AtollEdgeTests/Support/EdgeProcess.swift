// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// The built binary as an edge in a process of its own, for what must be measured apart from the
/// tests: its memory, its descriptors.
final class EdgeProcess: @unchecked Sendable {
  let port: UInt16
  private let process: pid_t
  private let home: String
  private let standardError: Wire

  /// - Parameter descriptors: how many it may open; without it as many as this process.
  init(_ origin: ScriptedOrigin, descriptors: Int? = nil, _ arguments: String...) throws {
    home = "/tmp/atoll-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    var ends: [Int32] = [0, 0]
    guard
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else { throw WireError.system(errno) }
    standardError = Wire(descriptor: ends[0])
    var command = [
      Self.binary, "serve", origin.url, "--http", "127.0.0.1:0", "--access-log", "off",
    ]
    command += arguments
    if let descriptors {
      command = ["/bin/sh", "-c", "ulimit -n \(descriptors); exec \"$@\"", "sh"] + command
    }
    process = try Self.spawn(command, environment: ["ATOLL_HOME=\(home)"], errors: ends[1])
    Glibc.close(ends[1])
    var found: UInt16?
    while found == nil, let line = try standardError.readLine() {
      let words = String(decoding: line.dropLast(), as: UTF8.self).split(separator: " ")
      if words.contains("listening") {
        found = words.last?.split(separator: ":").last.flatMap { UInt16($0) }
      }
    }
    guard let found else {
      Self.end(process)
      throw WireError.closed
    }
    port = found
  }

  deinit {
    Self.end(process)
    rmdir(home)
  }

  func viewer(receiveBuffer: Int32? = nil) throws -> ScriptedViewer {
    try ScriptedViewer(port: port, receiveBuffer: receiveBuffer)
  }

  func get(_ target: String) throws -> ViewerResponse { try viewer().get(target) }

  /// Bytes of the process that are in memory now.
  var residentBytes: Int {
    let descriptor = open("/proc/\(process)/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    var text = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &text, text.count)
    let fields = String(decoding: text.prefix(max(count, 0)), as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }

  /// Beside the test runner's own, in the build directory.
  private static var binary: String {
    if let given = getenv("ATOLL_BINARY") { return String(cString: given) }
    var path = [UInt8](repeating: 0, count: 4096)
    let count = path.withUnsafeMutableBytes {
      readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    let own = String(decoding: path.prefix(max(count, 0)), as: UTF8.self)
    return own.prefix(upTo: own.lastIndex(of: "/") ?? own.endIndex) + "/atoll"
  }

  private static func spawn(_ command: [String], environment: [String], errors: Int32) throws
    -> pid_t
  {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    let arguments = command.map { strdup($0) } + [nil]
    let variables = environment.map { strdup($0) } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var process: pid_t = 0
    let error = posix_spawn(&process, command[0], &actions, nil, arguments, variables)
    guard error == 0 else { throw WireError.system(error) }
    return process
  }

  private static func end(_ process: pid_t) {
    kill(process, SIGKILL)
    while waitpid(process, nil, 0) == -1 && errno == EINTR {}
  }
}
