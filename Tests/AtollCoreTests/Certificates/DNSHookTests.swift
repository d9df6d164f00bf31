// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import AtollCore

struct DNSHookTests {
  private let place = TemporaryDirectory()
  private let reports = Reports()

  private final class Reports: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
  }

  private let record = ChallengeRecord(
    domain: "shop.example", name: DNSName("_acme-challenge.shop.example")!, value: "v'al ue",
    zone: DNSName("shop.example"), primary: DNSName("ns.shop.example"))

  private func hook(_ command: String, limit: Int = 60) -> DNSHook {
    DNSHook(command, limit: limit) { [reports] in reports.add($0) }
  }

  private func failure(_ command: String, limit: Int = 60) -> String? {
    do {
      try hook(command, limit: limit).create([record])
      return nil
    } catch {
      #expect(error.fault == .preparation)
      return error.message
    }
  }

  @Test func `it is told by words and by its environment`() throws {
    let log = place.file("log")
    let script = place.write(
      "hook",
      "#!/bin/sh\nprintf '%s|' \"$#\" \"$@\" \"$ACME_ACTION\" \"$ACME_DOMAIN\" \"$ACME_RECORD\" "
        + "\"$ACME_VALUE\" \"$ACME_ZONE\" \"$ACME_SERVER\" \"$PATH\" >> \(log)\n")
    let hook = hook("sh \(script) 'an argument'")
    try hook.create([record])
    hook.remove([record])
    let path = String(cString: getenv("PATH"))
    let name = "_acme-challenge.shop.example"
    func told(_ action: String) -> String {
      "4|an argument|\(action)|\(name)|v'al ue|\(action)|shop.example|\(name)|v'al ue|"
        + "shop.example|ns.shop.example|\(path)|"
    }
    #expect(readText(log) == told("present") + told("cleanup"))
    #expect(reports.all.isEmpty)
  }

  @Test func `its exit code decides, and what it said is told`() {
    let name = "the DNS hook did not create _acme-challenge.shop.example: "
    #expect(failure("true #") == nil)
    #expect(failure("false #") == name + "exit code 1")
    #expect(
      failure("echo one; echo 'two  ' >&2; exit 7 #") == name + "one; two (exit code 7)")
    #expect(failure("kill -9 $$ #") == name + "ended by signal 9")
    #expect(failure("/nonexistent/hook")?.contains("(exit code 127)") == true)
    hook("echo no; exit 1 #").remove([record])
    #expect(
      reports.all
        == ["the DNS hook did not remove _acme-challenge.shop.example: no (exit code 1)"])
  }

  @Test func `it and all that it started are ended when the time is over`() throws {
    let message = failure("echo $$ > \(place.file("pid")); sleep 600 & sleep 600 #", limit: 1)
    #expect(message?.hasSuffix(": it took more than 1 s") == true)
    let pid = try #require(place.read("pid")?.split(separator: "\n").first.flatMap { pid_t($0) })
    // The group is gone, but for what waits to be reaped.
    var left = kill(-pid, 0) == 0
    for _ in 0..<1_000 where left {
      usleep(5_000)
      left = kill(-pid, 0) == 0
    }
    #expect(!left)
  }

  @Test func `what it leaves running does not hold it up`() {
    // It ends with the test's directory.
    let waiting = "(while test -d \(place.path); do sleep 0.05; done) & exit 0 #"
    #expect(failure(waiting, limit: 30) == nil)
  }
}
