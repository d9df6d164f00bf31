// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc
import Testing

struct SocketAddressTests {
  @Test(arguments: [
    "127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8080", "[2001:db8::a]:443",
    "[fe80::1%1]:80", "unix:/run/atoll.sock",
  ])
  func `an address prints as it was written`(text: String) throws {
    #expect(try #require(SocketAddress(parsing: text)).description == text)
  }

  @Test(arguments: [
    "", "80", "example.com:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+80",
    "127.0.0.1:-1", "::1:80", "[127.0.0.1]:80", "[::1]", "[::1]:x", "1.2.3:80", "unix:",
    "[fe80::1%nosuchdevice]:80", "127.0.0.1:8 0",
  ])
  func `what is no address is refused`(text: String) {
    #expect(SocketAddress(parsing: text) == nil)
  }

  @Test func `a Unix path longer than the kernel takes is refused`() throws {
    let longest = "/" + String(repeating: "a", count: SocketAddress.longestUnixPath - 1)
    #expect(try #require(SocketAddress(unixPath: longest)).unixPath == longest)
    #expect(SocketAddress(unixPath: longest + "a") == nil)
  }

  @Test func `an IPv4 viewer of a dual-stack listener is printed as IPv4`() throws {
    let mapped = try #require(SocketAddress(host: "::ffff:192.0.2.7", port: 4711))
    #expect(mapped.host == "192.0.2.7")
    #expect(mapped.description == "192.0.2.7:4711")
  }

  @Test func `equal addresses are one key, another port is another`() throws {
    let a = try #require(SocketAddress(host: "192.0.2.1", port: 80))
    #expect(Set([a, a.withPort(80), a.withPort(81)]).count == 2)
    #expect(a.withPort(81).port == 81)
  }

  @Test func `the kernel's answer comes back as written`() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(listener) }
    let any = try #require(SocketAddress(host: "127.0.0.1", port: 0))
    #expect(any.withUnsafeAddress { bind(listener, $0, $1) } == 0)
    let bound = try #require(SocketAddress.local(of: listener))
    #expect(bound.port != 0)
    #expect(bound.host == "127.0.0.1")
    #expect(SocketAddress.peer(of: listener) == nil)
  }
}
