// SPDX-License-Identifier: Apache-2.0
import AtollCore
import TestSupport
import Testing

@testable import atoll

/// `atoll show` tells how each edge sees the targets of the origins.
@Suite struct ShowHealthTests {
  @Test func `a target that fails is shown as ejected by the edge that found out`() throws {
    let origin = ScriptedServer([
      .init("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    ])
    defer { origin.stop() }
    let edge = try RunningEdge([])
    let url = "http://127.0.0.1:\(origin.port)"
    #expect(edge.atoll("create", "shop", "--origin", url).exitCode == 0)
    let target = "default 127.0.0.1:\(origin.port)"
    let before = edge.atoll("show", "shop")
    #expect(before.exitCode == 0)
    #expect(before.stdout.contains("\(target): up\n"), "\(before.stdout)")

    // Five failures in a row; the only target is asked all the same.
    _ = edge.atoll("test", "--count", "6", edge.url + "/a")
    let after = edge.atoll("show", "shop").stdout
    #expect(after.contains("\(target): ejected until 20"), "\(after)")
    #expect(after.contains(": status 503\n"))

    let document = edge.atoll("show", "shop", "--json").stdout
    let node = try JSONReader.read(Array(document.utf8))
    let told = try #require(node["edges"]?.elements?.first)
    #expect(told["addresses"]?.elements?.first?.text == edge.address)
    let targets = try #require(told["origins"]?.elements?.first?["targets"]?.elements)
    #expect(targets.count == 1)
    #expect(targets[0]["state"]?.text == "ejected")
    #expect(targets[0]["failures"]?.unsigned == 6)
    #expect(targets[0]["ejectedUntil"]?.time != nil)
    // It is still the document that the other commands read.
    let applied = edge.atoll("apply", "-", "--exit-code", stdin: document)
    #expect(applied.exitCode == 0, "\(applied.stderr)")
    #expect(edge.atoll("metrics", "--prometheus").stdout.contains("\natoll_target_up{"))
  }

  @Test func `an edge that refuses a revision is not said to serve it`() throws {
    let edge = try RunningEdge([])
    let made = edge.atoll("create", "shop", "--origin", "http://127.0.0.1:9")
    #expect(made.exitCode == 0, "\(made.stderr)")
    #expect(edge.atoll("show", "shop").stdout.contains(": serves this revision\n"))
    // It has no database that could tell countries.
    let changed = edge.atoll("update", "shop", "--geo-block", "KP")
    #expect(changed.stderr.contains("start the edge with --geo-database"), "\(changed.stderr)")
    // A script can tell that the change is not in force.
    #expect(changed.exitCode == 1)
    #expect(changed.stderr.contains("cannot take the change over and keeps revision "))
    let again = edge.atoll("update", "shop", "--default-ttl", "1h", "--json")
    #expect(again.exitCode == 1)
    let told = try JSONReader.read(Array(again.stdout.utf8))
    #expect(told["edges"]?.elements?.first?["confirmed"]?.value == .bool(false))
    // What is served as it is stored is another matter.
    #expect(edge.atoll("create", "other", "--origin", "http://127.0.0.1:9").exitCode == 0)
    let kept = edge.atoll("show", "shop").stdout
    #expect(kept.contains(": keeps revision "), "\(kept)")
    _ = edge.atoll("create", "needy", "--origin", "http://127.0.0.1:9", "--geo-block", "KP")
    let refused = edge.atoll("show", "needy").stdout
    #expect(refused.contains(": does not serve it\n"), "\(refused)")
  }

  @Test func `without an edge the document says that there is none`() throws {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    let node = try JSONReader.read(Array(home.document("shop").utf8))
    #expect(node["edges"]?.elements?.isEmpty == true)
    #expect(node["name"]?.text == "shop")
  }

  @Test func `each state is told with its times and its reason`() {
    func lines(_ target: TargetReport) -> [String] {
      EdgeHealth(
        edge: EdgeRecord(id: "e1", pid: 1, started: 0),
        origins: [OriginHealth(name: "default", targets: [target])]
      ).lines
    }
    var target = TargetReport(address: "a:80", state: .up)
    #expect(lines(target) == ["  default a:80: up"])
    target.connections = 1
    target.lastFailure = "status 500"
    target.lastFailureAt = 1_772_366_400
    let time = "2026-03-01T12:00:00Z"
    #expect(
      lines(target) == [
        "  default a:80: up, 1 request under way, the last failed check at \(time): status 500"
      ])
    target.failures = 2
    target.requests = 9
    #expect(
      lines(target) == [
        "  default a:80: up, 1 request under way, 2 of 9 requests failed, the last at \(time): "
          + "status 500"
      ])
    target.downSince = 1_772_366_400
    target.state = .unhealthy
    #expect(lines(target) == ["  default a:80: unhealthy since \(time): status 500"])
    target.state = .tried
    #expect(lines(target) == ["  default a:80: tried again, down since \(time): status 500"])
    target.state = .ejected
    target.ejectedUntil = 1_772_366_460
    #expect(
      lines(target) == [
        "  default a:80: ejected until 2026-03-01T12:01:00Z, down since \(time): status 500"
      ])
    let silent = EdgeHealth(
      edge: EdgeRecord(id: "e1", pid: 1, started: 0), origins: nil, problem: "no answer in time")
    #expect(silent.lines == ["  its targets are not known: no answer in time"])
  }
}
