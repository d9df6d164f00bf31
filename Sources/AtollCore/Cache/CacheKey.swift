// SPDX-License-Identifier: Apache-2.0

/// Appends the full cache key of a request, laid out as `KeyLayout` says.
///
/// RFC 9111 §2 wants method and target URI in it. Where the viewer's host makes no difference to
/// the origin, the distribution's slot stands for it, so that all names of a site share entries.
/// - Parameter viewer: with the headers that the behavior compares.
package func appendCacheKey(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, distribution: DistributionPolicy,
  behavior: BehaviorPolicy, viewer: ViewerFacts, to key: ByteBuffer
) {
  let start = key.count
  let prefix = UnsafeMutableRawPointer(key.reserveTail(KeyLayout.urlOffset))
  var word = behavior.keyPrefix
  if viewer.scheme == .https && behavior.keysScheme { word |= KeyShape.https }
  if head.method == .options {
    word |= UInt64(KeyKind.options.rawValue) &<< UInt64(KeyLayout.kindOffset &* 8)
  }
  prefix.storeBytes(of: word.littleEndian, as: UInt64.self)
  key.advance(by: KeyLayout.urlOffset)
  head.appendURL(base, behavior: behavior, to: key)
  let length = UInt16(truncatingIfNeeded: key.count &- start &- KeyLayout.urlOffset)
  UnsafeMutableRawPointer(key.base + (start &+ KeyLayout.urlLengthOffset)).storeBytes(
    of: length.littleEndian, as: UInt16.self)
  if behavior.keysHost { key.appendPart(head.authority(in: base)) }
  if behavior.keyedHeaders.count > 0 { appendKeyedHeaders(head, base, behavior, to: key) }
  if !behavior.keyedViewerHeaders.isEmpty {
    appendKeyedViewerHeaders(viewer, behavior.keyedViewerHeaders, to: key)
  }
  if behavior.keysCookies { appendKeyedCookies(head, base, behavior, to: key) }
}

@inline(never)
private func appendKeyedViewerHeaders(
  _ viewer: ViewerFacts, _ keyed: ViewerHeaders, to key: ByteBuffer
) {
  var parts = ViewerParts(viewer.headers)
  while let part = parts.next() {
    if keyed.isDisjoint(with: part.header.set) { continue }
    if let value = part.value { key.appendPart(value) } else { key.appendLittleEndian(0) }
  }
}

@inline(never)
private func appendKeyedHeaders(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy, to key: ByteBuffer
) {
  let names = behavior.keyedHeaders
  for index in 0..<names.count {
    let known = names.known(index)
    if known == .host {
      key.appendPart(head.authority(in: base))
    } else if known != .other && !head.fields.contains(known) {
      key.appendLittleEndian(0)
    } else {
      let name = names[index]
      var values = FieldValues(head.fields, base, known: known, name: name)
      if values.isEmpty || head.withholds(name, base) {
        key.appendLittleEndian(0)
      } else {
        key.appendPart(joining: &values, separator: ", ")
      }
    }
  }
}

@inline(never)
private func appendKeyedCookies(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy, to key: ByteBuffer
) {
  withCookies(head, base) {
    behavior.cookies.keys($0)
  } _: { cookies in
    for index in 0..<cookies.count { key.appendPart(cookies[index]) }
  }
}

extension ByteBuffer {
  @inline(__always)
  func appendLittleEndian(_ value: UInt16) {
    reserve(2)
    append(UInt8(truncatingIfNeeded: value))
    append(UInt8(truncatingIfNeeded: value &>> 8))
  }

  /// A part of a key or Vary section behind its length.
  @inline(__always)
  func appendPart(_ part: UnsafeBufferPointer<UInt8>) {
    appendLittleEndian(KeyLayout.prefix(ofLength: part.count))
    append(part)
  }

  /// All lines of a field as one part: RFC 9110 §5.3 allows joining them, so it makes no difference
  /// how a viewer splits a list.
  func appendPart(joining values: inout FieldValues, separator: StaticString) {
    let start = count
    appendLittleEndian(0)
    var isFirst = true
    while let value = values.next() {
      if !isFirst { append(separator) }
      isFirst = false
      append(value)
    }
    setPrefix(at: start)
  }

  /// Says in the two bytes at `start` how long the part is that they precede.
  func setPrefix(at start: Int) {
    let prefix = KeyLayout.prefix(ofLength: count &- start &- 2)
    base[start] = UInt8(truncatingIfNeeded: prefix)
    base[start &+ 1] = UInt8(truncatingIfNeeded: prefix &>> 8)
  }
}
