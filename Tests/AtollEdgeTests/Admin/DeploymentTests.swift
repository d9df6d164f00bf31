// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc
import TestSupport
import Testing

struct DeploymentTests {
  private let broken = ConfigError(
    where: "shop.json: origin", what: "is missing", hint: "write an origin")

  @Test func `distributions are served in the order of their names`() throws {
    var deployment = Deployment()
    let change = deployment.update(
      to: [try makeDistribution("shop"), try makeDistribution("blog")])
    #expect(change.isNew)
    #expect(deployment.policies.map(\.distribution.name) == ["blog", "shop"])
    #expect(
      change.lines == [
        "distribution \"shop\" is served from http://127.0.0.1:3000",
        "distribution \"blog\" is served from http://127.0.0.1:3000",
      ])
    #expect(deployment.problems.isEmpty)
  }

  @Test func `what did not change keeps its policy`() throws {
    var deployment = Deployment()
    _ = deployment.update(to: [try makeDistribution("shop"), try makeDistribution("blog")])
    let former = deployment.policies
    let change = deployment.update(
      to: [
        try makeDistribution("blog"),
        try makeDistribution("shop", revision: 2) { $0.isEnabled = false },
      ])
    #expect(change.isNew)
    #expect(deployment.policies[0] === former[0])
    #expect(deployment.policies[1] !== former[1])
    #expect(change.lines == ["distribution \"shop\" is now at revision 2: disable it"])
  }

  @Test func `the same store again changes nothing`() throws {
    var deployment = Deployment()
    _ = deployment.update(to: [try makeDistribution("shop")])
    let change = deployment.update(to: [try makeDistribution("shop")])
    #expect(!change.isNew)
    #expect(change.lines.isEmpty)
  }

  @Test func `a distribution keeps its slot for life, another never gets it`() throws {
    var deployment = Deployment()
    _ = deployment.update(to: [try makeDistribution("a"), try makeDistribution("b")])
    let slots = deployment.policies.map(\.slot)
    #expect(Set(slots).count == 2)
    let change = deployment.update(to: [try makeDistribution("b", revision: 2)])
    #expect(change.retiredSlots == [slots[0]])
    #expect(change.lines == ["distribution \"a\" is no longer served"])
    #expect(deployment.policies.map(\.slot) == [slots[1]])
    _ = deployment.update(to: [try makeDistribution("b"), try makeDistribution("c")])
    #expect(!slots.contains(deployment.policies[1].slot))
    // The name again, but another distribution.
    _ = deployment.update(to: [try makeDistribution("a", id: "dother")])
    #expect(!slots.contains(deployment.policies[0].slot))
  }

  @Test func `a renamed distribution keeps its slot`() throws {
    var deployment = Deployment()
    _ = deployment.update(to: [try makeDistribution("old", id: "d1")])
    let slot = deployment.policies[0].slot
    let change = deployment.update(to: [try makeDistribution("new", id: "d1", revision: 2)])
    #expect(deployment.policies[0].slot == slot)
    #expect(change.retiredSlots.isEmpty)
  }

  @Test func `a file that became invalid leaves its distribution as it was`() throws {
    var deployment = Deployment()
    _ = deployment.update(to: [try makeDistribution("shop", revision: 7)])
    let before = deployment.policies[0]
    let change = deployment.update(to: [], invalid: [("shop", broken)])
    #expect(!change.isNew)
    #expect(deployment.policies.count == 1)
    #expect(deployment.policies[0] === before)
    #expect(
      deployment.problems == [
        "distribution \"shop\" keeps revision 7: shop.json: origin: is missing"
      ])
    #expect(change.lines == deployment.problems)
    // Said once, not at every reading.
    #expect(deployment.update(to: [], invalid: [("shop", broken)]).lines.isEmpty)
    // Mended.
    _ = deployment.update(to: [try makeDistribution("shop", revision: 8)])
    #expect(deployment.problems.isEmpty)
  }

  @Test func `an invalid file of an unknown distribution is reported, the others are served`()
    throws
  {
    var deployment = Deployment()
    _ = deployment.update(to: [try makeDistribution("blog")], invalid: [("shop", broken)])
    #expect(deployment.policies.map(\.distribution.name) == ["blog"])
    #expect(
      deployment.problems == ["distribution \"shop\" is not served: shop.json: origin: is missing"])
  }

  /// With an authority of its own, so that the tests need none of the system's.
  private func overTLS(
    revision: UInt64 = 1, _ change: @escaping (inout OriginTLS) -> Void
  ) throws -> Distribution {
    try makeDistribution("shop", origin: "https://shop.example", revision: revision) {
      change(&$0.origin.tls)
    }
  }

  @Test func `an https origin that verifies is served without a word`() throws {
    let directory = TemporaryDirectory()
    let ca = directory.write("ca.pem", TestAuthority().certificate)
    var deployment = Deployment()
    _ = deployment.update(to: [try overTLS { $0.ca = ca }])
    #expect(deployment.policies.first?.origins.first?.security != nil)
    #expect(deployment.problems.isEmpty)
  }

  @Test func `what is not verified is warned of at every start`() throws {
    var deployment = Deployment()
    let change = deployment.update(
      to: [
        try makeDistribution("shop", origin: "https://shop.example") {
          $0.origin.tls.verify = false
          $0.origins = [
            NamedOrigin(
              name: "images",
              origin: Origin(
                scheme: .http, host: "img.example", port: 80, httpsPort: 443,
                tls: OriginTLS(verify: false)))
          ]
        }
      ])
    #expect(deployment.policies.count == 1)
    #expect(
      change.lines.dropFirst() == [
        "warning: distribution \"shop\": the certificate of its origin, https://shop.example, is not "
          + "verified: whoever stands between can read and change what passes",
        "warning: distribution \"shop\": the certificate of its origin \"images\", "
          + "http://img.example, is not verified: whoever stands between can read and change what "
          + "passes",
      ])
    // Commands about other distributions have nothing to say of it.
    #expect(deployment.problems.isEmpty)
  }

  @Test func `files of TLS settings that cannot be used are refused with key and fix`() throws {
    let directory = TemporaryDirectory()
    let authority = TestAuthority()
    let ca = directory.write("ca.pem", authority.certificate)
    let client = authority.issue(common: "edge")
    let chain = directory.write("client.pem", client.chain)
    let key = directory.write("client.key", client.key)
    let otherKey = directory.write("other.key", authority.issue(common: "other").key)
    let cases: [(OriginTLS, String)] = [
      (OriginTLS(ca: "/no/ca.pem"), "ca: the file \"/no/ca.pem\" does not exist; put it there"),
      (OriginTLS(ca: key), "ca: the file \"\(key)\" holds no certificate; name a PEM file"),
      (
        OriginTLS(ca: ca, certificate: chain, key: otherKey),
        "key: the file \"\(otherKey)\" holds another certificate's key; name the key"
      ),
      (
        OriginTLS(ca: ca, certificate: chain, key: chain),
        "key: the file \"\(chain)\" holds no key; name a PEM file"
      ),
      (
        OriginTLS(ca: ca, certificate: key, key: key),
        "certificate: the file \"\(key)\" holds no certificate; name a PEM file"
      ),
    ]
    for (tls, what) in cases {
      var deployment = Deployment()
      _ = deployment.update(to: [try overTLS { $0 = tls }])
      #expect(deployment.policies.isEmpty)
      let problem = try #require(deployment.problems.first)
      #expect(
        problem.hasPrefix(
          "distribution \"shop\" is not served: shop.json: origin.tls.\(what)"), "\(problem)")
    }
  }

  @Test func `a file of TLS settings that changes makes a new policy`() throws {
    let directory = TemporaryDirectory()
    let ca = directory.write("ca.pem", TestAuthority().certificate)
    var deployment = Deployment()
    _ = deployment.update(to: [try overTLS { $0.ca = ca }])
    let security = deployment.policies[0].origins[0].security
    #expect(!deployment.update(to: [try overTLS { $0.ca = ca }]).isNew)
    // Something else: its connections may stay.
    _ = deployment.update(
      to: [
        try makeDistribution("shop", origin: "https://shop.example", revision: 2) {
          $0.origin.tls.ca = ca
          $0.isEnabled = false
        }
      ])
    #expect(deployment.policies[0].origins[0].security == security)
    directory.write("ca.pem", TestAuthority().certificate)
    #expect(deployment.update(to: [try overTLS(revision: 3) { $0.ca = ca }]).isNew)
    #expect(deployment.policies[0].origins[0].security != security)
  }

  @Test func `a copied file with the same id is refused`() throws {
    var deployment = Deployment()
    _ = deployment.update(
      to: [try makeDistribution("a", id: "d1"), try makeDistribution("b", id: "d1")])
    #expect(deployment.policies.map(\.distribution.name) == ["a"])
    #expect(deployment.problems == ["distribution \"b\" is not served: it has the id of \"a\""])
  }

  @Test func `when the slots are used up the edge says so and serves on`() throws {
    var deployment = Deployment(slotLimit: 2)
    for name in ["a", "b"] { _ = deployment.update(to: [try makeDistribution(name)]) }
    _ = deployment.update(to: [try makeDistribution("b"), try makeDistribution("c")])
    #expect(deployment.policies.map(\.distribution.name) == ["b"])
    #expect(deployment.problems.count == 1)
    #expect(deployment.problems[0].hasSuffix("must be restarted"))
  }

  // MARK: Error pages from files

  private func withPage(_ path: String, revision: UInt64 = 1) throws -> Distribution {
    try makeDistribution("shop", revision: revision) {
      $0.errors.responses = [
        ErrorResponse(status: 500, minimumTTL: 5),
        ErrorResponse(status: 502, page: .file(path)),
      ]
    }
  }

  @Test func `a page's file is read when its distribution is`() throws {
    let directory = TemporaryDirectory()
    let path = directory.write("down.html", "down")
    var deployment = Deployment()
    #expect(deployment.update(to: [try withPage(path)]).isNew)
    #expect(
      deployment.policies[0].errorFiles
        == [path: ErrorPageFile(path: path, bytes: Array("down".utf8))])
    #expect(!deployment.update(to: [try withPage(path)]).isNew)
    // Reading the store again, as on SIGHUP, reads the files again.
    directory.write("down.html", "very down")
    #expect(deployment.update(to: [try withPage(path)]).isNew)
    #expect(deployment.policies[0].errorFiles[path]?.bytes == Array("very down".utf8))
  }

  @Test func `a page that cannot be read leaves its distribution as it was`() throws {
    let directory = TemporaryDirectory()
    let path = directory.write("down.html", "down")
    var deployment = Deployment()
    _ = deployment.update(to: [try withPage(path, revision: 7)])
    let before = deployment.policies[0]
    let missing = directory.file("missing.html")
    let change = deployment.update(to: [try withPage(missing, revision: 8)])
    #expect(!change.isNew)
    #expect(deployment.policies[0] === before)
    #expect(
      change.lines == [
        "distribution \"shop\" keeps revision 7: shop.json: errors.responses[1].page.file: the file "
          + "\"\(missing)\" does not exist; put it there, or name another"
      ])
    #expect(deployment.problems == change.lines)
    // The file of an unchanged distribution, too.
    unlink(path)
    #expect(!deployment.update(to: [try withPage(path, revision: 7)]).isNew)
    #expect(deployment.policies[0] === before)
    #expect(deployment.problems.count == 1)
    // Mended.
    directory.write("down.html", "down")
    #expect(deployment.update(to: [try withPage(path, revision: 9)]).isNew)
    #expect(deployment.problems.isEmpty)
  }

  @Test func `a new distribution whose page cannot be read is not served, the others are`() throws {
    var deployment = Deployment()
    _ = deployment.update(to: [try withPage("/no/such/file"), try makeDistribution("blog")])
    #expect(deployment.policies.map(\.distribution.name) == ["blog"])
    #expect(deployment.problems.count == 1)
    #expect(deployment.problems[0].hasPrefix("distribution \"shop\" is not served: "))
  }

  @Test func `what is no readable file of a page's size is refused with the fix`() throws {
    let directory = TemporaryDirectory()
    let large = directory.write(
      "large.html", String(repeating: "x", count: Limits.errorPageFile + 1))
    let pipe = directory.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    for (path, what) in [
      ("down.html", "is no absolute path; write the path from the root on"),
      (directory.path, "is no file; name a file"),
      (pipe, "is no file; name a file"),
      (
        large,
        "has 262145 bytes, more than 262144; make it smaller, or let the origin serve it and name "
          + "its path"
      ),
      ("\(large)/below", "does not exist; put it there, or name another"),
    ] {
      var deployment = Deployment()
      _ = deployment.update(to: [try withPage(path)])
      #expect(deployment.problems.count == 1)
      #expect(deployment.problems.first?.hasSuffix("the file \"\(path)\" \(what)") == true)
    }
    let largest = directory.write(
      "largest.html", String(repeating: "x", count: Limits.errorPageFile))
    var deployment = Deployment()
    #expect(deployment.update(to: [try withPage(largest)]).isNew)
  }

  @Test func `of two files with one domain the first has it`() throws {
    var deployment = Deployment()
    _ = deployment.update(
      to: [
        try makeDistribution("blog") { $0.domains = [AttachedDomain(name: "a.example")] },
        try makeDistribution("shop") { $0.domains = [AttachedDomain(name: "a.example")] },
      ])
    #expect(
      deployment.problems == [
        "distribution \"shop\" does not answer for a.example, which belongs to \"blog\""
      ])
  }
}
