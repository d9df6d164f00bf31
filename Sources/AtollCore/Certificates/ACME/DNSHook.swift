// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// A command that creates and removes records. It is told what to do by two words and the
/// environment, and says by its exit code whether it has done it.
package struct DNSHook: RecordKeeper {
  /// For a shell.
  private let command: String
  /// Seconds that one call may take.
  private let limit: Int
  /// Told what a removal complained about, which is no reason to fail.
  private let report: @Sendable (String) -> Void

  package init(
    _ command: String, limit: Int = Limits.dnsHookTime,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.command = command
    self.limit = limit
    self.report = report
  }

  package func create(_ records: [ChallengeRecord]) throws(ACMEError) {
    for record in records {
      guard let complaint = run("present", record) else { continue }
      throw ACMEError(
        .preparation, "the DNS hook did not create \(record.name): \(complaint)",
        hint: "run it by hand to see why: \(command) present \(record.name) \(record.value)")
    }
  }

  package func remove(_ records: [ChallengeRecord]) {
    for record in records {
      guard let complaint = run("cleanup", record) else { continue }
      report("the DNS hook did not remove \(record.name): \(complaint)")
    }
  }

  package static func environment(_ action: String, _ record: ChallengeRecord) -> [String: String] {
    var variables = [
      "ACME_ACTION": action, "ACME_DOMAIN": record.domain, "ACME_RECORD": "\(record.name)",
      "ACME_VALUE": record.value,
    ]
    if let zone = record.zone { variables["ACME_ZONE"] = "\(zone)" }
    if let primary = record.primary { variables["ACME_SERVER"] = "\(primary)" }
    return variables
  }

  /// nil when it has done it; else what it said, or how it ended.
  private func run(_ action: String, _ record: ChallengeRecord) -> String? {
    let words = [
      "/bin/sh", "-c", "\(command) \"$@\"", "dns-hook", action, "\(record.name)", record.value,
    ]
    switch Subprocess.run(
      words, environment: Self.environment(action, record), limit: .seconds(limit))
    {
    case .failure(let error): return errorText(error.code)
    case .success(let ended):
      if ended.status == 0 { return nil }
      let said = ended.output.split(whereSeparator: \.isNewline).suffix(3)
        .map { $0.trimmed }.filter { !$0.isEmpty }.joined(separator: "; ")
      let how = ended.wasTooSlow ? "it took more than \(limit) s" : ended.ending
      return said.isEmpty ? how : "\(said) (\(how))"
    }
  }
}

/// A program that is run to its end.
enum Subprocess {
  struct Ended {
    /// As `waitpid` tells it.
    var status: Int32
    /// The beginning of what it printed to both streams.
    var output: String
    var wasTooSlow: Bool

    var ending: String {
      let signal = status & 0x7f
      return signal == 0 ? "exit code \(status >> 8 & 0xff)" : "ended by signal \(signal)"
    }
  }

  struct Failure: Error { var code: Int32 }

  private static let outputLimit = 16_384

  /// In a process group of its own, so that what interrupts this process does not interrupt it, and
  /// so that all of it can be ended. It reads nothing.
  static func run(
    _ words: [String], environment: [String: String], limit: Duration
  ) -> Result<Ended, Failure> {
    let output = csystem_memfd("output")
    guard output >= 0 else { return .failure(Failure(code: errno)) }
    defer { _ = close(output) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Nothing blocked, and nothing ignored, whatever this process does.
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

    let argv = words.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = []
    var next = environ
    while let entry = next.pointee {
      variables.append(strdup(entry))
      next += 1
    }
    // A later one of the same name would lose.
    let added = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") }
    let envp = added + variables + [nil]
    defer { for text in argv + envp { free(text) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, words[0], &actions, &attributes, argv, envp)
    if code != 0 { return .failure(Failure(code: code)) }
    let (status, wasTooSlow) = wait(child, limit)
    return .success(Ended(status: status, output: text(output), wasTooSlow: wasTooSlow))
  }

  /// Kills the whole group when the time is over.
  private static func wait(_ child: pid_t, _ limit: Duration) -> (Int32, Bool) {
    let end = ContinuousClock.now + limit
    var status: Int32 = 0
    while true {
      let result = waitpid(child, &status, WNOHANG)
      if result == child { return (status, false) }
      if result == -1, errno != EINTR { return (-1, false) }
      if ContinuousClock.now >= end { break }
      usleep(5_000)
    }
    kill(-child, SIGKILL)
    while waitpid(child, &status, 0) == -1, errno == EINTR {}
    return (status, true)
  }

  private static func text(_ file: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: outputLimit)
    let count = pread(file, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
  }
}
