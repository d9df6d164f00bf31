// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

/// Trailers of nginx, as curl sees them through the edge.
@Suite(.timeLimit(.minutes(20)))
struct RealTrailerTests {
  private static let hasTools = RealOrigin.hasNginx && findProgram("curl") != nil

  private func curl(_ arguments: String...) throws -> String {
    let program = try #require(findProgram("curl"))
    let result = RunningAtoll(
      ["-sS", "-D", "-", "-o", "/dev/null"] + arguments, program: program
    ).wait()
    #expect(result.exitCode == 0, "\(result.stderr)")
    return result.stdout.lowercased()
  }

  @Test(.enabled(if: hasTools), arguments: ["--http1.1", "--http2-prior-knowledge"])
  func `nginx's trailers reach curl`(version: String) throws {
    let origin = try RealOrigin.nginx(
      "add_trailer X-Sum $status; add_trailer Set-Cookie a=b; expires 1h;")
    origin.site.write("page.html", String(repeating: "0123456789", count: 20_000))
    let edge = try RunningEdge(["--default-distribution", "site"])
    #expect(edge.atoll("create", "site", "--origin", origin.url).exitCode == 0)
    let miss = try curl(version, "-H", "TE: trailers", edge.url + "/page.html")
    let parts = miss.split(separator: "\r\n\r\n")
    #expect(parts.count == 2 && parts[0].contains(" 200") && !parts[0].contains("x-sum"))
    #expect(parts.last?.split(separator: "\r\n") == ["x-sum: 200"])
    let hit = try curl(version, "-H", "TE: trailers", edge.url + "/page.html")
    #expect(hit.contains("; hit;") && !hit.contains("x-sum"))
    let other = try curl(version, edge.url + "/page.html?other")
    #expect(!other.contains("x-sum") && !other.contains("set-cookie"))
  }
}
