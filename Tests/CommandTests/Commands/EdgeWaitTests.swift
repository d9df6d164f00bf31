// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// An edge that registers itself and confirms when it is told to.
private final class StandInEdge: Sendable {
  private let store: DirectoryStore
  private let registration: EdgeRegistration
  private let id: String
  private let first: UInt64

  init(_ home: Home, id: String = "edge-1") throws {
    store = DirectoryStore(home: home.environment["ATOLL_HOME"]!)
    self.id = id
    registration = try EdgeRegistry(store).register(Self.record(id, revision: 0))
    first = try store.revision()
  }

  private static func record(
    _ id: String, revision: UInt64, problems: [String] = [],
    refused: [RefusedDocument] = []
  ) -> EdgeRecord {
    EdgeRecord(
      id: id, pid: getpid(), started: 0, addresses: ["127.0.0.1:8080"], revision: revision,
      problems: problems, refusedCertificates: refused)
  }

  /// Says that everything written so far is applied.
  func confirm(problems: [String] = [], refused: [RefusedDocument] = []) throws {
    try registration.update(
      Self.record(id, revision: store.revision(), problems: problems, refused: refused))
  }

  /// Until something has been written since this edge began.
  func waitForWrite() throws {
    while try store.revision() == first { usleep(2_000) }
  }
}

@Suite struct EdgeWaitTests {
  private let create = ["create", "shop", "--origin", "http://localhost:3000"]

