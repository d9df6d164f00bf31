// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct ServerNamesTests {
  private static let names: ServerNames<Int> = {
    var names = ServerNames<Int>()
    for (index, name) in [
      "example.com", "*.example.com", "www.example.com", "*.deep.example.com", serverName("::1"),
      serverName("192.0.2.7"),
    ].enumerated() {
      names[name] = index
    }
    return names
  }()

  @Test(
    arguments: [
      ("example.com", 0), ("EXAMPLE.com", 0), ("example.com.", 0), ("example.com:443", 0),
      ("example.com.:8443", 0), ("a.example.com", 1), ("www.example.com", 2),
      ("deep.example.com", 1), ("x.deep.example.com", 3), ("[::1]", 4), ("[::1]:8443", 4),
      ("[0:0:0:0:0:0:0:1]", 4), ("192.0.2.7:80", 5), ("192.0.2.7", 5),
      ("a.b.example.com", nil), ("com", nil), (".example.com", nil), ("", nil),
      ("xexample.com", nil),
      ("example.org", nil), ("[::2]", nil), ("192.0.2.8", nil), (":443", nil), ("*.example.com", 1),
    ] as [(String, Int?)])
  func `a host finds the most specific name`(host: String, expected: Int?) {
    var text = host
    #expect(Self.names.value(for: text.withUTF8 { serverName(ofAuthority: $0) }) == expected)
  }

  @Test func `names are kept apart from wildcards`() {
    var names = ServerNames<Int>()
    #expect(names.isEmpty)
    names["*.a.example"] = 1
    #expect(names["*.a.example"] == 1 && names["a.example"] == nil)
    names["a.example"] = 2
    #expect(names.value(for: "a.example") == 2 && names.value(for: "b.a.example") == 1)
    #expect(!names.isEmpty)
  }
}

/// Parts of a client's first message, as they come off the wire.
struct ClientHelloTests {
  private static func serverNameList(_ entries: (type: UInt8, name: String)...) -> [UInt8] {
    var list: [UInt8] = []
    for entry in entries {
      list += [entry.type, 0, UInt8(entry.name.utf8.count)]
      list += Array(entry.name.utf8)
    }
    return [0, UInt8(list.count)] + list
  }

  private static func protocolList(_ names: String...) -> [UInt8] {
    var list: [UInt8] = []
    for name in names { list += [UInt8(name.utf8.count)] + Array(name.utf8) }
    return list
  }

  @Test func `the host is found`() {
    func name(_ bytes: [UInt8]) -> String? {
      bytes.withUnsafeBufferPointer(serverName(inExtension:))
    }
    #expect(name(Self.serverNameList((0, "WWW.example.com."))) == "www.example.com")
    #expect(name(Self.serverNameList((7, "other"), (0, "a.example"))) == "a.example")
    for none in [
      [], [0], [0, 0], Self.serverNameList((0, "")), Self.serverNameList((0, "192.0.2.1")),
      Self.serverNameList((1, "a.example")), Self.serverNameList((0, "a.example")) + [0],
    ] {
      #expect(name(none) == nil)
    }
  }

  @Test func `what is cut short names no host`() {
    let whole = Self.serverNameList((0, "www.example.com"))
    for count in 0..<whole.count {
      let part = Array(whole[..<count])
      #expect(part.withUnsafeBufferPointer(serverName(inExtension:)) == nil)
      // The list's own length mended, the name's is not.
      if count > 2 {
        let mended: [UInt8] = [0, UInt8(count - 2)] + Array(part[2...])
        #expect(mended.withUnsafeBufferPointer(serverName(inExtension:)) == nil)
      }
    }
  }

  @Test func `a protocol is found in a list`() {
    func place(_ name: StaticString, _ list: [UInt8]) -> Int? {
      list.withUnsafeBufferPointer { find(name, inProtocolList: $0) }
    }
    #expect(place("h2", Self.protocolList("h2", "http/1.1")) == 1)
    #expect(place("http/1.1", Self.protocolList("h2", "http/1.1")) == 4)
    #expect(place("http/1.1", Self.protocolList("h2", "http/1.10")) == nil)
    #expect(place("h2", []) == nil)
    #expect(place("h2", [0, 2]) == nil)
    #expect(place("h2", [3] + Array("h2".utf8)) == nil)
    #expect(place("h2", [0, 2] + Array("h2".utf8)) == 2)
  }

  @Test func `TLS 1.3 is offered in the list of versions`() {
    func offers(_ list: [UInt8]) -> Bool {
      list.withUnsafeBufferPointer(offersTLS13(versionList:))
    }
    #expect(offers([2, 3, 4]))
    #expect(offers([6, 0x0a, 0x0a, 3, 3, 3, 4]))
    #expect(!offers([4, 3, 3, 3, 2]))
    // Not across two versions, nor of a version cut short.
    #expect(!offers([4, 0, 3, 4, 0]))
    for list: [UInt8] in [[], [2], [2, 3], [4, 3, 3, 3]] { #expect(!offers(list)) }
  }

  @Test func `a challenge is asked for alone`() {
    func asks(_ names: [UInt8]) -> Bool {
      let bytes: [UInt8] = [0, UInt8(names.count)] + names
      return bytes.withUnsafeBufferPointer(isChallenge(protocolList:))
    }
    #expect(asks(Self.protocolList("acme-tls/1")))
    #expect(!asks(Self.protocolList("acme-tls/1", "h2")))
    #expect(!asks(Self.protocolList("h2", "acme-tls/1")))
    #expect(!asks(Self.protocolList("acme-tls/2")))
    #expect(!asks([]))
  }
}
