// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CMaxMind
import Glibc

/// A GeoIP database in MaxMind's format (GeoLite2, GeoIP2, DB-IP and others): where an address is.
///
/// The file is mapped into memory, not read: replace it by renaming, never write into it while an
/// edge has it open.
package final class GeoDatabase: @unchecked Sendable {
  package let path: String
  /// What it says it is: "GeoLite2-City".
  package let type: String
  private let database: UnsafeMutablePointer<MMDB_s>

  package init(path: String) throws(GeoDatabaseError) {
    self.path = path
    let database = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
    database.initialize(to: MMDB_s())
    // The library calls a directory, or an empty file, a broken database; what the kernel says is
    // clearer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
      let error = errno
      database.deallocate()
      throw GeoDatabaseError(path: path, reason: SystemCall.errorText(error))
    }
    close(descriptor)
    let result = MMDB_open(path, UInt32(MMDB_MODE_MMAP), database)
    if result != MMDB_SUCCESS {
      database.deallocate()
      throw GeoDatabaseError(
        path: path,
        reason: result == MMDB_OUT_OF_MEMORY_ERROR
          ? "there is not enough memory for it" : "it is no database in MaxMind's format")
    }
    self.database = database
    type = database.pointee.metadata.database_type.map { String(cString: $0) } ?? ""
  }

  deinit {
    MMDB_close(database)
    database.deallocate()
  }

  package func record(of address: IPAddress) -> GeoDatabaseRecord? {
    var error: Int32 = MMDB_SUCCESS
    let found: MMDB_lookup_result_s
    if address.isIPv4 {
      var socketAddress = sockaddr_in()
      socketAddress.sin_family = sa_family_t(AF_INET)
      socketAddress.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
      found = withUnsafePointer(to: &socketAddress) { pointer in
        MMDB_lookup_sockaddr(
          database, UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &error)
      }
    } else {
      var socketAddress = sockaddr_in6()
      socketAddress.sin6_family = sa_family_t(AF_INET6)
      withUnsafeMutableBytes(of: &socketAddress.sin6_addr) { bytes in
        bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
        bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      found = withUnsafePointer(to: &socketAddress) { pointer in
        MMDB_lookup_sockaddr(
          database, UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self), &error)
      }
    }
    guard error == MMDB_SUCCESS, found.found_entry else { return nil }
    return GeoDatabaseRecord(database: self, entry: found.entry)
  }
}

/// Why a database cannot be used.
package struct GeoDatabaseError: Error, Equatable, Sendable {
  package let path: String
  package let reason: String

  package var message: String { "cannot use the GeoIP database \"\(path)\": \(reason)" }
  package var hint: String {
    "give a file in MaxMind's format (.mmdb), such as GeoLite2-Country.mmdb, with --geo-database"
  }
}

