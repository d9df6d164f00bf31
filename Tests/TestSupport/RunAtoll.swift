// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// What a finished process left behind.
package struct Finished: Sendable {
  package let stdout: String
  package let stderr: String
  /// 128 and the signal's number when a signal ended it, as shells tell it.
  package let exitCode: Int32
}

/// The built binary, as a user runs it.
package enum Binary {
  /// Beside the test runner's own, in the build directory.
  package static let path: String = {
    if let given = getenv("ATOLL_BINARY") { return String(cString: given) }
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(
      decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let directory = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? "."
    return directory + "/atoll"
  }()
}

/// Runs atoll to its end. The environment is `env` and nothing else, `PATH` excepted.
package func runAtoll(
  _ arguments: [String], env: [String: String] = [:], stdin: String = ""
) -> Finished {
  RunningAtoll(arguments, env: env, stdin: stdin).wait()
}

/// A process of the built binary whose streams go to unlinked files in memory.
package final class RunningAtoll: Sendable {
  package let pid: pid_t
  private let input: Int32
  private let output: Int32
  private let errors: Int32

  package init(
    _ arguments: [String], env: [String: String] = [:], stdin: String = "",
    program: String = Binary.path
  ) {
    let input = csystem_memfd("stdin")
    self.input = input
    output = csystem_memfd("stdout")
    errors = csystem_memfd("stderr")
    var bytes = stdin
    bytes.withUTF8 { _ = write(input, $0.baseAddress, $0.count) }
    lseek(input, 0, SEEK_SET)

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)
    defer { posix_spawn_file_actions_destroy(&actions) }

    var variables = ["PATH": String(cString: getenv("PATH")), "HOME": "/nonexistent"]
    variables.merge(env) { $1 }
    let argv = ([program] + arguments).map { strdup($0) } + [nil]
    let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (argv + envp).forEach { free($0) } }

    // A test runner blocks or ignores signals that a shell would not.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var usual = sigset_t()
    sigemptyset(&usual)
    for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP] { sigaddset(&usual, signal) }
    posix_spawnattr_setsigdefault(&attributes, &usual)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var child: pid_t = 0
    let error = posix_spawn(&child, program, &actions, &attributes, argv, envp)
    precondition(error == 0, "cannot run \(program): \(String(cString: strerror(error)))")
    pid = child
  }

  deinit {
    close(input)
    close(output)
    close(errors)
  }

  package func wait() -> Finished {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1, errno == EINTR {}
    let signal = status & 0x7F
    return Finished(
      stdout: contents(output), stderr: contents(errors),
      exitCode: signal == 0 ? (status >> 8) & 0xFF : 128 + signal)
  }

  /// What it has printed to stdout until now.
  package var printed: String { contents(output) }
  /// What it has printed to stderr until now.
  package var complained: String { contents(errors) }

  private func contents(_ descriptor: Int32) -> String {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    var bytes = [UInt8](repeating: 0, count: max(0, size))
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}

/// nil where it is not installed.
package func findProgram(_ name: String) -> String? {
  ["/usr/bin/", "/bin/", "/usr/local/bin/"].map { $0 + name }.first { access($0, X_OK) == 0 }
}
