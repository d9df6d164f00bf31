// SPDX-License-Identifier: Apache-2.0

/// What a sticky session's cookie says of a target: a hash under the edges' common secret, from
/// which nobody learns an address.
package func stickyToken(_ target: TargetState, secret: HashSeed) -> UInt64 {
  Array(target.address.utf8).withUnsafeBufferPointer {
    sipHash($0, seed: secret, compressionRounds: 2, finalizationRounds: 4).low
  }
}

/// The target that the viewer's cookie names; nil when it has none, or of a target that is gone.
package func stickyTarget(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, session: StickySession,
  targets: OriginTargets, secret: HashSeed
) -> Int? {
  guard head.fields.contains(.cookie) else { return nil }
  let name = Array(session.cookie.utf8)
  let expected = ByteBuffer(capacity: 16)
  var line = head.fields.firstIndex(of: .cookie)
  while let index = line {
    for pair in head.fields.value(at: index, in: base).split(separator: UInt8(ascii: ";")) {
      let pair = pair.drop { $0 == 0x20 || $0 == 0x09 }
      guard pair.starts(with: name), pair.dropFirst(name.count).first == UInt8(ascii: "=") else {
        continue
      }
      let value = pair.dropFirst(name.count + 1)
      for (place, target) in targets.all.enumerated() {
        expected.removeAll()
        expected.appendHex(stickyToken(target, secret: secret))
        if value.elementsEqual(expected.bytes) { return place }
      }
    }
    line = head.fields.nextIndex(of: .cookie, after: index)
  }
  return nil
}

/// Appends the field that keeps a viewer at a target.
///
/// `Lax` lets it come along when another site links here, which is when a session should be found
/// again; scripts have no use for it.
package func appendStickyCookie(
  _ session: StickySession, target: TargetState, secret: HashSeed, scheme: Scheme,
  to head: ByteBuffer
) {
  head.append("Set-Cookie: ")
  head.append(session.cookie)
  head.append("=")
  head.appendHex(stickyToken(target, secret: secret))
  head.append("; Path=/; Max-Age=")
  head.appendDecimal(UInt64(clamping: session.duration))
  head.append("; HttpOnly; SameSite=Lax")
  if scheme == .https { head.append("; Secure") }
  head.append("\r\n")
}