/// What a database holds on one address.
package struct GeoDatabaseRecord: GeoRecord {
  /// Into whose file `entry` points.
  fileprivate let database: GeoDatabase
  fileprivate let entry: MMDB_entry_s

  /// Of the place, else where its network is registered.
  package var country: CountryCode? {
    text(GeoPaths.country).flatMap { CountryCode($0) }
      ?? text(GeoPaths.registeredCountry).flatMap { CountryCode($0) }
  }

  package func append(_ header: ViewerHeader, to buffer: ByteBuffer) -> Bool {
    switch header {
    case .country:
      guard let country else { return false }
      buffer.append(country.first)
      buffer.append(country.second)
      return true
    case .countryName:
      return append(GeoPaths.countryName, to: buffer)
        || append(GeoPaths.registeredCountryName, to: buffer)
    case .region: return append(GeoPaths.region, to: buffer)
    case .regionName: return append(GeoPaths.regionName, to: buffer)
    case .city: return append(GeoPaths.city, to: buffer)
    case .postalCode: return append(GeoPaths.postalCode, to: buffer)
    case .timeZone: return append(GeoPaths.timeZone, to: buffer)
    case .metroCode: return appendNumber(GeoPaths.metroCode, to: buffer)
    case .asn: return appendNumber(GeoPaths.asn, to: buffer)
    case .latitude: return appendCoordinate(GeoPaths.latitude, to: buffer)
    case .longitude: return appendCoordinate(GeoPaths.longitude, to: buffer)
    default: return false
    }
  }

  private func value(_ path: GeoPaths.Path) -> MMDB_entry_data_s? {
    var start = entry
    var data = MMDB_entry_data_s()
    let result = withExtendedLifetime(database) { MMDB_aget_value(&start, &data, path.names) }
    return result == MMDB_SUCCESS && data.has_data ? data : nil
  }

  private func text(_ path: GeoPaths.Path) -> UnsafeBufferPointer<UInt8>? {
    guard let data = value(path), data.type == UInt32(MMDB_DATA_TYPE_UTF8_STRING),
      let start = data.utf8_string
    else { return nil }
    return UnsafeBufferPointer(
      start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self), count: Int(data.data_size)
    )
  }

  /// Percent-encodes what a field value cannot hold (CloudFront §14).
  private func append(_ path: GeoPaths.Path, to buffer: ByteBuffer) -> Bool {
    guard let text = text(path), !text.isEmpty else { return false }
    for byte in text {
      if byte >= 0x20 && byte < 0x7f && byte != 0x25 {
        buffer.append(byte)
      } else {
        buffer.append(0x25)
        appendHexByte(byte, letters: UInt8(ascii: "A"), to: buffer)
      }
    }
    return true
  }

  private func appendNumber(_ path: GeoPaths.Path, to buffer: ByteBuffer) -> Bool {
    guard let data = value(path) else { return false }
    switch Int32(bitPattern: data.type) {
    case MMDB_DATA_TYPE_UINT16: buffer.appendDecimal(UInt64(data.uint16))
    case MMDB_DATA_TYPE_UINT32: buffer.appendDecimal(UInt64(data.uint32))
    case MMDB_DATA_TYPE_UINT64: buffer.appendDecimal(data.uint64)
    default: return false
    }
    return true
  }

  /// Degrees with five decimals, about a metre.
  private func appendCoordinate(_ path: GeoPaths.Path, to buffer: ByteBuffer) -> Bool {
    guard let data = value(path) else { return false }
    let degrees: Double
    switch Int32(bitPattern: data.type) {
    case MMDB_DATA_TYPE_DOUBLE: degrees = data.double_value
    case MMDB_DATA_TYPE_FLOAT: degrees = Double(data.float_value)
    default: return false
    }
    guard degrees.magnitude <= 360 else { return false }
    let scaled = Int((degrees.magnitude * 100_000).rounded())
    if degrees < 0 && scaled > 0 { buffer.append(0x2d) }
    buffer.appendDecimal(UInt64(scaled / 100_000))
    buffer.append(0x2e)
    var rest = scaled % 100_000
    var digits: UInt64 = 10_000
    // No trailing zeros but the first decimal.
    repeat {
      buffer.appendDecimal(UInt64(rest) / digits)
      rest %= Int(digits)
      digits /= 10
    } while rest > 0
    return true
  }
}

/// Where MaxMind's databases keep things. Made once, never freed: the library wants C strings.
private enum GeoPaths {
  struct Path: @unchecked Sendable {
    let names: UnsafePointer<UnsafePointer<CChar>?>

    init(_ parts: String...) {
      let names = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: parts.count + 1)
      for (index, part) in parts.enumerated() {
        (names + index).initialize(to: UnsafePointer(strdup(part)))
      }
      (names + parts.count).initialize(to: nil)
      self.names = UnsafePointer(names)
    }
  }

  static let country = Path("country", "iso_code")
  static let registeredCountry = Path("registered_country", "iso_code")
  static let countryName = Path("country", "names", "en")
  static let registeredCountryName = Path("registered_country", "names", "en")
  static let region = Path("subdivisions", "0", "iso_code")
  static let regionName = Path("subdivisions", "0", "names", "en")
  static let city = Path("city", "names", "en")
  static let postalCode = Path("postal", "code")
  static let metroCode = Path("location", "metro_code")
  static let latitude = Path("location", "latitude")
  static let longitude = Path("location", "longitude")
  static let timeZone = Path("location", "time_zone")
  static let asn = Path("autonomous_system_number")
}
