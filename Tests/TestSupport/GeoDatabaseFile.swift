// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What MaxMind's format can hold, as far as tests need it.
package indirect enum GeoValue: Sendable {
  case text(String)
  case number(UInt32)
  /// In two and in eight bytes, as the library wants some of its own.
  case short(UInt16)
  case long(UInt64)
  case fraction(Double)
  case map([(String, GeoValue)])
  case list([GeoValue])

  /// As in a database of countries.
  package static func country(_ code: String, _ name: String = "Country") -> GeoValue {
    .map([("country", .map([("iso_code", .text(code)), ("names", .map([("en", .text(name))]))]))])
  }
}

/// Writes a GeoIP database (MaxMind DB File Format 2.0): a binary tree of the bits of addresses
/// whose leaves point into a section of data.
package struct GeoDatabaseFile {
  private enum Record {
    case empty
    case node(Int)
    /// Offset in the data section.
    case data(Int)
  }

  private var nodes: [(Record, Record)] = [(.empty, .empty)]
  private var data: [UInt8] = []
  private let type: String

  package init(type: String = "Test-City") { self.type = type }

  /// - Parameter network: `192.0.2.0/24` or `2001:db8::/32`; no two may overlap.
  package mutating func add(_ network: String, _ value: GeoValue) {
    let (bits, length) = Self.bits(network)
    let leaf = Record.data(data.count)
    Self.append(value, to: &data)
    var node = 0
    for index in 0..<length {
      let isLast = index == length - 1
      let present = bits[index] ? nodes[node].1 : nodes[node].0
      var next = leaf
      if !isLast {
        if case .node = present {
          next = present
        } else {
          nodes.append((.empty, .empty))
          next = .node(nodes.count - 1)
        }
      }
      if bits[index] { nodes[node].1 = next } else { nodes[node].0 = next }
      if case .node(let following) = next { node = following }
    }
  }

  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for (left, right) in nodes {
      for record in [left, right] {
        let value: Int
        switch record {
        case .empty: value = nodes.count
        case .node(let index): value = index
        // The separator's 16 bytes count.
        case .data(let offset): value = nodes.count + 16 + offset
        }
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
      }
    }
    bytes += [UInt8](repeating: 0, count: 16) + data
    bytes += [0xab, 0xcd, 0xef] + Array("MaxMind.com".utf8)
    Self.append(
      .map([
        ("binary_format_major_version", .short(2)), ("binary_format_minor_version", .short(0)),
        ("build_epoch", .long(1_772_366_400)), ("database_type", .text(type)),
        ("description", .map([("en", .text("made by a test"))])), ("ip_version", .short(6)),
        ("languages", .list([.text("en")])), ("node_count", .number(UInt32(nodes.count))),
        ("record_size", .short(32)),
      ]), to: &bytes)
    return bytes
  }

  /// The path of what was written, put in place as a database should be: by renaming.
  @discardableResult
  package func write(to path: String) -> String {
    let bytes = self.bytes
    let stream = fopen(path + ".new", "w")!
    fwrite(bytes, 1, bytes.count, stream)
    fclose(stream)
    rename(path + ".new", path)
    return path
  }

  /// The bits of an address in a tree of IPv6 addresses, where IPv4 has ::/96.
  private static func bits(_ network: String) -> ([Bool], Int) {
    let parts = network.split(separator: "/")
    var address = [UInt8](repeating: 0, count: 16)
    var length = Int(parts[1])!
    if parts[0].contains(":") {
      precondition(inet_pton(AF_INET6, String(parts[0]), &address) == 1, network)
    } else {
      var four = [UInt8](repeating: 0, count: 4)
      precondition(inet_pton(AF_INET, String(parts[0]), &four) == 1, network)
      address.replaceSubrange(12..., with: four)
      length += 96
    }
    return (address.flatMap { byte in (0..<8).map { byte & (0x80 >> $0) != 0 } }, length)
  }

  private static func append(_ value: GeoValue, to bytes: inout [UInt8]) {
    /// Types above 7 stand in a byte of their own.
    func control(_ type: UInt8, _ size: Int) {
      precondition(size < 29 + 256)
      bytes.append((type > 7 ? 0 : type << 5) | UInt8(min(size, 29)))
      if type > 7 { bytes.append(type - 7) }
      if size >= 29 { bytes.append(UInt8(size - 29)) }
    }
    switch value {
    case .text(let text):
      control(2, text.utf8.count)
      bytes += Array(text.utf8)
    case .fraction(let number):
      control(3, 8)
      withUnsafeBytes(of: number.bitPattern.bigEndian) { bytes += Array($0) }
    case .number(let number):
      control(6, 4)
      withUnsafeBytes(of: number.bigEndian) { bytes += Array($0) }
    case .short(let number):
      control(5, 2)
      withUnsafeBytes(of: number.bigEndian) { bytes += Array($0) }
    case .long(let number):
      control(9, 8)
      withUnsafeBytes(of: number.bigEndian) { bytes += Array($0) }
    case .map(let pairs):
      control(7, pairs.count)
      for (key, value) in pairs {
        append(.text(key), to: &bytes)
        append(value, to: &bytes)
      }
    case .list(let values):
      control(11, values.count)
      for value in values { append(value, to: &bytes) }
    }
  }
}
