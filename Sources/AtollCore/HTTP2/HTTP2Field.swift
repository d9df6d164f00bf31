// SPDX-License-Identifier: Apache-2.0

/// One field of a response, as `HeaderReader` finds it and `HeaderEncoder` takes it.
package struct HTTP2Field {
  /// How the field goes into the table that both ends of a connection keep.
  package enum Habit: UInt8, Sendable {
    /// At once: the next response will have it too.
    case settled
    /// When it comes for the second time: it is one object's, or one second's.
    case varying
    /// Its value never comes again; its name has a place in the table.
    case changing
    /// Never, and nobody on the way may keep it either (RFC 7541 §7.1.3).
    case secret
  }

  /// The name in lower case, and behind it the value.
  package var bytes: UnsafePointer<UInt8>
  package var nameCount: UInt32
  package var valueCount: UInt32
  /// Of name and value.
  package var hash: UInt32
  package var nameHash: UInt32
  /// Of the name in the static table; 0 when it is not there.
  package var staticName: UInt8
  /// Of the whole field.
  package var staticField: UInt8
  package var habit: Habit

  @inline(__always)
  var size: Int { Int(nameCount) &+ Int(valueCount) }
}

/// The static table of HPACK (RFC 7541 Appendix A), counting from 1.
enum StaticTable {
  static let count = 61
  /// Of `:status`, followed by its values 200, 204, 206, 304, 400, 404 and 500.
  static let status: UInt8 = 8

  static let names: [String] = [
    ":authority", ":method", ":method", ":path", ":path", ":scheme", ":scheme", ":status",
    ":status", ":status", ":status", ":status", ":status", ":status", "accept-charset",
    "accept-encoding", "accept-language", "accept-ranges", "accept",
    "access-control-allow-origin", "age", "allow", "authorization", "cache-control",
    "content-disposition", "content-encoding", "content-language", "content-length",
    "content-location", "content-range", "content-type", "cookie", "date", "etag", "expect",
    "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
    "if-unmodified-since", "last-modified", "link", "location", "max-forwards",
    "proxy-authenticate", "proxy-authorization", "range", "referer", "refresh", "retry-after",
    "server", "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent",
    "vary", "via", "www-authenticate",
  ]

  /// Of the entries that have one.
  static let values: [Int: String] = [
    2: "GET", 3: "POST", 4: "/", 5: "/index.html", 6: "http", 7: "https", 8: "200", 9: "204",
    10: "206", 11: "304", 12: "400", 13: "404", 14: "500", 16: "gzip, deflate",
  ]

  /// The index of a whole `:status` field; 0 when it is not there.
  static func index(ofStatus digits: UnsafePointer<UInt8>) -> UInt8 {
    switch (digits[0], digits[1], digits[2]) {
    case (0x32, 0x30, 0x30): 8
    case (0x32, 0x30, 0x34): 9
    case (0x32, 0x30, 0x36): 10
    case (0x33, 0x30, 0x34): 11
    case (0x34, 0x30, 0x30): 12
    case (0x34, 0x30, 0x34): 13
    case (0x35, 0x30, 0x30): 14
    default: 0
    }
  }
}
