// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

private let chromium = findProgram("chromium")
private let certutil = findProgram("certutil")

/// A browser, which believes nothing but what the store's own authority has signed.
@Suite(.enabled(if: chromium != nil && certutil != nil), .timeLimit(.minutes(20)))
struct BrowserTests {
  /// What NSS trusts in this home, which is where Chromium looks.
  private func trust(_ authority: String, in home: TemporaryDirectory) throws {
    let database = home.file(".pki/nssdb")
    mkdir(home.file(".pki"), 0o700)
    mkdir(database, 0o700)
    for arguments in [
      ["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "atoll", "-i", authority],
    ] {
      let result = RunningAtoll(
        ["-d", "sql:\(database)"] + arguments, env: ["HOME": home.path],
        program: try #require(certutil)
      ).wait()
      try #require(result.exitCode == 0, "\(result.stderr)")
    }
  }

  /// The page after its scripts have run.
  private func load(_ url: String, home: TemporaryDirectory) throws -> Finished {
    let arguments = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
      "--disable-background-networking", "--no-first-run", "--no-proxy-server",
      "--user-data-dir=\(home.file("profile"))", "--virtual-time-budget=5000", "--dump-dom", url,
    ]
    func once() throws -> Finished {
      RunningAtoll(
        ["--kill-after=5", "40", try #require(chromium)] + arguments, env: ["HOME": home.path],
        program: try #require(findProgram("timeout"))
      ).wait()
    }
    // On a busy machine Chromium itself may never come to the page.
    let page = try once()
    return page.exitCode == 124 || page.exitCode == 137 ? try once() : page
  }

  @Test func `Chromium that trusts the local authority loads a page over HTTP/2`() throws {
    let origin = ScriptedServer(
      response(
        "Content-Type: text/html", "Cache-Control: max-age=60",
        body: """
          <!doctype html><title>An atoll</title><script>document.title += ' over ' + \
          performance.getEntriesByType('navigation')[0].nextHopProtocol</script>
          """))
    defer { origin.stop() }
    let edge = try RunningEdge(
      ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--access-log", "off"])
    try #require(
      edge.atoll("create", "site", "--origin", "http://127.0.0.1:\(origin.port)").exitCode == 0)
    let root = edge.atoll("cert", "authority", "--quiet")
    try #require(root.exitCode == 0, "\(root.stderr)")
    let url = "https://site.atoll.localhost:\(edge.securePort)/"
    let stranger = TemporaryDirectory()
    let refused = try load(url, home: stranger)
    #expect(!refused.stdout.contains("An atoll over"), "\(refused.stdout)")
    let home = TemporaryDirectory()
    try trust(home.write("authority.pem", root.stdout), in: home)
    let page = try load(url, home: home)
    #expect(page.stdout.contains("<title>An atoll over h2</title>"), "\(page.stdout)\(page.stderr)")
  }
}
