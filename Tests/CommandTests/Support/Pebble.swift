// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// Debian's ACME server for tests, with the name server that it asks: both on loopback, for as long
/// as the value lives.
final class Pebble: Sendable {
  static let isInstalled =
    findProgram("pebble") != nil && findProgram("pebble-challtestsrv") != nil

  /// Whatever a test wants otherwise.
  struct Setup {
    var environment: [String: String] = [:]
    /// Keys of external accounts by their names; with any, an account needs one.
    var externalKeys: [String: String] = [:]
    var blocked: [String] = []
    /// Seconds that certificates live.
    var validity = 157_766_400
    /// What every name leads to, "" for nowhere.
    var address = "127.0.0.1"
    /// Ports of a server before this one, whose place it takes.
    var ports: Ports?
  }

  struct Ports {
    let directory: UInt16
    let management: UInt16
    /// Where the CA looks for http-01 and tls-alpn-01.
    let http: UInt16
    let tls: UInt16
    let dns: UInt16
    let records: UInt16

    init() throws {
      var found: [UInt16] = []
      while found.count < 6 {
        let port = try #require(freePort())
        if !found.contains(port) { found.append(port) }
      }
      (directory, management, http, tls, dns, records) =
        (found[0], found[1], found[2], found[3], found[4], found[5])
    }
  }

  let ports: Ports
  let place = TemporaryDirectory()
  private let server: RunningAtoll
  private let names: RunningAtoll

  var url: String { "https://127.0.0.1:\(ports.directory)/dir" }
  var dnsServer: String { "127.0.0.1:\(ports.dns)" }
  /// The roots of its own TLS.
  var trust: String { place.file("ca.pem") }
  /// What it logged.
  var log: String { server.printed + server.complained }

  /// What `cert ensure` needs to find it.
  var directoryOptions: [String] {
    ["--acme", url, "--acme-ca", trust, "--dns-server", dnsServer]
  }

  /// The same, answering by itself.
  var options: [String] {
    directoryOptions + [
      "--http", "127.0.0.1:\(ports.http)", "--validation-port", "\(ports.http)",
    ]
  }

  init(_ setup: Setup = Setup()) throws {
    ports = try setup.ports ?? Ports()
    try Self.writeFiles(setup, ports, place)
    names = RunningAtoll(
      [
        "-management", "127.0.0.1:\(ports.records)", "-dns01", "127.0.0.1:\(ports.dns)", "-http01",
        "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", setup.address, "-defaultIPv6", "",
      ], program: try #require(findProgram("pebble-challtestsrv")))
    var environment = ["PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"]
    environment["PEBBLE_AUTHZREUSE"] = "0"
    environment.merge(setup.environment) { $1 }
    server = RunningAtoll(
      ["-config", place.file("pebble.json"), "-dnsserver", "127.0.0.1:\(ports.dns)"],
      env: environment, program: try #require(findProgram("pebble")))
    let (server, names, records) = (server, names, ports.records)
    try wait(for: "pebble to serve; it said: \(server.printed)\(names.complained)") {
      (server.printed + server.complained).contains("ACME directory available")
        && Self.isOpen(records)
    }
  }

  deinit {
    for process in [server, names] {
      kill(process.pid, SIGKILL)
      _ = process.wait()
    }
  }

  private static func writeFiles(
    _ setup: Setup, _ ports: Ports, _ place: TemporaryDirectory
  ) throws {
    let store = DirectoryStore(home: place.file("ca"))
    let now = Int64(time(nil))
    let issued = try LocalAuthority(store).issue(["localhost", "127.0.0.1"], now: now)
    place.write("ca.pem", try LocalAuthority(store).root(now: now).certificate.pem)
    place.write("cert.pem", issued.certificate.pem)
    place.write("key.pem", issued.key.pem)
    let keys = setup.externalKeys.map { "\"\($0.key)\": \"\($0.value)\"" }
    place.write(
      "pebble.json",
      """
      {"pebble": {
        "listenAddress": "127.0.0.1:\(ports.directory)",
        "managementListenAddress": "127.0.0.1:\(ports.management)",
        "certificate": "\(place.file("cert.pem"))", "privateKey": "\(place.file("key.pem"))",
        "httpPort": \(ports.http), "tlsPort": \(ports.tls), "ocspResponderURL": "",
        "externalAccountBindingRequired": \(!keys.isEmpty),
        "externalAccountMACKeys": {\(keys.joined(separator: ", "))},
        "certificateValidityPeriod": \(setup.validity),
        "domainBlocklist": [\(setup.blocked.map { "\"\($0)\"" }.joined(separator: ", "))]
      }}
      """)
  }

  private static func isOpen(_ port: UInt16) -> Bool {
    guard let address = SocketAddress(host: "127.0.0.1", port: port) else { return false }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    return address.withUnsafeAddress { connect(descriptor, $0, $1) } == 0
  }

  /// Tells the name server something: `set-txt`, `set-cname`, `add-a`, `add-caa`.
  func tell(_ what: String, _ json: String) throws {
    let url = try ClientURL(parsing: "http://127.0.0.1:\(ports.records)/\(what)")
    let response = try HTTPClient(userAgent: "test").send(
      ClientRequest(url: url, method: "POST", body: Array(json.utf8)))
    #expect(response.status == 200, "\(what)")
  }

  /// Asks the CA's management interface.
  func ask(_ path: String) throws -> String {
    let url = try ClientURL(parsing: "https://127.0.0.1:\(ports.management)\(path)")
    let response = try HTTPClient(userAgent: "test", trust: .file(trust)).send(
      ClientRequest(url: url))
    return String(decoding: response.body, as: UTF8.self)
  }

  /// A hook that has the name server create and remove records, and notes what it was told.
  func makeHook(_ before: String = "") -> (command: String, log: String) {
    let log = place.file("hook.log")
    place.write(
      "hook",
      """
      #!/bin/sh
      echo "$1 $2 $3 $ACME_ACTION $ACME_DOMAIN $ACME_RECORD $ACME_VALUE" >> \(log)
      \(before)
      case $1 in
        present) what=set-txt; body="{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ;;
        cleanup) what=clear-txt; body="{\\"host\\":\\"$2.\\"}" ;;
      esac
      exec curl -sS -f -d "$body" http://127.0.0.1:\(ports.records)/$what
      """)
    return ("sh \(place.file("hook"))", log)
  }
}
