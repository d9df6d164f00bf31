// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Appends the request's values of the headers that a response's Vary names (RFC 9111 §4.1), as the
/// origin received them; nothing without Vary, or when no named header can make a difference.
///
/// For each name: a byte with the known field, the name in lower case and the value, both as parts.
/// - Returns: false when the response can match no other request: for "*", and for a header that
///   the edge makes anew for every exchange.
package func appendVarySection(
  response: ResponseHead, responseBase: UnsafePointer<UInt8>, request: RequestHead,
  requestBase: UnsafePointer<UInt8>, behavior: BehaviorPolicy, viewer: ViewerFacts,
  to section: ByteBuffer
) -> Bool {
  var line = response.fields.firstIndex(of: .vary)
  var count = 0
  var namesCodings = false
  let start = section.count
  while let index = line {
    var members = ListMembers(response.fields.value(at: index, in: responseBase))
    while let name = members.next() {
      count &+= 1
      if count > Limits.varyNames || (name.count == 1 && name[0] == 0x2a) {
        section.truncate(to: start)
        return false
      }
      let known = KnownField.of(name.baseAddress!, length: name.count)
      if known == .acceptEncoding { namesCodings = true }
      switch behavior.reception(known, name) {
      case .constant: continue
      case .unique:
        section.truncate(to: start)
        return false
      case .varying:
        section.append(known.rawValue)
        section.appendLowercasedPart(name)
        // The name is read where it now stands while its value is appended.
        section.reserve(Limits.requestHead + longestViewerValue)
        let nameStart = section.count &- name.count
        appendReceivedValue(
          known, UnsafeBufferPointer(start: section.base + nameStart, count: name.count), request,
          requestBase, behavior, viewer, to: section)
      }
    }
    line = response.fields.nextIndex(of: .vary, after: index)
  }
  if !namesCodings && response.fields.contains(.contentEncoding) {
    // An origin that encodes what it sends was told that it may, whether it says so or not: what one
    // viewer can read is nothing for the next.
    appendCodings(request, requestBase, behavior, viewer, to: section)
  }
  return true
}

/// As if Vary named Accept-Encoding.
private func appendCodings(
  _ request: RequestHead, _ requestBase: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy,
  _ viewer: ViewerFacts, to section: ByteBuffer
) {
  let text: StaticString = "accept-encoding"
  let name = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  if behavior.reception(.acceptEncoding, name) == .constant { return }
  section.append(KnownField.acceptEncoding.rawValue)
  section.appendPart(name)
  appendReceivedValue(
    .acceptEncoding, name, request, requestBase, behavior, viewer, to: section)
}

/// Whether a request has the values that a section, written by `appendVarySection`, holds.
package func varyMatches(
  _ section: UnsafeBufferPointer<UInt8>, request: RequestHead, requestBase: UnsafePointer<UInt8>,
  behavior: BehaviorPolicy, viewer: ViewerFacts
) -> Bool {
  guard let base = section.baseAddress else { return true }
  var at = 0
  while at &+ 3 <= section.count {
    let known = KnownField(rawValue: base[at]) ?? .other
    at &+= 1
    let nameLength = Int(partPrefix(base + at)) &- 1
    let name = UnsafeBufferPointer(start: base + at + 2, count: nameLength)
    at &+= 2 &+ nameLength
    let valueLength = Int(partPrefix(base + at)) &- 1
    let value =
      valueLength < 0 ? nil : UnsafeBufferPointer(start: base + at + 2, count: valueLength)
    at &+= 2 &+ max(valueLength, 0)
    if !receivedValueEquals(value, known, name, request, requestBase, behavior, viewer) {
      return false
    }
  }
  return true
}

/// Whether two sections, neither empty, are about the same headers in the same order.
func haveSameVaryNames(
  _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>
) -> Bool {
  guard let a = first.baseAddress, let b = second.baseAddress else {
    return first.isEmpty == second.isEmpty
  }
  var at = 0
  var other = 0
  while at &+ 3 <= first.count && other &+ 3 <= second.count {
    let length = 2 &+ Int(partPrefix(a + at + 1))
    if length != 2 &+ Int(partPrefix(b + other + 1)) || memcmp(a + at, b + other, length) != 0 {
      return false
    }
    at &+= length
    other &+= length
    at &+= 2 &+ max(Int(partPrefix(a + at)) &- 1, 0)
    other &+= 2 &+ max(Int(partPrefix(b + other)) &- 1, 0)
  }
  return at &+ 3 > first.count && other &+ 3 > second.count
}