  @Test func `a certificate returns when the edge has confirmed it`() throws {
    let home = Home()
    home.atoll("cert", "authority")
    let edge = try StandInEdge(home)
    let command = RunningAtoll(
      ["cert", "create", "shop", "--local", "-d", "shop.test", "--json"], env: home.environment)
    try edge.waitForWrite()
    usleep(150_000)
    #expect(waitpid(command.pid, nil, WNOHANG) == 0, "it did not wait")
    try edge.confirm()
    let result = command.wait()
    #expect(result.exitCode == 0)
    #expect(result.stdout.contains("\"confirmed\": true"))
    let late = home.atoll("cert", "delete", "shop", "--yes", "--timeout", "0s")
    #expect(late.exitCode == 4)
    #expect(late.stderr.contains("edge \"edge-1\""))
    #expect(
      home.atoll("cert", "create", "shop", "--local", "-d", "shop.test", "--no-wait").exitCode == 0)
  }

  @Test func `a certificate that an edge cannot show fails the command`() throws {
    let home = Home()
    home.atoll("cert", "authority")
    let edge = try StandInEdge(home)
    let command = RunningAtoll(
      ["cert", "create", "shop", "--local", "-d", "shop.test", "--json"], env: home.environment)
    try edge.waitForWrite()
    try edge.confirm(
      problems: ["certificate \"shop\": it is odd; it is not shown"],
      refused: [RefusedDocument(name: "shop")])
    let result = command.wait()
    #expect(result.exitCode == 1)
    #expect(result.stdout.contains("\"confirmed\": false"))
    #expect(result.stderr.contains("certificate \"shop\": it is odd"))
    #expect(result.stderr.contains("cannot take the change over and does not show it"))
    // Another's trouble is not this command's.
    let store = DirectoryStore(home: home.environment["ATOLL_HOME"]!)
    let revision = try store.revision()
    let other = RunningAtoll(
      ["cert", "create", "other", "--local", "-d", "other.test"], env: home.environment)
    while try store.revision() == revision { usleep(2_000) }
    try edge.confirm(refused: [RefusedDocument(name: "shop")])
    #expect(other.wait().exitCode == 0)
  }

  @Test func `a change returns when the edge has confirmed it`() throws {
    let home = Home()
    let edge = try StandInEdge(home)
    let command = RunningAtoll(create + ["--json"], env: home.environment)
    try edge.waitForWrite()
    usleep(150_000)
    #expect(waitpid(command.pid, nil, WNOHANG) == 0, "it did not wait")
    #expect(command.printed.isEmpty)
    try edge.confirm()
    let result = command.wait()
    #expect(result.exitCode == 0)
    #expect(result.stdout.contains("\"id\": \"edge-1\""))
    #expect(result.stdout.contains("\"confirmed\": true"))
    #expect(result.stderr.isEmpty)
  }

  @Test func `an edge that stays silent is named and the exit code is 4`() throws {
    let home = Home()
    let prompt = try StandInEdge(home, id: "prompt")
    let silent = try StandInEdge(home, id: "silent")
    let command = RunningAtoll(create + ["--timeout", "1s"], env: home.environment)
    try prompt.waitForWrite()
    try prompt.confirm()
    let result = command.wait()
    #expect(result.exitCode == 4)
    #expect(result.stdout.hasPrefix("created \"shop\"\n"))
    #expect(
      result.stderr == """
        atoll: error: edge "silent" (process \(getpid())) has not confirmed the change within 1s
        atoll: hint: the change is stored; look at that edge's log, or wait longer with --timeout

        """)
    withExtendedLifetime(silent) {}
    #expect(home.atoll("list", "-q").stdout == "shop\n")
  }

  @Test func `json tells which edge has not confirmed`() throws {
    let home = Home()
    let edge = try StandInEdge(home)
    let result = home.run(create + ["--timeout", "0", "--json"])
    #expect(result.exitCode == 4)
    #expect(result.stdout.contains("\"confirmed\": false"))
    withExtendedLifetime(edge) {}
  }

  @Test func `no-wait does not wait`() throws {
    let home = Home()
    let edge = try StandInEdge(home)
    for arguments in [
      create + ["--no-wait"], ["update", "shop", "--disabled", "--no-wait"],
      ["delete", "shop", "--yes", "--no-wait"],
    ] {
      let result = home.run(arguments)
      #expect(result.exitCode == 0)
      #expect(result.stderr.isEmpty)
    }
    withExtendedLifetime(edge) {}
  }

  @Test func `every change waits and an unchanged one does not`() throws {
    let home = Home()
    home.run(create)
    let edge = try StandInEdge(home)
    let document = home.document("shop")
    #expect(home.run(["update", "shop", "--enabled", "--timeout", "0"]).exitCode == 0)
    #expect(home.run(["apply", "-", "--timeout", "0"], stdin: document).exitCode == 0)
    #expect(home.run(["update", "shop", "--disabled", "--timeout", "0"]).exitCode == 4)
    #expect(home.run(["apply", "-", "--timeout", "0"], stdin: document).exitCode == 4)
    #expect(home.run(["delete", "shop", "--yes", "--timeout", "0"]).exitCode == 4)
    withExtendedLifetime(edge) {}
  }

  @Test func `problems of an edge are shown`() throws {
    let home = Home()
    home.run(create)
    let edge = try StandInEdge(home)
    let before = home.atoll("show", "shop")
    #expect(
      before.stdout.hasSuffix(
        "Edges             edge-1 on 127.0.0.1:8080: still serves revision 0 of the store\n"))
    try edge.confirm(problems: ["shop.json: origin: no such host"])
    let shown = home.atoll("show", "shop")
    #expect(shown.exitCode == 0)
    #expect(
      shown.stdout.hasSuffix("Edges             edge-1 on 127.0.0.1:8080: serves this revision\n"))
    #expect(
      shown.stderr == "atoll: warning: edge \"edge-1\": shop.json: origin: no such host\n")
    withExtendedLifetime(edge) {}
  }

  @Test func `an interrupt ends the wait with 130 and the change stays`() throws {
    let home = Home()
    let edge = try StandInEdge(home)
    let command = RunningAtoll(create, env: home.environment)
    try edge.waitForWrite()
    usleep(50_000)
    kill(command.pid, SIGINT)
    #expect(command.wait().exitCode == 130)
    #expect(home.atoll("list", "-q").stdout == "shop\n")
  }
}
