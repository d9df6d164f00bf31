// SPDX-License-Identifier: Apache-2.0

/// The parts of a request that a behavior selects, for the key and for the origin alike: what the
/// origin sees of them is exactly what the key holds.
extension RequestHead {
  /// The path as received; "/" when the target has none (RFC 9112 §3.2.2).
  @inline(__always)
  package func path(in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    if pathLength == 0 {
      let slash: StaticString = "/"
      return UnsafeBufferPointer(start: slash.utf8Start, count: 1)
    }
    return UnsafeBufferPointer(start: base + Int(pathStart), count: Int(pathLength))
  }

  /// Whether an OPTIONS request is about the server as a whole: "*", or an absolute form without
  /// path and query, which means the same (RFC 9112 §3.2.4).
  func isAboutServer(_ base: UnsafePointer<UInt8>) -> Bool {
    pathLength == 0 ? !hasQuery : base[Int(pathStart)] != 0x2f
  }

  @inline(__always)
  package func authority(in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: base + Int(authorityStart), count: Int(authorityLength))
  }

  /// Path, "?" and query as the key has them.
  @inline(__always)
  func appendURL(_ base: UnsafePointer<UInt8>, behavior: BehaviorPolicy, to buffer: ByteBuffer) {
    if behavior.keyURL == .composed {
      appendComposedURL(base, behavior, forOrigin: !behavior.caches, to: buffer)
    } else {
      appendPlainURL(base, behavior.keyURL, to: buffer)
    }
  }

  /// The same as the origin gets them: with the parameters that are sent without being keyed.
  func appendOriginURL(
    _ base: UnsafePointer<UInt8>, behavior: BehaviorPolicy, to buffer: ByteBuffer
  ) {
    if behavior.originURL == .composed {
      appendComposedURL(base, behavior, forOrigin: true, to: buffer)
    } else {
      appendPlainURL(base, behavior.originURL, to: buffer)
    }
  }

  @inline(__always)
  private func appendPlainURL(
    _ base: UnsafePointer<UInt8>, _ mode: BehaviorPolicy.URLMode, to buffer: ByteBuffer
  ) {
    if !hasQuery || mode == .pathOnly {
      buffer.append(path(in: base))
    } else {
      if pathLength == 0 { buffer.append(0x2f) }
      // "?" and query follow the path in every form of target.
      buffer.append(base + Int(pathStart), Int(pathLength) &+ 1 &+ Int(queryLength))
    }
  }

  @inline(never)
  private func appendComposedURL(
    _ base: UnsafePointer<UInt8>, _ behavior: BehaviorPolicy, forOrigin: Bool, to buffer: ByteBuffer
  ) {
    let query = UnsafeBufferPointer(start: base + Int(queryStart), count: Int(queryLength))
    behavior.appendURL(
      path: path(in: base), query: hasQuery ? query : nil, forOrigin: forOrigin, to: buffer)
  }

  /// Whether Connection keeps this field from the origin. What the origin does not get must not
  /// count for key or Vary either, or a viewer could store a response under a value that the origin
  /// never saw.
  @inline(__always)
  func withholds(_ name: UnsafeBufferPointer<UInt8>, _ base: UnsafePointer<UInt8>) -> Bool {
    connectionListsFields && fields.connectionLists(name, base)
  }
}

extension BehaviorPolicy {
  /// The URL of a key, or of a request to the origin: with the document that stands for a
  /// directory, and the parameters that are chosen; "?" only before one of them, or where the query
  /// goes on as received.
  func appendURL(
    path: UnsafeBufferPointer<UInt8>, query: UnsafeBufferPointer<UInt8>?, forOrigin: Bool,
    to buffer: ByteBuffer
  ) {
    buffer.append(path)
    buffer.append(documents.document(for: path))
    guard let query else { return }
    switch forOrigin ? queries.sent : queries.keyed {
    case .none: return
    case .all:
      buffer.append(0x3f)
      buffer.append(query)
    case .chosen:
      withQueryParameters(query) {
        forOrigin ? queries.sends($0) : queries.keys($0)
      } _: { pieces in
        if sortsQuery { pieces.sort(byValue: true) }
        for index in 0..<pieces.count {
          buffer.append(index == 0 ? 0x3f : 0x26)
          buffer.append(pieces[index])
        }
      }
    }
  }
}

/// Iterates over the values of all lines of one field.
struct FieldValues {
  private let fields: FieldTable
  private let base: UnsafePointer<UInt8>
  private let known: KnownField
  private let name: UnsafeBufferPointer<UInt8>
  private var line: Int?

  /// - Parameter name: lower case.
  init(
    _ fields: FieldTable, _ base: UnsafePointer<UInt8>, known: KnownField,
    name: UnsafeBufferPointer<UInt8>
  ) {
    self.fields = fields
    self.base = base
    self.known = known
    self.name = name
    line =
      known == .other
      ? fields.firstIndex(ofName: name, in: base) : fields.firstIndex(of: known)
  }

  var isEmpty: Bool { line == nil }

  mutating func next() -> UnsafeBufferPointer<UInt8>? {
    guard let current = line else { return nil }
    line =
      known == .other
      ? fields.nextIndex(ofName: name, in: base, after: current)
      : fields.nextIndex(of: known, after: current)
    return fields.value(at: current, in: base)
  }
}
