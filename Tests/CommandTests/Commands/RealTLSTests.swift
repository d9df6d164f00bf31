// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

/// HTTPS as real clients speak it: curl, `openssl s_client`, nghttp and h2load.
@Suite(.timeLimit(.minutes(20)))
struct RealTLSTests {
  private static func has(_ programs: String...) -> Bool {
    programs.allSatisfy { findProgram($0) != nil }
  }

  private func run(_ program: String, _ arguments: [String]) throws -> Finished {
    RunningAtoll(arguments, program: try #require(findProgram(program))).wait()
  }

  /// An edge of the distribution "site", which has the store's own certificate for its domain.
  private final class Site {
    let edge: RunningEdge
    /// Where the root of the store's authority is.
    let authority: String
    private let origin: ScriptedServer

    init(_ options: [String] = [], body: String = "hello") throws {
      origin = ScriptedServer(response("Cache-Control: max-age=600", body: body))
      edge = try RunningEdge(
        ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--access-log", "off"] + options)
      let created = edge.atoll("create", "site", "--origin", "http://127.0.0.1:\(origin.port)")
      #expect(created.exitCode == 0, "\(created.stderr)")
      let root = edge.atoll("cert", "authority", "--quiet")
      #expect(root.exitCode == 0, "\(root.stderr)")
      authority = edge.home.write("authority.pem", root.stdout)
    }

    deinit { origin.stop() }

    var url: String { "https://site.atoll.localhost:\(edge.securePort)" }
  }

  @Test(
    .enabled(if: has("curl")),
    arguments: [
      ("--http2", "--tlsv1.3", "2"), ("--http2", "--tls-max", "2"),
      ("--http1.1", "--tlsv1.3", "1.1"),
      ("--http1.1", "--tls-max", "1.1"),
    ])
  func `curl verifies the chain, and agrees on a protocol`(
    http: String, tls: String, version: String
  ) throws {
    let site = try Site(body: String(repeating: "0123456789", count: 50_000))
    let common =
      ["-sS", "--cacert", site.authority, http, tls] + (tls == "--tls-max" ? ["1.2"] : [])
      + ["--resolve", "site.atoll.localhost:\(site.edge.securePort):127.0.0.1"]
    for part in ["fwd=", "; hit;"] {
      let result = try run(
        "curl",
        common + [
          "-o", "/dev/null", "-w",
          "%{http_version} %{http_code} %{size_download} %{ssl_verify_result} %header{cache-status}",
          site.url + "/page",
        ])
      #expect(result.exitCode == 0, "\(result.stderr)")
      #expect(result.stdout.hasPrefix("\(version) 200 500000 0 ") && result.stdout.contains(part))
    }
    let part = try run("curl", common + ["-r", "10-14", site.url + "/page"])
    #expect(part.stdout == "01234", "\(part.stderr)")
    let misdirected = try run(
      "curl",
      common + [
        "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: other.example", site.url + "/",
      ])
    #expect(misdirected.stdout == "421", "\(misdirected.stderr)")
    // Nobody has told this one about the store's authority.
    let stranger = try run(
      "curl", common.filter { $0 != "--cacert" && $0 != site.authority } + [site.url + "/page"])
    #expect(stranger.exitCode == 60 && stranger.stdout.isEmpty)
  }

  private func connect(_ site: Site, _ arguments: String...) throws -> String {
    let result = try run(
      "openssl",
      [
        "s_client", "-connect", "127.0.0.1:\(site.edge.securePort)", "-CAfile", site.authority,
      ] + arguments)
    return result.stdout + result.stderr
  }

  @Test(.enabled(if: has("openssl")))
  func `s_client agrees, resumes, and is refused by alerts that say why`() throws {
    let site = try Site()
    let name = ["-servername", "site.atoll.localhost"]
    let modern = try connect(site, name[0], name[1], "-alpn", "h2,http/1.1")
    #expect(modern.contains("New, TLSv1.3") && modern.contains("ALPN protocol: h2"))
    #expect(modern.contains("Verification: OK"), "\(modern)")
    let old = try connect(site, name[0], name[1], "-tls1_2", "-reconnect", "-alpn", "http/1.1")
    #expect(old.contains("New, TLSv1.2") && old.contains("ALPN protocol: http/1.1"))
    #expect(
      old.split(separator: "\n").count(where: { $0.hasPrefix("Reused, TLSv1.2") }) == 5, "\(old)")
    let cases = [
      (["-servername", "other.example"], "unrecognized name"),
      (name + ["-alpn", "spdy/3"], "no application protocol"),
      (name + ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "protocol version"),
      (name + ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], "handshake failure"),
      (name + ["-groups", "ffdhe2048"], "handshake failure"),
    ]
    for (arguments, reason) in cases {
      let result = try run(
        "openssl",
        ["s_client", "-connect", "127.0.0.1:\(site.edge.securePort)"] + arguments)
      #expect(result.exitCode == 1 && result.stderr.contains(reason), "\(arguments)")
    }
  }

