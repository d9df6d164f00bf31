// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

/// CloudFront §22, response headers policies: removed first, then set.
struct ResponsePolicyTests {
  private static let status = "HTTP/1.1 200 OK"

  /// The lines after the status line that viewers get of these.
  private func sent(
    _ lines: [String], _ settings: ResponseHeaderSettings, keepsCacheControl: Bool = false
  ) -> [String] {
    let head = ([Self.status] + lines).map { $0 + "\r\n" }.joined()
    let policy = ResponsePolicy(settings)
    let written = withBytes(Array(head.utf8)) { head in
      writtenLines {
        policy.appendHead(of: head, keepsCacheControl: keepsCacheControl, now: testTime, to: $0)
      }
    }
    #expect(written.first == Self.status)
    return Array(written.dropFirst())
  }

  private func set(_ name: String, _ value: String, _ mode: ResponseHeader.Mode)
    -> ResponseHeader
  {
    ResponseHeader(name: name, value: value, mode: mode)
  }

  @Test func `Strict-Transport-Security stands behind the head, over TLS alone`() {
    let name = "Strict-Transport-Security"
    let security = SecurityHeaders(strictTransportSecurity: "max-age=60")
    let overriding = SecurityHeaders(
      strictTransportSecurity: "max-age=60", overridesOrigin: true)
    let own = ["\(name): max-age=60"]
    let origins = "\(name): max-age=1"
    for (settings, head, kept, behind) in [
      (ResponseHeaderSettings(security: security), ["A: 1"], ["A: 1"], own),
      (ResponseHeaderSettings(security: security), ["A: 1", origins], ["A: 1", origins], []),
      (ResponseHeaderSettings(security: overriding), ["A: 1", origins], ["A: 1"], own),
      (ResponseHeaderSettings(set: [set(name, "max-age=60", .override)]), [origins], [], own),
      (ResponseHeaderSettings(set: [set(name, "max-age=60", .ifAbsent)]), [origins], [origins], []),
      (
        ResponseHeaderSettings(set: [set(name.lowercased(), "max-age=60", .append)]), [origins],
        [origins], ["\(name.lowercased()): max-age=60"]
      ),
      (ResponseHeaderSettings(removed: [name]), ["A: 1", origins], ["A: 1"], []),
      (ResponseHeaderSettings(removed: [name], security: security), [origins], [], own),
    ] {
      #expect(sent(head, settings) == kept)
      let policy = ResponsePolicy(settings)
      let text = ([Self.status] + head).map { $0 + "\r\n" }.joined()
      // As it is made for this response, and as it was kept beside the stored head.
      let made = withBytes(Array(text.utf8)) { policy.appendHead(of: $0, now: 0, to: ByteBuffer()) }
      let stored = withBytes(Array(text.utf8)) { bytes in
        writtenBytes { SentHead.append(of: bytes, policy: policy, now: 0, to: $0) }
      }
      let kept = withBytes(stored) { SentHead(stored: $0, policy: policy)?.statements }
      #expect(kept == made)
      #expect(writtenLines { policy.appendTransportSecurity(made, to: $0) } == behind)
      #expect(policy.securesTransport == (settings.security != nil || !settings.set.isEmpty))
    }
  }

  @Test func `no settings change nothing`() {
    #expect(sent(["A: 1", "Server: x"], ResponseHeaderSettings()) == ["A: 1", "Server: x"])
    #expect(ResponsePolicy().isEmpty)
  }

  @Test(arguments: ["X-Powered-By", "x-powered-by", "ETag", "Last-Modified", "Cache-Status"])
  func `a removed field is gone, whatever the case, on every line`(name: String) {
    let result = sent(
      ["A: 1", "\(name.uppercased()): 1", "B: 2", "\(name): 2"],
      ResponseHeaderSettings(removed: [name]))
    #expect(result == ["A: 1", "B: 2"])
  }

  @Test func `a field both removed and set appears with the set value`() {
    for mode in ResponseHeader.Mode.allCases {
      let settings = ResponseHeaderSettings(removed: ["X-A"], set: [set("x-a", "new", mode)])
      #expect(sent(["X-A: old", "B: 1"], settings) == ["B: 1", "x-a: new"])
    }
  }

  @Test(arguments: [
    (ResponseHeader.Mode.override, ["B: 1", "X-A: new"], ["B: 1", "X-A: new"]),
    (.ifAbsent, ["x-a: old", "B: 1"], ["B: 1", "X-A: new"]),
    (.append, ["x-a: old", "B: 1", "X-A: new"], ["B: 1", "X-A: new"]),
  ])
  func `the origin's value gives way only to an override`(
    mode: ResponseHeader.Mode, present: [String], absent: [String]
  ) {
    let settings = ResponseHeaderSettings(set: [set("X-A", "new", mode)])
    #expect(sent(["x-a: old", "B: 1"], settings) == present)
    #expect(sent(["B: 1"], settings) == absent)
  }

