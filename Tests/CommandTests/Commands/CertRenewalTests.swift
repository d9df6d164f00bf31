// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc
import TestSupport
import Testing

@testable import atoll

/// Renewal by the running edge, with a real ACME server whose certificates live for seconds.
@Suite(.enabled(if: Pebble.isInstalled), .timeLimit(.minutes(20)))
struct CertRenewalTests {
  private func leaf(_ edge: RunningEdge) throws -> CertificateInfo? {
    let store = DirectoryStore(home: edge.home.path + "/store")
    let chain = try CertificateCatalog(store).get("shop")?.chain
    return try chain.map { try CertificateInfo(pem: $0) }
  }

  @Test(arguments: ["http-01", "tls-alpn-01"])
  func `a certificate that the edge proved the domain for is renewed by it`(
    challenge: String
  ) throws {
    var setup = Pebble.Setup()
    setup.validity = 24
    let pebble = try Pebble(setup)
    let edge = try RunningEdge([
      "--http", "127.0.0.1:\(pebble.ports.http)", "--https", "127.0.0.1:\(pebble.ports.tls)",
    ])
    let port = challenge == "http-01" ? pebble.ports.http : pebble.ports.tls
    let result = runAtoll(
      [
        "cert", "ensure", "shop", "--domain", "shop.example", "--challenge", challenge, "--acme",
        pebble.url, "--acme-ca", pebble.trust, "--dns-server", pebble.dnsServer,
        "--validation-port", "\(port)",
      ], env: ["ATOLL_HOME": edge.home.path + "/store"])
    #expect(result.exitCode == 0, "\(result.stderr)\(edge.process.complained)")
    let first = try #require(try leaf(edge))
    #expect(first.notAfter - first.notBefore <= 24)
    #expect(
      edge.process.complained.contains("certificate \"shop\" for shop.example is in use, until "))
    try wait(for: "a renewal; the edge said: \(edge.process.complained)") {
      edge.process.complained.contains("certificate \"shop\" for shop.example is renewed, until ")
    }
    let second = try #require(try leaf(edge))
    #expect(second.serial != first.serial && second.notAfter > first.notAfter)
    #expect(second.notBefore < first.notAfter + 1)
    let began = ContinuousClock.now
    let finished = edge.end()
    #expect(finished.exitCode == 0 && ContinuousClock.now - began < .seconds(5))
    #expect(!finished.stderr.contains("PRIVATE"))
  }

  @Test func `a CA that is gone is told of, and what is served stays`() throws {
    var setup = Pebble.Setup()
    setup.validity = 12
    var pebble: Pebble? = try Pebble(setup)
    let ports = try #require(pebble?.ports)
    let edge = try RunningEdge(["--http", "127.0.0.1:\(ports.http)", "--https", "127.0.0.1:0"])
    let result = runAtoll(
      [
        "cert", "ensure", "shop", "--domain", "shop.example", "--acme", pebble?.url ?? "",
        "--acme-ca", pebble?.trust ?? "", "--dns-server", pebble?.dnsServer ?? "",
        "--validation-port", "\(ports.http)",
      ], env: ["ATOLL_HOME": edge.home.path + "/store"])
    #expect(result.exitCode == 0, "\(result.stderr)\(edge.process.complained)")
    let first = try #require(try leaf(edge))
    pebble = nil
    try wait(for: "a word; the edge said: \(edge.process.complained)") {
      edge.process.complained.contains("certificate \"shop\" could not be renewed: ")
    }
    #expect(try leaf(edge) == first)
    try wait(for: "a warning; the edge said: \(edge.process.complained)") {
      edge.process.complained.contains("certificate \"shop\" expires in ")
        || edge.process.complained.contains("certificate \"shop\" expired ")
    }
    #expect(edge.end().exitCode == 0)
  }
}
