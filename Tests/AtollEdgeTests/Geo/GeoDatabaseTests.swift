// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import TestSupport
import Testing

struct GeoDatabaseTests {
  private let directory = TemporaryDirectory()

  private static let berlin = GeoValue.map([
    ("country", .map([("iso_code", .text("DE")), ("names", .map([("en", .text("Germany"))]))])),
    (
      "subdivisions",
      .list([
        .map([("iso_code", .text("BE")), ("names", .map([("en", .text("Land Berlin"))]))])
      ])
    ),
    ("city", .map([("names", .map([("de", .text("Berlin")), ("en", .text("Köpenick 1%"))]))])),
    ("postal", .map([("code", .text("12555"))])),
    (
      "location",
      .map([
        ("latitude", .fraction(52.4455)), ("longitude", .fraction(-13.574999)),
        ("metro_code", .number(807)), ("time_zone", .text("Europe/Berlin")),
      ])
    ),
    ("autonomous_system_number", .number(64_496)),
  ])

  private func database() throws -> GeoDatabase {
    var file = GeoDatabaseFile(type: "GeoLite2-City")
    file.add("192.0.2.0/24", Self.berlin)
    file.add("198.51.100.7/32", .country("FR", "France"))
    file.add("203.0.113.0/25", .map([("registered_country", .map([("iso_code", .text("US"))]))]))
    file.add("203.0.113.128/25", .map([("autonomous_system_number", .number(1))]))
    file.add("100.64.0.0/10", .country("fr"))
    file.add("2001:db8::/32", .country("AT", "Austria"))
    return try GeoDatabase(path: file.write(to: directory.file("test.mmdb")))
  }

  @Test(
    arguments: [
      ("192.0.2.0", "DE"), ("192.0.2.255", "DE"), ("192.0.3.0", nil), ("198.51.100.7", "FR"),
      ("198.51.100.6", nil), ("::ffff:192.0.2.1", "DE"), ("2001:db8::1", "AT"),
      ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "AT"), ("2001:db9::", nil), ("::1", nil),
      ("127.0.0.1", nil),
      // Where the network is registered, when nothing closer is known.
      ("203.0.113.5", "US"),
      // An address without a country, one with a code that is none.
      ("203.0.113.200", nil), ("100.64.1.1", nil),
    ] as [(String, String?)])
  func `the country of an address`(address: String, expected: String?) throws {
    let address = try #require(IPAddress(address))
    #expect(try database().record(of: address)?.country == expected.flatMap { CountryCode($0) })
  }

  @Test(
    arguments: [
      (.country, "DE"), (.countryName, "Germany"), (.region, "BE"), (.regionName, "Land Berlin"),
      // What a field value cannot hold is percent-encoded (CloudFront §14).
      (.city, "K%C3%B6penick 1%25"), (.postalCode, "12555"), (.metroCode, "807"),
      (.latitude, "52.4455"), (.longitude, "-13.575"), (.timeZone, "Europe/Berlin"),
      (.asn, "64496"), (.isMobile, nil),
    ] as [(ViewerHeader, String?)])
  func `what a record tells`(header: ViewerHeader, expected: String?) throws {
    let database = try database()
    let record = try #require(database.record(of: IPAddress(ipv4: 0xc000_0201)))
    let buffer = ByteBuffer()
    let isKnown = record.append(header, to: buffer)
    #expect((isKnown ? String(decoding: buffer.bytes, as: UTF8.self) : nil) == expected)
  }

  @Test func `what a database lacks is not made up`() throws {
    let database = try database()
    let record = try #require(database.record(of: IPAddress(ipv4: 0xc633_6407)))
    let buffer = ByteBuffer()
    for header in ViewerHeader.allCases where header != .country && header != .countryName {
      #expect(!record.append(header, to: buffer))
    }
    #expect(buffer.count == 0)
  }

  @Test(arguments: [(52.0, "52.0"), (0.00001, "0.00001"), (-0.000001, "0.0"), (180, "180.0")])
  func `degrees`(value: Double, expected: String) throws {
    var file = GeoDatabaseFile()
    file.add("192.0.2.0/24", .map([("location", .map([("latitude", .fraction(value))]))]))
    let database = try GeoDatabase(path: file.write(to: directory.file("degrees.mmdb")))
    let buffer = ByteBuffer()
    #expect(
      try #require(database.record(of: IPAddress(ipv4: 0xc000_0201))).append(.latitude, to: buffer))
    #expect(String(decoding: buffer.bytes, as: UTF8.self) == expected)
  }

  @Test func `a file that cannot be used is named, with the reason`() throws {
    func reason(_ path: String) -> String? {
      do {
        _ = try GeoDatabase(path: path)
        return nil
      } catch {
        #expect(error.path == path)
        return error.reason
      }
    }
    #expect(reason(directory.file("missing.mmdb")) == "no such file or directory")
    let noDatabase = "it is no database in MaxMind's format"
    #expect(reason(directory.write("text.mmdb", "hello\n")) == noDatabase)
    #expect(reason(directory.write("empty.mmdb", "")) == noDatabase)
    #expect(reason(directory.path) == noDatabase)
    #expect(try database().type == "GeoLite2-City")
  }
}
