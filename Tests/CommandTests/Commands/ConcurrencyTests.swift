// SPDX-License-Identifier: Apache-2.0
import Glibc
import TestSupport
import Testing

@testable import atoll

/// Many processes on one store.
@Suite(.serialized) struct ConcurrencyTests {
  private func made() -> Home {
    let home = Home()
    home.atoll("create", "shop", "--origin", "http://localhost:3000")
    return home
  }

  /// Keys of the tags that show prints.
  private func tags(_ home: Home) -> Set<String> {
    let lines = home.atoll("show", "shop").stdout.split(separator: "\n").map(String.init)
    guard let first = lines.firstIndex(where: { $0.hasPrefix("Tags") }) else { return [] }
    let values = lines[first...].prefix { $0.hasPrefix("Tags") || $0.hasPrefix(" ") }
    return Set(
      values.map { String($0.dropFirst("Tags".count).filter { $0 != " " }.prefix { $0 != "=" }) })
  }

  @Test func `50 updates at once lose nothing`() {
    let home = made()
    let commands = (0..<50).map { number in
      RunningAtoll(["update", "shop", "--tag", "t\(number)=x"], env: home.environment)
    }
    for command in commands {
      let result = command.wait()
      #expect(result.exitCode == 0, "\(result.stderr)")
    }
    #expect(tags(home) == Set((0..<50).map { "t\($0)" }))
  }

  @Test func `50 creates of one name make one`() {
    let home = Home()
    let commands = (0..<50).map { number in
      RunningAtoll(
        ["create", "shop", "--origin", "http://localhost:\(3000 + number)"], env: home.environment)
    }
    let results = commands.map { $0.wait() }
    #expect(results.filter { $0.exitCode == 0 }.count == 1)
    #expect(results.filter { $0.exitCode == 1 }.count == 49)
    #expect(home.atoll("list", "-q").stdout == "shop\n")
  }

  @Test func `a kill in the middle leaves a store that opens`() {
    let home = made()
    var kept: Set<String> = []
    for round in 0..<5 {
      let commands = (0..<10).map { number in
        (
          tag: "r\(round)n\(number)",
          process: RunningAtoll(
            ["update", "shop", "--tag", "r\(round)n\(number)=x"], env: home.environment)
        )
      }
      for (index, command) in commands.enumerated() {
        // Spread over the time an update takes, so that each step is hit now and then.
        usleep(UInt32(index) * 1_500)
        if index % 2 == 0 { kill(command.process.pid, SIGKILL) }
      }
      for command in commands where command.process.wait().exitCode == 0 {
        kept.insert(command.tag)
      }
      let listed = home.atoll("list")
      #expect(listed.exitCode == 0)
      #expect(listed.stderr.isEmpty)
      #expect(!listed.stdout.contains("invalid"))
    }
    #expect(tags(home).isSuperset(of: kept))
    #expect(home.atoll("update", "shop", "--disabled").exitCode == 0)
    #expect(home.atoll("apply", "-", stdin: home.document("shop")).exitCode == 0)
  }

  @Test func `a kill while a certificate is replaced leaves a key that fits`() throws {
    guard let openssl = findProgram("openssl") else { return }
    let home = Home()
    let files = (0..<2).map { number -> [String] in
      let paths = [home.directory.file("\(number).pem"), home.directory.file("\(number).key")]
      let made = RunningAtoll(
        [
          "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
          "-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test", "-days", "60",
          "-out", paths[0], "-keyout", paths[1],
        ], program: openssl
      ).wait()
      #expect(made.exitCode == 0, "\(made.stderr)")
      return paths
    }
    #expect(home.run(["cert", "import", "shop"] + files[0]).exitCode == 0)
    for round in 0..<30 {
      let command = RunningAtoll(
        ["cert", "import", "shop"] + files[(round + 1) % 2], env: home.environment)
      // Spread over the time an import takes.
      usleep(UInt32(round) * 700)
      kill(command.pid, SIGKILL)
      _ = command.wait()
      let place = home.directory.file("store/certificates/shop")
      let certified = RunningAtoll(
        ["x509", "-in", "\(place)/certificate.pem", "-noout", "-pubkey"], program: openssl
      ).wait()
      let key = RunningAtoll(["pkey", "-in", "\(place)/key.pem", "-pubout"], program: openssl)
        .wait()
      #expect(certified.exitCode == 0 && certified.stdout == key.stdout)
    }
    #expect(home.run(["cert", "import", "shop"] + files[0]).exitCode == 0)
    #expect(home.run(["cert", "import", "shop"] + files[1]).exitCode == 0)
    #expect(
      Set(TemporaryDirectory.names(in: home.directory.file("store/certificates")) ?? []) == ["shop"]
    )
  }

  @Test func `20 commands at once make one root and lose no certificate`() {
    let home = Home()
    let commands = (0..<20).map { number in
      RunningAtoll(
        ["cert", "create", "c\(number)", "--local", "-d", "shop.test"], env: home.environment)
    }
    for command in commands {
      let result = command.wait()
      #expect(result.exitCode == 0, "\(result.stderr)")
    }
    #expect(home.atoll("cert", "list", "-q").stdout.split(separator: "\n").count == 20)
    let list = home.atoll("cert", "list", "--json").stdout
    let issuers = list.split(separator: "\n").filter { $0.contains("\"issuer\"") }
    #expect(issuers.count == 20 && Set(issuers).count == 1)
  }
}
