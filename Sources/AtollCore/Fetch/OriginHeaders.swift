// SPDX-License-Identifier: Apache-2.0

/// The header fields that an origin is always sent, in place of what the viewer or the edge would
/// say: `Origin.headers` and its Host.
struct OriginHeaders {
  /// What Host says unless the viewer's is sent (RFC 9110 §7.2).
  let host: FixedBytes
  /// The same over https, where a port of its own belongs to it.
  let secureHost: FixedBytes
  /// Whether Host is the viewer's.
  let sendsViewerHost: Bool
  /// Whole lines.
  let lines: FixedBytes
  /// The known fields among them.
  let replaced: UInt64
  /// Names of the others, lower case.
  let names: NameList

  /// - Parameters:
  ///   - authority: the origin's own.
  ///   - secureAuthority: the same where viewers choose the scheme, and chose https.
  init(_ origin: Origin, authority: String, secureAuthority: String) {
    if case .name(let name) = origin.hostHeader {
      secureHost = FixedBytes(name)
    } else {
      secureHost = FixedBytes(secureAuthority)
    }
    switch origin.hostHeader {
    case .origin: (host, sendsViewerHost) = (FixedBytes(authority), false)
    case .viewer: (host, sendsViewerHost) = (FixedBytes(authority), true)
    case .name(let name): (host, sendsViewerHost) = (FixedBytes(name), false)
    }
    var text = ""
    var replaced: UInt64 = 0
    var names: [String] = []
    for field in origin.headers {
      let name = Array(field.name.lowercased().utf8)
      // What validation refuses must not break the framing of a request either.
      let mayBeSet = name.withUnsafeBufferPointer { FieldRules.mayBeSet(forOrigin: $0) }
      if !mayBeSet || !name.allSatisfy(isTokenByte)
        || field.value.utf8.contains(where: { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7f })
      {
        continue
      }
      let known = KnownField.of(name, length: name.count)
      if known == .other { names.append(field.name.lowercased()) } else { replaced |= known.bit }
      // CloudFront §7: an empty Accept-Encoding takes the field away.
      if known == .acceptEncoding && field.value.isEmpty { continue }
      text += "\(field.name): \(field.value)\r\n"
    }
    lines = FixedBytes(text)
    self.replaced = replaced
    self.names = NameList(names)
  }

  func deallocate() {
    host.deallocate()
    secureHost.deallocate()
    lines.deallocate()
    names.deallocate()
  }

  /// Whether the origin gets its own line of this name.
  func replaces(_ known: KnownField, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    known == .other ? names.containsIgnoringCase(name) : replaced & known.bit != 0
  }
}
