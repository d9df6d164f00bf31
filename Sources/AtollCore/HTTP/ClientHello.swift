// SPDX-License-Identifier: Apache-2.0

/// What a TLS client asks for before anything is agreed on: parts of its first message.

/// The host of the extension server_name (RFC 6066 §3), as `serverName` writes it. Nil when there is
/// none in it; an address is none.
package func serverName(inExtension bytes: UnsafeBufferPointer<UInt8>) -> String? {
  guard bytes.count >= 2, Int(bytes[0]) << 8 | Int(bytes[1]) == bytes.count - 2 else { return nil }
  var at = 2
  while bytes.count - at >= 3 {
    let length = Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
    guard length <= bytes.count - at - 3 else { return nil }
    if bytes[at] == 0 {
      let host = UnsafeBufferPointer(rebasing: bytes[(at + 3)..<(at + 3 + length)])
      return host.isEmpty || IPAddress(host) != nil ? nil : serverName(host)
    }
    at += 3 + length
  }
  return nil
}

/// Where the name of a protocol stands in a list of names, each behind a byte with its length
/// (RFC 7301 §3.1).
package func find(_ name: StaticString, inProtocolList list: UnsafeBufferPointer<UInt8>) -> Int? {
  let wanted = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
  var at = 0
  while at < list.count {
    let length = Int(list[at])
    guard length <= list.count - at - 1 else { return nil }
    if length == wanted.count, list[(at + 1)..<(at + 1 + length)].elementsEqual(wanted) {
      return at + 1
    }
    at += 1 + length
  }
  return nil
}

/// Whether an extension's list of protocols is `acme-tls/1` alone (RFC 8737 §3).
package func isChallenge(protocolList bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  let name: StaticString = "acme-tls/1"
  guard bytes.count == name.utf8CodeUnitCount + 3 else { return false }
  return find(name, inProtocolList: UnsafeBufferPointer(rebasing: bytes[2...])) == 1
}

/// Whether an extension supported_versions (RFC 8446 §4.2.1) offers TLS 1.3.
package func offersTLS13(versionList bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  var at = 1
  while at + 1 < bytes.count {
    if bytes[at] == 3 && bytes[at + 1] == 4 { return true }
    at += 2
  }
  return false
}