  @Test(.enabled(if: has("openssl")))
  func `the modern policy refuses TLS 1.2`() throws {
    let site = try Site(["--tls-policy", "modern"])
    let name = "site.atoll.localhost"
    #expect(try connect(site, "-servername", name, "-tls1_2").contains("protocol version"))
    #expect(try connect(site, "-servername", name).contains("New, TLSv1.3"))
  }

  @Test(.enabled(if: has("nghttp")))
  func `nghttp finds no fault`() throws {
    let site = try Site()
    let url = "https://localhost:\(site.edge.securePort)/a"
    let result = try run(
      "nghttp", ["-v", "-n", "-H", ":authority: site.atoll.localhost", url])
    #expect(result.exitCode == 0, "\(result.stderr)")
    #expect(result.stdout.contains(":status: 200") && !result.stdout.contains("[INVALID"))
  }

  @Test(.enabled(if: has("h2load")))
  func `h2load gets every response while certificates and settings change`() throws {
    let site = try Site(body: String(repeating: "x", count: 1_024))
    let edge = site.edge
    let authority = TestAuthority()
    func importNext() throws {
      let next = authority.issue("DNS:www.site.test")
      let result = edge.atoll(
        "cert", "import", "www", "-", "--allow-incomplete", stdin: next.chain + next.key)
      try #require(result.exitCode == 0, "\(result.stderr)")
    }
    try importNext()
    let attached = edge.atoll("domain", "attach", "site", "www.site.test", "--cert", "www")
    try #require(attached.exitCode == 0, "\(attached.stderr)")
    let address = "127.0.0.1:\(edge.securePort)"
    let program = try #require(findProgram("h2load"))
    // One keeps its connections, the other makes new ones all the time.
    let kept = RunningAtoll(
      [
        "-n", "20000", "-c", "8", "-m", "32", "--connect-to", address,
        "https://www.site.test:\(edge.securePort)/page",
      ], program: program)
    for round in 1...4 {
      let fresh = RunningAtoll(
        [
          "-n", "200", "-c", "20", "-m", "4", "--connect-to", address,
          "https://www.site.test:\(edge.securePort)/page",
        ], program: program)
      try importNext()
      #expect(edge.atoll("purge", "site", "--all").exitCode == 0)
      #expect(edge.atoll("update", "site", "--default-ttl", "\(round)h").exitCode == 0)
      let result = fresh.wait()
      #expect(result.stdout.contains("200 succeeded, 0 failed, 0 errored"), "\(result.stdout)")
      #expect(result.stdout.contains("status codes: 200 2xx"))
    }
    let result = kept.wait()
    #expect(result.stdout.contains("20000 succeeded, 0 failed, 0 errored"), "\(result.stdout)")
    #expect(result.stdout.contains("status codes: 20000 2xx"))
    #expect(result.stdout.contains("Application protocol: h2"))
  }

  @Test(.enabled(if: has("curl")))
  func `SIGTERM lets what is under way arrive`() throws {
    let site = try Site(body: String(repeating: "y", count: 4_000_000))
    let curl = try #require(findProgram("curl"))
    let transfers = ["--http2", "--http1.1"].map { http in
      RunningAtoll(
        [
          "-sS", "--cacert", site.authority, http, "--limit-rate", "4M", "-o", "/dev/null", "-w",
          "%{http_code} %{size_download}", "-v", "--resolve",
          "site.atoll.localhost:\(site.edge.securePort):127.0.0.1", site.url + "/page",
        ], program: curl)
    }
    for transfer in transfers {
      try wait(for: "the response to begin; curl said: \(transfer.complained)") {
        transfer.complained.contains(" 200")
      }
    }
    let ended = site.edge.end()
    #expect(ended.exitCode == 0 && ended.stderr.contains("draining"), "\(ended.stderr)")
    for transfer in transfers {
      let result = transfer.wait()
      #expect(result.exitCode == 0 && result.stdout == "200 4000000", "\(result.stderr)")
    }
  }
}
