// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Testing

struct IPAddressTests {
  @Test(arguments: [
    ("192.0.2.1", IPAddress(ipv4: 0xc000_0201)), ("0.0.0.0", IPAddress(ipv4: 0)),
    ("::ffff:192.0.2.1", IPAddress(ipv4: 0xc000_0201)), ("::1", IPAddress(high: 0, low: 1)),
    ("2001:DB8::1", IPAddress(high: 0x2001_0db8_0000_0000, low: 1)),
    (
      "1111:2222:3333:4444:5555:6666:255.255.255.255",
      IPAddress(high: 0x1111_2222_3333_4444, low: 0x5555_6666_ffff_ffff)
    ),
  ])
  func `an address`(text: String, expected: IPAddress) { #expect(IPAddress(text) == expected) }

  @Test(arguments: [
    "", "1", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1 ", " 192.0.2.1", "192.0.2.1:80",
    "[::1]", "::1%eth0", "fe80::1%1", ":::", "1:2:3:4:5:6:7", "localhost", "192.0.2.1/24",
    "192.0.2.1\u{0}", String(repeating: "1", count: 46),
  ])
  func `no address`(text: String) { #expect(IPAddress(text) == nil) }

  @Test(arguments: ["192.0.2.1", "0.0.0.0", "::1", "::", "2001:db8::1", "fe80::1:0:0:1"])
  func `as it is written`(text: String) { #expect(IPAddress(text)?.description == text) }

  @Test(arguments: [
    ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
    ("192.0.2.7/24", "192.0.2.1", true), ("192.0.2.1", "192.0.2.1", true),
    ("192.0.2.1", "192.0.2.2", false), ("0.0.0.0/0", "203.0.113.9", true),
    ("0.0.0.0/0", "2001:db8::1", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
    ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
    ("2001:db8::/64", "2001:db8::1", true), ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
    ("2001:db8::1", "2001:db8::1", true), ("2001:db8::1/127", "2001:db8::", true),
    ("::/0", "192.0.2.1", true), ("::1", "127.0.0.1", false),
  ])
  func `a network contains`(network: String, address: String, expected: Bool) throws {
    let network = try #require(IPNetwork(network))
    #expect(network.contains(try #require(IPAddress(address))) == expected)
  }

  @Test(arguments: [
    "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/08a",
    "2001:db8::/129", "10.0.0/8", "example.com", "10.0.0.0/ 8",
  ])
  func `no network`(text: String) { #expect(IPNetwork(text) == nil) }
}
