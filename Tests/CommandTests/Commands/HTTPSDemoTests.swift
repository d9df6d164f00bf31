// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// What the README promises of HTTPS, with a real ACME server and a real client.
@Suite(
  .enabled(if: Pebble.isInstalled && RealOrigin.hasPython && findProgram("curl") != nil),
  .timeLimit(.minutes(20)))
struct HTTPSDemoTests {
  private static let root =
    #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
  private static let script = "\(root)/Tests/Demo/https"

  @Test func `the script of the README gets a page over HTTP2 with a verified chain`() throws {
    let pebble = try Pebble()
    let origin = try RealOrigin.python()
    origin.site.write("index.html", "<h1>Open</h1>\n")
    let place = TemporaryDirectory()
    let path = String(cString: getenv("PATH"))
    let binaries = Binary.path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    let result = RunningAtoll(
      ["-e", Self.script],
      env: [
        "ATOLL_HOME": place.file("store"), "PATH": "\(binaries):\(path)", "ORIGIN": origin.url,
        "ACME": pebble.url, "ACME_CA": pebble.trust,
        "ACME_OPTIONS": pebble.options.dropFirst(4).joined(separator: " "),
        "ROOTS": place.write("roots.pem", try pebble.ask("/roots/0")),
        "PORT": "\(try #require(freePort()))",
      ], program: "/bin/sh"
    ).wait()
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stdout.hasSuffix("<h1>Open</h1>\nHTTP/2 200\n"), "\(result.stdout)")
  }

  @Test func `it stands in the README, in less than ten lines`() throws {
    let lines = try #require(readText(Self.script)).split(separator: "\n")
      .filter { !$0.hasPrefix("#") }
    #expect(lines.count < 10)
    let readme = try #require(readText("\(Self.root)/README.md"))
    #expect(readme.contains(lines.joined(separator: "\n")))
  }

  @Test func `a running edge answers tls-alpn-01`() throws {
    let pebble = try Pebble()
    let edge = try RunningEdge([
      "--http", "127.0.0.1:0", "--https", "127.0.0.1:\(pebble.ports.tls)",
    ])
    let result = runAtoll(
      [
        "cert", "ensure", "shop", "--domain", "shop.example,www.shop.example", "--challenge",
        "tls-alpn-01", "--validation-port", "\(pebble.ports.tls)",
      ] + pebble.directoryOptions, env: ["ATOLL_HOME": edge.home.path + "/store"])
    #expect(result.exitCode == 0, "\(result.stderr)\(edge.process.complained)\(pebble.log)")
    #expect(result.stdout.hasPrefix("obtained \"shop\" for shop.example and www.shop.example: "))
    #expect(edge.end().exitCode == 0)
  }
}
