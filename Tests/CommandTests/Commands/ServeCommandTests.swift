// SPDX-License-Identifier: Apache-2.0
import AtollEdge
import Glibc
import TestSupport
import Testing

@testable import atoll

@Suite struct ServeCommandTests {
  @Test func `an edge of one URL is not said to serve what is in the store`() throws {
    let edge = try RunningEdge(["http://127.0.0.1:9"])
    let created = edge.atoll("create", "shop", "--origin", "http://localhost:3000")
    #expect(created.exitCode == 0)
    #expect(
      created.stderr == "atoll: no edge serves the store; atoll serve without a URL starts one\n")
    let shown = edge.atoll("show", "shop")
    #expect(shown.stdout.hasSuffix(" serves the URL of its command line alone\n"))
  }

  @Test(.enabled(if: RealOrigin.hasPython))
  func `an origin URL is all the set-up there is`() throws {
    let origin = try RealOrigin.python()
    origin.site.write("a.txt", "hello\n")
    let edge = try RunningEdge([origin.url, "--preset", "static"])
    let first = edge.atoll("test", edge.url + "/a.txt", "--expect", "hit", "--expect-ttl", ">=23h")
    #expect(first.exitCode == 0, "\(first.stderr)")
    #expect(first.stdout.contains("miss, stored"))
    #expect(origin.log.split(separator: "\n").filter { $0.contains("GET /a.txt") }.count == 1)

    let ended = edge.end()
    #expect(ended.exitCode == 0)
    #expect(ended.stdout.split(separator: "\n").count == 2)
    #expect(ended.stdout.contains("\"GET /a.txt HTTP/1.1\" 200 6 "))
    #expect(ended.stderr.contains("atoll: listening on 127.0.0.1:"))
  }

  @Test(.enabled(if: RealOrigin.hasNginx))
  func `a real nginx is cached as its headers say`() throws {
    let origin = try RealOrigin.nginx("expires 1h;")
    origin.site.write("a.txt", "hello\n")
    let edge = try RunningEdge([origin.url])
    let result = edge.atoll(
      "test", edge.url + "/a.txt", "--expect", "hit", "--expect-ttl", ">=59m", "--expect-header",
      "etag: \"*\"", "--expect-header", "via: * atoll")
    #expect(result.exitCode == 0, "\(result.stderr)")
  }

  @Test(.enabled(if: RealOrigin.hasNginx))
  func `a real nginx confirms what is stored`() throws {
    let origin = try RealOrigin.nginx("add_header Cache-Control no-cache;")
    origin.site.write("a.txt", "hello\n")
    let edge = try RunningEdge([origin.url])
    let result = edge.atoll("test", edge.url + "/a.txt", "--expect", "revalidated")
    #expect(result.exitCode == 0, "\(result.stdout)\(result.stderr)")
  }

  @Test func `every distribution of the store is served under its names`() throws {
    let one = ScriptedServer(response("Cache-Control: max-age=60", body: "one"))
    let two = ScriptedServer(response("Cache-Control: no-store", body: "two"))
    defer {
      one.stop()
      two.stop()
    }
    let edge = try RunningEdge(["--default-distribution", "two"])
    #expect(edge.verdict("/", host: "one.atoll.localhost").hasPrefix("421 error"))
    for (name, server) in [("one", one), ("two", two)] {
      let made = edge.atoll("create", name, "--origin", "http://127.0.0.1:\(server.port)")
      #expect(made.exitCode == 0, "\(made.stderr)")
    }
    #expect(edge.verdict("/", host: "one.atoll.localhost") == "200 miss, stored")
    #expect(edge.verdict("/", host: "one.atoll.localhost") == "200 hit")
    #expect(edge.verdict("/", host: "two.atoll.localhost").contains("response-no-store"))
    #expect(edge.verdict("/", host: "www.example.com").contains("response-no-store"))
    #expect(two.requests.count == 2)
    #expect(edge.atoll("update", "one", "--disabled").exitCode == 0)
    #expect(edge.verdict("/", host: "one.atoll.localhost").contains("distribution-disabled"))
  }

  @Test func `a GeoIP database is opened before anything is served`() throws {
    let directory = TemporaryDirectory()
    var file = GeoDatabaseFile()
    file.add("127.0.0.0/8", .country("DE"))
    let path = file.write(to: directory.file("geo.mmdb"))
    let server = ScriptedServer(response("Cache-Control: max-age=60", body: "one"))
    defer { server.stop() }
    let edge = try RunningEdge(["http://127.0.0.1:\(server.port)", "--geo-database", path])
    #expect(edge.verdict("/") == "200 miss, stored")

    for (name, reason) in [
      ("missing.mmdb", "no such file or directory"),
      ("text.mmdb", "it is no database in MaxMind's format"),
    ] {
      directory.write("text.mmdb", "no database\n")
      let result = runAtoll(
        ["serve", "http://127.0.0.1:9", "--http", "127.0.0.1:0"],
        env: [
          "ATOLL_HOME": directory.file("store"), "ATOLL_GEO_DATABASE": directory.file(name),
        ])
      #expect(result.exitCode == 2)
      #expect(
        result.stderr.contains(
          "cannot use the GeoIP database \"\(directory.file(name))\": \(reason)\n"))
      #expect(result.stderr.contains("with --geo-database"))
    }
  }

  @Test func `an empty store is served, with a way on`() throws {
    let edge = try RunningEdge([])
    #expect(edge.verdict("/").hasPrefix("421 error"))
    let ended = edge.end()
    #expect(ended.exitCode == 0)
    #expect(ended.stderr.contains("no distribution to serve yet"))
    #expect(ended.stderr.contains("atoll create <name> --origin <url>"))
  }

  @Test func `several addresses are listened on, Unix sockets among them`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=60"))
    defer { origin.stop() }
    let home = TemporaryDirectory()
    let socket = "unix:\(home.path)/edge.sock"
    let edge = try RunningEdge(
      ["http://127.0.0.1:\(origin.port)", "--http", "127.0.0.1:0", "--http", socket], home: home)
    #expect(edge.verdict("/") == "200 miss, stored")
    let result = runAtoll(
      ["test", "--count", "1", "--expect", "hit", "--connect-to", socket, edge.url + "/"])
    #expect(result.exitCode == 0, "\(result.stderr)")
    let ended = edge.end()
    #expect(ended.stderr.contains("atoll: listening on \(socket)\n"))
    #expect(access("\(home.path)/edge.sock", F_OK) != 0, "its socket is left behind")
  }

  @Test(arguments: [
    (
      ["--https", "127.0.0.1:8443", "--http", "127.0.0.1:8443"],
      "--http 127.0.0.1:8443 and --https 127.0.0.1:8443 name the same address"
    ),
    (["--http", "8080", "--http", ":8080"], "--http 8080 is given twice"),
    (
      ["--http", "8080", "--http", "127.0.0.1:8080"],
      "--http 8080 and --http 127.0.0.1:8080 name the same address"
    ),
    (
      ["--http", "[::1]:8080", "--https", "[::]:8080"],
      "--http [::1]:8080 and --https [::]:8080 name the same address"
    ),
    (
      ["--http", "127.0.0.2:8080", "--https", "0.0.0.0:8080"],
      "--http 127.0.0.2:8080 and --https 0.0.0.0:8080 name the same address"
    ),
    (["--https", "unix:/e", "--https", "unix:/e"], "--https unix:/e is given twice"),
  ])
  func `one address for two listeners is a usage error`(words: [String], message: String) {
    let finished = runAtoll(["serve", "http://127.0.0.1:9"] + words)
    #expect(finished.exitCode == 2)
    let hint =
      message.hasSuffix("twice") ? "leave one of them out" : "give each of them a port of its own"
    #expect(finished.stderr == "atoll: error: \(message)\natoll: hint: \(hint)\n")
  }

  @Test func `addresses that differ are not mistaken for one`() throws {
    let listeners = [
      "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:8080", "127.0.0.2:8080", "[::1]:8080", "8081",
      "127.0.0.1:8082", "unix:/a", "unix:/b",
    ].compactMap { try? ListenAddress(parsing: $0) }
    #expect(listeners.count == 9)
    for (index, one) in listeners.enumerated() {
      for other in listeners[(index + 1)...] {
        #expect(!one.overlaps(other) && !other.overlaps(one), "\(one.text) and \(other.text)")
      }
    }
    let any = try ListenAddress(parsing: "0.0.0.0:8080")
    #expect(listeners.map { any.overlaps($0) }.filter(\.self).count == 2)
  }

  @Test func `an address in use is named`() {
    let other = ScriptedServer("")
    defer { other.stop() }
    let home = TemporaryDirectory()
    let result = runAtoll(
      ["serve", "http://127.0.0.1:1", "--http", "127.0.0.1:\(other.port)"],
      env: ["ATOLL_HOME": home.path])
    #expect(result.exitCode == 1)
    #expect(result.stdout.isEmpty)
    #expect(
      result.stderr == """
        atoll: error: address 127.0.0.1:\(other.port) is in use
        atoll: hint: stop the process that listens there, or choose another with --http or --https

        """)
  }

  @Test(arguments: [
    (["--http", "nowhere"], "--http: \"nowhere\" is no address to listen on"),
    (["--memory", "1K"], "--memory: \"1K\" is out of range"),
    (["--preset", "static"], "--preset needs an origin URL to serve"),
    (["--name", "a"], "--name needs an origin URL to serve"),
    (["https://127.0.0.1", "--origin-ca", "/no/ca.pem"], "--origin-ca: the file \"/no/ca.pem\""),
    (["ftp://127.0.0.1"], "ftp"),
    (["http://127.0.0.1", "--default-distribution", "a"], "--default-distribution makes no sense"),
    (["http://127.0.0.1", "--min-ttl", "2d", "--max-ttl", "1d"], "TTL"),
    (["http://127.0.0.1", "b"], "unexpected argument \"b\""),
    (["--access-log", "/nowhere/at/all"], "/nowhere/at/all"),
    (["--http", "unix:/etc/passwd"], "a file that is no socket is there"),
    (["--memory", "900T"], "the kernel refuses the memory for a cache of 943718400M"),
  ])
  func `what cannot be served ends at once`(words: [String], message: String) {
    let home = TemporaryDirectory()
    let result = runAtoll(
      ["serve", "--http", "127.0.0.1:0"] + words, env: ["ATOLL_HOME": home.path])
    let isWorldsFault =
      words[0] == "--access-log" || words.last == "900T" || words.last == "unix:/etc/passwd"
    #expect(result.exitCode == (isWorldsFault ? 1 : 2))
    #expect(result.stdout.isEmpty)
    #expect(result.stderr.hasPrefix("atoll: error: "))
    #expect(result.stderr.contains(message), "\(result.stderr)")
    #expect(result.stderr.contains("atoll: hint: "))
  }

  @Test func `the environment sets what options do not`() throws {
    let home = TemporaryDirectory()
    let result = runAtoll(
      ["serve", "http://127.0.0.1:1"], env: ["ATOLL_HOME": home.path, "ATOLL_HTTP": "nowhere"])
    #expect(result.exitCode == 2)
    #expect(result.stderr.contains("ATOLL_HTTP: \"nowhere\" is no address to listen on"))
  }

  @Test func `the access log goes to a file that can be moved away`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=60"))
    defer { origin.stop() }
    let home = TemporaryDirectory()
    let log = "\(home.path)/access.log"
    let edge = try RunningEdge(
      ["http://127.0.0.1:\(origin.port)", "--access-log", log, "--log-format", "json"], home: home)
    #expect(edge.verdict("/one") == "200 miss, stored")
    try wait(for: "a line in the log") { home.read("access.log")?.contains("/one") ?? false }
    #expect(rename(log, log + ".1") == 0)
    kill(edge.process.pid, SIGHUP)
    try wait(for: "a new log") { access(log, F_OK) == 0 }
    #expect(edge.verdict("/two") == "200 miss, stored")
    let ended = edge.end()
    #expect(ended.stdout.isEmpty)
    #expect(home.read("access.log.1")?.contains("\"target\":\"/one\"") == true)
    #expect(home.read("access.log")?.contains("\"target\":\"/two\"") == true)
    #expect(home.read("access.log")?.contains("\"cache\":\"miss\"") == true)
  }

  @Test func `an edge whose store cannot be written serves an origin all the same`() throws {
    let origin = ScriptedServer(response("Cache-Control: max-age=60"))
    defer { origin.stop() }
    let home = TemporaryDirectory()
    // A file where the store should be stops root as well.
    home.write("store", "")
    let edge = try RunningEdge(["http://127.0.0.1:\(origin.port)"], home: home)
    #expect(edge.verdict("/") == "200 miss, stored")
  }

  @Test(.enabled(if: findProgram("prlimit") != nil))
  func `out of descriptors a Unix socket waits without spinning`() throws {
    let home = TemporaryDirectory()
    let path = home.path + "/edge.sock"
    let edge = try RunningEdge(
      ["http://127.0.0.1:1", "--http", "unix:\(path)", "--max-connections", "5000"], home: home)
    try #require(system("prlimit --pid \(edge.process.pid) --nofile=48:48") == 0)
    var viewers: [Int32] = []
    defer { for viewer in viewers { close(viewer) } }
    for _ in 0..<80 { viewers.append(try connectUnix(path)) }
    usleep(300_000)
    let before = processorTicks(edge.process.pid)
    usleep(1_000_000)
    // A loop that spins takes all of the second.
    #expect(processorTicks(edge.process.pid) - before < sysconf(Int32(_SC_CLK_TCK)) / 2)
    // Who waits is taken in when others leave.
    for viewer in viewers.dropLast() { close(viewer) }
    viewers = [viewers.last!]
    let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    #expect(write(viewers[0], request, request.count) == request.count)
    var byte: UInt8 = 0
    #expect(recv(viewers[0], &byte, 1, 0) == 1)
  }

  @Test(.enabled(if: findProgram("prlimit") != nil))
  func `where the system gives no more threads the edge says so and ends`() throws {
    let home = TemporaryDirectory()
    // Their stacks alone are larger than the address space that is left.
    let ended = RunningAtoll(
      [
        "--as=700000000", Binary.path, "serve", "http://127.0.0.1:1", "--http", "127.0.0.1:0",
        "--https", "127.0.0.1:0", "--memory", "16M", "--threads", "120",
      ], env: ["ATOLL_HOME": home.path], program: try #require(findProgram("prlimit"))
    ).wait()
    #expect(ended.exitCode == 1)
    #expect(ended.stderr.contains("atoll: error: the system gives no more threads: "))
    #expect(ended.stderr.contains("\natoll: hint: start fewer with --threads, or raise the limits"))
  }

  private func connectUnix(_ path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
    return descriptor
  }

  /// What a process has used so far, in clock ticks.
  private func processorTicks(_ process: pid_t) -> Int {
    // The name in parentheses is the only field that may hold spaces.
    let text = readText("/proc/\(process)/stat") ?? ""
    let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
    return fields.count > 13 ? (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0) : 0
  }
}
