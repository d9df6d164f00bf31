// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc
import TestSupport
import Testing

@testable import atoll

/// The binary at a pseudo terminal.
@Suite struct TerminalTests {
  /// What appeared on the terminal, and the exit code.
  private func runOnTerminal(
    _ arguments: [String], env: [String: String], typing keys: String = ""
  ) -> (screen: String, exitCode: Int32)? {
    let python = """
      import os, pty, sys
      keys = sys.argv[1].encode()
      pid, terminal = pty.fork()
      if pid == 0:
        os.execv(sys.argv[2], sys.argv[2:])
      os.write(terminal, keys)
      screen = b""
      while True:
        try:
          data = os.read(terminal, 4096)
        except OSError:
          break
        if not data:
          break
        screen += data
      sys.stdout.write(screen.decode().replace("\\r\\n", "\\n"))
      sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
      """
    guard let program = findProgram("python3") else { return nil }
    let result = RunningAtoll(
      ["-c", python, keys, Binary.path] + arguments, env: env, program: program
    ).wait()
    return (result.stdout, result.exitCode)
  }

  @Test(arguments: [("y\n", Int32(0), true), ("n\n", 1, false), ("\n", 1, false)])
  func `delete asks at a terminal`(keys: String, code: Int32, isGone: Bool) {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    guard
      let result = runOnTerminal(["delete", "shop"], env: home.environment, typing: keys)
    else { return }
    #expect(result.exitCode == code)
    #expect(result.screen.contains("delete the distribution \"shop\"? [y/N] "))
    #expect(home.atoll("list", "-q").stdout.isEmpty == isGone)
  }

  @Test func `color is used at a terminal unless NO_COLOR or dumb forbids`() {
    let color = "\u{1B}["
    func screen(_ env: [String: String], _ arguments: String...) -> String? {
      runOnTerminal(arguments + ["nothing"], env: env)?.screen
    }
    guard let plain = screen(["TERM": "xterm"]) else { return }
    #expect(plain.contains(color))
    #expect(screen(["TERM": "xterm", "NO_COLOR": "1"])?.contains(color) == false)
    #expect(screen(["TERM": "xterm", "NO_COLOR": ""])?.contains(color) == true)
    #expect(screen(["TERM": "dumb"])?.contains(color) == false)
    #expect(screen(["TERM": "xterm"], "--color", "never")?.contains(color) == false)
    #expect(screen(["NO_COLOR": "1"], "--color", "always")?.contains(color) == true)
  }
}
