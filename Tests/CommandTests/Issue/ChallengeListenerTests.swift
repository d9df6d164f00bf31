// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import TestSupport
import Testing

@testable import atoll

struct ChallengeListenerTests {
  @Test(arguments: [
    ("GET /.well-known/acme-challenge/abc HTTP/1.1", "200 OK"),
    ("GET /.well-known/acme-challenge/abd HTTP/1.1", "404 Not Found"),
    ("GET /.well-known/acme-challenge/ HTTP/1.0", "404 Not Found"),
    ("GET /.well-known/acme-challenge/abc/ HTTP/1.1", "404 Not Found"),
    ("GET /.well-known/acme-challenge/../abc HTTP/1.1", "404 Not Found"),
    ("GET / HTTP/1.1", "404 Not Found"),
    ("POST /.well-known/acme-challenge/abc HTTP/1.1", "405 Method Not Allowed"),
    ("GET /.well-known/acme-challenge/abc", "400 Bad Request"),
    ("", "400 Bad Request"), ("GET /a b HTTP/1.1", "400 Bad Request"),
  ])
  func `tokens are answered, and nothing else`(line: String, status: String) {
    let response = ChallengeListener.response(to: Array("\(line)\r\nHost: x\r\n\r\n".utf8)) {
      $0 == "abc" ? "abc.key" : nil
    }
    #expect(response.hasPrefix("HTTP/1.1 \(status)\r\n"))
    #expect(response.hasSuffix("\r\n\r\nabc.key") == (status == "200 OK"))
    #expect(response.contains("Connection: close\r\n"))
  }

  @Test func `it listens while there is something to answer, again and again`() throws {
    let port = try #require(freePort())
    let listener = ChallengeListener(host: "127.0.0.1", port: port)
    func ask() throws -> ClientResponse {
      try HTTPClient(userAgent: "test").send(
        ClientRequest(
          url: try ClientURL(parsing: "http://127.0.0.1:\(port)\(ChallengeProof.path)one")))
    }
    let proof = ChallengeProof(domain: "shop.example", token: "one", thumbprint: "key")
    for _ in 0..<3 {
      try listener.present([proof])
      try listener.present([ChallengeProof(domain: "b.example", token: "two", thumbprint: "key")])
      #expect(String(decoding: try ask().body, as: UTF8.self) == "one.key")
      listener.withdraw()
      #expect(throws: ClientError.self) { try ask() }
    }
  }

  @Test func `a port that is taken is named, with what to do`() throws {
    let server = ScriptedServer("")
    defer { server.stop() }
    let listener = ChallengeListener(host: "127.0.0.1", port: server.port)
    let proof = ChallengeProof(domain: "shop.example", token: "one", thumbprint: "key")
    let error = #expect(throws: ACMEError.self) { try listener.present([proof]) }
    #expect(error?.message == "another program listens on 127.0.0.1, port \(server.port)")
    #expect(error?.fault == .preparation)
  }
}
