// SPDX-License-Identifier: Apache-2.0
import Testing

/// The harness is trusted by every other test here, so it has tests of its own.
@Suite(.timeLimit(.minutes(20)))
struct HarnessTests {
  @Test func `a scripted origin answers a scripted viewer`() throws {
    let origin = try ScriptedOrigin { try $0.respond(body: "hello \($0.request.target)") }
    let viewer = try ScriptedViewer(port: origin.port)
    #expect(try viewer.get("/a").text == "hello /a")
    #expect(try viewer.get("/b").text == "hello /b")
    #expect(origin.requestCount == 2)
    #expect(origin.connectionCount == 1)
  }

  @Test func `bytes leave the origin when the test says so`() throws {
    let more = Event()
    let origin = try ScriptedOrigin {
      try $0.sendHead("200 OK", "Content-Length: 4")
      try $0.send("ab")
      more.wait()
      try $0.send("cd")
    }
    let viewer = try ScriptedViewer(port: origin.port)
    try viewer.send(ScriptedViewer.head("GET", "/"))
    let response = try viewer.readResponseHead()
    #expect(try viewer.wire.read(2) == Array("ab".utf8))
    more.fire()
    #expect(try viewer.wire.read(2) == Array("cd".utf8))
    #expect(response.framing == .length(4))
  }

  @Test func `a viewer tells a truncated body from a whole one`() throws {
    let origin = try ScriptedOrigin {
      try $0.sendHead("200 OK", "Transfer-Encoding: chunked")
      try $0.send($0.request.target == "/whole" ? chunked("ab", "c") : "2\r\nab\r\n")
      $0.close()
    }
    let whole = try ScriptedViewer(port: origin.port).get("/whole")
    #expect(whole.text == "abc")
    #expect(whole.isComplete)
    let cut = try ScriptedViewer(port: origin.port).get("/cut")
    #expect(cut.text == "ab")
    #expect(!cut.isComplete)
  }

  @Test func `a refusing origin refuses and a silent one does not answer`() throws {
    let refusing = try RefusingOrigin()
    #expect(throws: WireError.self) { try Wire(port: refusing.port) }
  }
}
