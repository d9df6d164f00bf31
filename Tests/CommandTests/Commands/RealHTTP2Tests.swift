// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

/// HTTP/2 as real clients speak it: curl, nghttp and h2load.
@Suite(.timeLimit(.minutes(20)))
struct RealHTTP2Tests {
  private func run(_ program: String, _ arguments: String...) throws -> Finished {
    RunningAtoll(arguments, program: try #require(findProgram(program))).wait()
  }

  private static func has(_ programs: String...) -> Bool {
    RealOrigin.hasNginx && programs.allSatisfy { findProgram($0) != nil }
  }

  private func makeEdge(_ origin: RealOrigin) throws -> RunningEdge {
    let edge = try RunningEdge(["--default-distribution", "site"])
    #expect(edge.atoll("create", "site", "--origin", origin.url).exitCode == 0)
    return edge
  }

  @Test(.enabled(if: has("curl")))
  func `curl gets a page, and posts one`() throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    origin.site.write("page.html", String(repeating: "0123456789", count: 50_000))
    let edge = try makeEdge(origin)
    for expected in ["miss", "hit"] {
      let result = try run(
        "curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w",
        "%{http_version} %{http_code} %{size_download} %header{cache-status}",
        edge.url + "/page.html")
      #expect(result.exitCode == 0, "\(result.stderr)")
      #expect(result.stdout.hasPrefix("2 200 500000 "))
      #expect(result.stdout.contains(expected == "hit" ? "; hit;" : "fwd="))
    }
    // nginx takes the request, and says that a file takes none.
    let posted = try run(
      "curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_code}",
      "--data", "a=b", edge.url + "/page.html")
    #expect(posted.stdout == "405", "\(posted.stderr)")
  }

  @Test(.enabled(if: has("nghttp")))
  func `nghttp finds no fault`() throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    origin.site.write("page.html", "hello")
    let edge = try makeEdge(origin)
    let result = try run("nghttp", "-v", "-n", edge.url + "/page.html", edge.url + "/none")
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stdout.contains(":status: 200") && result.stdout.contains(":status: 404"))
    #expect(!result.stdout.contains("RST_STREAM") && !result.stdout.contains("[INVALID"))
  }

  @Test(.enabled(if: has("curl", "h2load")))
  func `h2load gets every response`() throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    origin.site.write("page.html", String(repeating: "x", count: 1_024))
    let edge = try makeEdge(origin)
    _ = try run("curl", "-sS", "-o", "/dev/null", edge.url + "/page.html")
    let result = try run(
      "h2load", "-n", "20000", "-c", "8", "-m", "100", edge.url + "/page.html")
    #expect(
      result.stdout.contains("20000 done, 20000 succeeded, 0 failed, 0 errored"),
      "\(result.stdout)")
    let metrics = edge.atoll("metrics", "--json")
    #expect(metrics.stdout.contains("\"http2\""))
  }
}