  @Test func `several settings of one field act in their order`() {
    let both = [set("Link", "</a>", .override), set("Link", "</b>", .append)]
    #expect(
      sent(["Link: </x>"], ResponseHeaderSettings(set: both)) == ["Link: </a>", "Link: </b>"])
    let twice = [set("A", "1", .override), set("A", "2", .override)]
    #expect(sent([], ResponseHeaderSettings(set: twice)) == ["A: 2"])
    let late = [set("A", "1", .append), set("A", "2", .ifAbsent)]
    #expect(sent([], ResponseHeaderSettings(set: late)) == ["A: 1"])
    let early = [set("A", "1", .ifAbsent), set("A", "2", .append)]
    #expect(sent([], ResponseHeaderSettings(set: early)) == ["A: 1", "A: 2"])
    #expect(sent(["A: 0"], ResponseHeaderSettings(set: early)) == ["A: 0", "A: 2"])
  }

  @Test(arguments: [
    "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Expect", "Host",
    "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Trailer",
    "Transfer-Encoding", "Upgrade", "Via", "Warning", "X-Accel-Buffering", "X-Accel-Charset",
    "X-Accel-Limit-Rate", "X-Accel-Redirect", "X-Cache", "X-Edge-Location", "X-Forwarded-Proto",
    "X-Real-IP", "X-Request-Id", "X-Amz-Cf-Id", "Age", "TE",
  ])
  func `fields of the connection, of the body and of the edge stay as they are`(name: String) {
    #expect(ResponsePolicy.isProtected(name))
    #expect(ResponsePolicy.isProtected(name.uppercased()))
    let settings = ResponseHeaderSettings(removed: [name], set: [set(name, "new", .override)])
    #expect(sent(["\(name): old"], settings) == ["\(name): old"])
  }

  @Test(arguments: ["Server", "Date", "Cache-Control", "Content-Type", "Set-Cookie", "X-Any"])
  func `other fields can be changed`(name: String) {
    #expect(!ResponsePolicy.isProtected(name))
  }

  @Test func `who hides the origin's Server or Date gives the edge's own`() {
    let settings = ResponseHeaderSettings(removed: ["Server", "date"])
    #expect(
      sent(["Date: \(httpDate(-50))", "Server: x", "A: 1"], settings)
        == ["A: 1", "Server: atoll", "Date: \(httpDate())"])
    let named = ResponseHeaderSettings(
      removed: ["Server"], set: [set("Server", "shop", .override)])
    #expect(sent(["Server: x"], named) == ["Server: shop"])
    // A Date that stands still would make every copy look older than it is (RFC 9110 §6.6.1).
    let dated = ResponseHeaderSettings(set: [set("Date", "x", .override)])
    #expect(sent(["Date: \(httpDate())"], dated) == ["Date: \(httpDate())"])
  }

  @Test func `an error of the edge keeps its own Cache-Control`() {
    let settings = ResponseHeaderSettings(
      set: [set("Cache-Control", "max-age=31536000", .override), set("A", "1", .ifAbsent)])
    #expect(
      sent(["Cache-Control: no-store"], settings, keepsCacheControl: true)
        == ["Cache-Control: no-store", "A: 1"])
    #expect(
      sent(["Cache-Control: no-store"], settings) == ["Cache-Control: max-age=31536000", "A: 1"])
  }

  @Test func `the security headers are CloudFront's managed policy (§23)`() {
    let settings = ResponseHeaderSettings(security: .standard)
    #expect(
      sent([], settings) == [
        "X-Content-Type-Options: nosniff", "X-Frame-Options: SAMEORIGIN",
        "Referrer-Policy: strict-origin-when-cross-origin", "X-XSS-Protection: 1; mode=block",
      ])
    #expect(
      writtenLines { ResponsePolicy(settings).appendTransportSecurity([], to: $0) }
        == ["Strict-Transport-Security: max-age=31536000"])
    // nosniff is the policy's one field that overrides.
    #expect(
      sent(["X-Content-Type-Options: x"], settings).contains("X-Content-Type-Options: nosniff"))
    #expect(!sent(["X-Content-Type-Options: x"], settings).contains("X-Content-Type-Options: x"))
    // The origin's own stand unless overridden.
    #expect(
      sent(["x-frame-options: DENY"], settings).filter {
        $0.lowercased().hasPrefix("x-frame-options")
      } == ["x-frame-options: DENY"])
    var strict = SecurityHeaders.standard
    strict.overridesOrigin = true
    strict.contentSecurityPolicy = "default-src 'self'"
    let result = sent(
      ["x-frame-options: DENY", "Content-Security-Policy: x"],
      ResponseHeaderSettings(security: strict))
    #expect(result.contains("X-Frame-Options: SAMEORIGIN"))
    #expect(result.last == "Content-Security-Policy: default-src 'self'")
    #expect(result.count == 5)
  }

  @Test func `a setting of one's own beats the security header of that name`() {
    let settings = ResponseHeaderSettings(
      set: [set("X-Frame-Options", "DENY", .override)], security: .standard)
    #expect(sent([], settings).filter { $0.hasPrefix("X-Frame") } == ["X-Frame-Options: DENY"])
  }

  @Test func `with Server-Timing the origin's stays out of what is kept`() {
    #expect(
      sent(["Server-Timing: db;dur=5", "A: 1"], ResponseHeaderSettings(serverTiming: 0))
        == ["A: 1"])
  }

  // MARK: Prepared heads

  @Test func `a prepared head is known by its policy`() {
    let head = Array("HTTP/1.1 200 OK\r\nA: 1\r\n".utf8)
    let one = ResponsePolicy(ResponseHeaderSettings(set: [set("B", "1", .append)]))
    let same = ResponsePolicy(ResponseHeaderSettings(set: [set("B", "1", .append)]))
    let other = ResponsePolicy(ResponseHeaderSettings(set: [set("B", "2", .append)]))
    let prepared = withBytes(head) { head in
      writtenBytes { SentHead.append(of: head, policy: one, now: testTime, to: $0) }
    }
    withBytes(prepared) { prepared in
      let sent = SentHead(stored: prepared, policy: same)
      #expect(
        sent.map { String(decoding: $0.bytes, as: UTF8.self) }
          == "HTTP/1.1 200 OK\r\nA: 1\r\nB: 1\r\n")
      #expect(SentHead(stored: prepared, policy: other) == nil)
      #expect(SentHead(stored: prepared, policy: ResponsePolicy()) == nil)
    }
    withBytes([]) { #expect(SentHead(stored: $0, policy: one) == nil) }
    // Nothing to prepare where nothing changes.
    #expect(
      withBytes(head) { head in
        writtenBytes { SentHead.append(of: head, policy: ResponsePolicy(), now: 0, to: $0) }
      }.isEmpty)
  }

  @Test func `policies that make different heads have different fingerprints`() {
    let settings = [
      ResponseHeaderSettings(removed: ["A"]),
      ResponseHeaderSettings(removed: ["B"]),
      ResponseHeaderSettings(removed: ["A", "B"]),
      ResponseHeaderSettings(set: [set("A", "1", .override)]),
      ResponseHeaderSettings(set: [set("A", "1", .ifAbsent)]),
      ResponseHeaderSettings(set: [set("A", "1", .append)]),
      ResponseHeaderSettings(set: [set("A", "2", .append)]),
      ResponseHeaderSettings(set: [set("A", "1", .append), set("A", "2", .append)]),
      ResponseHeaderSettings(cors: CORSSettings()),
      ResponseHeaderSettings(cors: CORSSettings(overridesOrigin: false)),
      ResponseHeaderSettings(cors: CORSSettings(allowsCredentials: true)),
      ResponseHeaderSettings(cors: CORSSettings(exposedHeaders: ["A"])),
      ResponseHeaderSettings(cors: CORSSettings(origins: ["https://a"])),
      ResponseHeaderSettings(security: .standard),
      ResponseHeaderSettings(serverTiming: 0),
      ResponseHeaderSettings(),
    ]
    #expect(Set(settings.map { ResponsePolicy($0).fingerprint }).count == settings.count)
  }

  @Test func `a 304 has what the policy has to do with, besides its own fields`() {
    // RFC 9110 §15.4.5, CloudFront §22: hits and misses alike.
    let settings = ResponseHeaderSettings(
      removed: ["ETag"],
      set: [set("Cache-Control", "max-age=5", .override), set("X-A", "1", .ifAbsent)],
      cors: CORSSettings(), security: SecurityHeaders(frameOptions: "DENY"))
    let policy = ResponsePolicy(settings)
    let stored = [
      "HTTP/1.1 200 OK", "Date: \(httpDate())", "ETag: \"a\"", "Content-Type: text/html",
      "Cache-Control: max-age=60", "X-A: origin", "X-B: 1", "Last-Modified: \(httpDate(-9))",
    ].map { $0 + "\r\n" }.joined()
    let head = withBytes(Array(stored.utf8)) { head in
      writtenBytes { policy.appendHead(of: head, now: testTime, to: $0) }
    }
    let sent = withBytes(head) { head in
      writtenLines { appendNotModifiedHead(stored: head, policy: policy, to: $0) }
    }
    #expect(
      sent == [
        "HTTP/1.1 304 Not Modified", "Date: \(httpDate())", "X-A: origin",
        "X-Frame-Options: DENY", "Cache-Control: max-age=5", "Access-Control-Allow-Origin: *",
        "Last-Modified: \(httpDate(-9))",
      ])
  }
}