@inline(__always)
private func partPrefix(_ at: UnsafePointer<UInt8>) -> UInt16 {
  UInt16(at[0]) | UInt16(at[1]) &<< 8
}

/// What of a viewer's header reaches the origin.
enum FieldReception {
  /// Nothing, or the same for every request with this key.
  case constant
  /// Something new with every exchange.
  case unique
  /// The viewer's value.
  case varying
}

extension BehaviorPolicy {
  func reception(_ known: KnownField, _ name: UnsafeBufferPointer<UInt8>) -> FieldReception {
    if replacedFields & known.bit != 0 && known != .other { return .constant }
    switch known {
    case .other:
      if let header = ViewerHeader(named: name) { return reception(header) }
      // Before a response may be stored, the method was one that is cached.
      return keyedHeaders.containsIgnoringCase(name) || !forwards(unknown: name, isStorable: true)
        ? .constant : .varying
    case .cookie: return cookies.keysAllSent ? .constant : .varying
    case .acceptEncoding:
      return keyedFields & known.bit != 0 || negotiation == .withheld ? .constant : .varying
    case .xForwardedFor, .xRequestID, .via: return .unique
    case .te: return .varying
    default:
      // A viewer's conditions and ranges stay at the edge when the response may be stored.
      let received = copiedFields & ~keyedFields & ~FieldRules.conditional
      return received & known.bit == 0 ? .constant : .varying
    }
  }

  private func reception(_ header: ViewerHeader) -> FieldReception {
    if sentViewerHeaders.isDisjoint(with: header.set) { return .constant }
    if !ViewerHeaders.unique.isDisjoint(with: header.set) { return .unique }
    return comparedViewerHeaders.subtracting(keyedViewerHeaders).isDisjoint(with: header.set)
      ? .constant : .varying
  }

  /// Accept-Encoding as the origin gets it when the response may be stored; nil as received.
  func acceptedCodings(_ head: RequestHead, _ base: UnsafePointer<UInt8>) -> StaticString? {
    guard negotiation == .reduced else { return nil }
    return AcceptedCodings(head, base, among: settings.key.codings).text
  }
}

private func appendReceivedValue(
  _ known: KnownField, _ name: UnsafeBufferPointer<UInt8>, _ request: RequestHead,
  _ requestBase: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy, _ viewer: ViewerFacts,
  to section: ByteBuffer
) {
  if known == .te {
    // All that the origin sees of it.
    let text: StaticString = "trailers"
    if request.acceptsTrailers(requestBase) {
      section.appendPart(
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    } else {
      section.appendLittleEndian(0)
    }
    return
  }
  if known == .acceptEncoding, let text = behavior.acceptedCodings(request, requestBase) {
    section.appendPart(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    return
  }
  if known == .other, let header = ViewerHeader(named: name) {
    if let value = viewer.value(of: header) {
      section.appendPart(value)
    } else {
      section.appendLittleEndian(0)
    }
    return
  }
  var values = FieldValues(request.fields, requestBase, known: known, name: name)
  if values.isEmpty || request.withholds(name, requestBase) {
    section.appendLittleEndian(0)
    return
  }
  withNormalized(&values, known.varyForm) { section.appendPart($0) }
}

private func receivedValueEquals(
  _ stored: UnsafeBufferPointer<UInt8>?, _ known: KnownField,
  _ name: UnsafeBufferPointer<UInt8>, _ request: RequestHead,
  _ requestBase: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy, _ viewer: ViewerFacts
) -> Bool {
  if known == .te { return (stored != nil) == request.acceptsTrailers(requestBase) }
  if known == .acceptEncoding, let text = behavior.acceptedCodings(request, requestBase) {
    guard let stored else { return false }
    return sameBytes(
      stored, UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
  if known == .other, let header = ViewerHeader(named: name) {
    guard let value = viewer.value(of: header) else { return stored == nil }
    return stored.map { sameBytes($0, value) } ?? false
  }
  var values = FieldValues(request.fields, requestBase, known: known, name: name)
  if values.isEmpty || request.withholds(name, requestBase) { return stored == nil }
  guard let stored else { return false }
  return withNormalized(&values, known.varyForm) { sameBytes(stored, $0) }
}

extension ByteBuffer {
  func appendLowercasedPart(_ part: UnsafeBufferPointer<UInt8>) {
    appendLittleEndian(KeyLayout.prefix(ofLength: part.count))
    reserve(part.count)
    for byte in part { append(lowercased(byte)) }
  }
}
