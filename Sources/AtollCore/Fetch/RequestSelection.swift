// SPDX-License-Identifier: Apache-2.0

/// The parts of a request that a behavior selects, for the key and for the origin alike: what the
/// origin sees of them is exactly what the key holds.
extension RequestHead {
  /// The path as received; "/" when the target has none (RFC 9112 §3.2.2).
  @inline(__always)
  func path(in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
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
  func authority(in base: UnsafePointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: base + Int(authorityStart), count: Int(authorityLength))
  }

  /// Path, "?" and the selected query.
  @inline(__always)
  func appendURL(_ base: UnsafePointer<UInt8>, behavior: BehaviorPolicy, to buffer: ByteBuffer) {
    let length = Int(pathLength)
    if !hasQuery || behavior.queries == .none {
      buffer.append(path(in: base))
    } else if behavior.queries == .all {
      if length == 0 { buffer.append(0x2f) }
      // "?" and query follow the path in every form of target.
      buffer.append(base + Int(pathStart), length &+ 1 &+ Int(queryLength))
    } else {
      buffer.append(path(in: base))
      appendSelectedQuery(
        UnsafeBufferPointer(start: base + Int(queryStart), count: Int(queryLength)),
        behavior: behavior, to: buffer)
    }
  }

  /// Whether Connection keeps this field from the origin. What the origin does not get must not
  /// count for key or Vary either, or a viewer could store a response under a value that the origin
  /// never saw.
  @inline(__always)
  func withholds(_ name: UnsafeBufferPointer<UInt8>, _ base: UnsafePointer<UInt8>) -> Bool {
    connectionListsFields && fields.connectionLists(name, base)
  }

  /// The Cookie pairs that a behavior with chosen names forwards.
  func listedCookies(_ base: UnsafePointer<UInt8>, names: NameList) -> ListedCookies {
    let cookie: StaticString = "cookie"
    let name = UnsafeBufferPointer(start: cookie.utf8Start, count: cookie.utf8CodeUnitCount)
    let line = withholds(name, base) ? nil : fields.firstIndex(of: .cookie)
    return ListedCookies(fields: fields, base: base, names: names, line: line)
  }
}

/// Appends "?" and the parameters that a behavior selects out of a query, in their order; nothing
/// when none is. Only "&" separates, and names are compared byte by byte.
func appendSelectedQuery(
  _ query: UnsafeBufferPointer<UInt8>, behavior: BehaviorPolicy, to buffer: ByteBuffer
) {
  if behavior.queries == .none { return }
  if behavior.queries == .all {
    buffer.append(0x3f)
    buffer.append(query)
    return
  }
  var separator: UInt8 = 0x3f
  var start = 0
  while start < query.count {
    var end = start
    var nameEnd = -1
    while end < query.count, query[end] != 0x26 {
      if nameEnd < 0 && query[end] == 0x3d { nameEnd = end }
      end &+= 1
    }
    if nameEnd < 0 { nameEnd = end }
    let name = UnsafeBufferPointer(rebasing: query[start..<nameEnd])
    if behavior.listedQueries.contains(name) {
      buffer.append(separator)
      buffer.append(UnsafeBufferPointer(rebasing: query[start..<end]))
      separator = 0x26
    }
    start = end &+ 1
  }
}

/// Iterates over `name=value` pairs of the Cookie lines whose name matches a pattern; what is no
/// pair is skipped.
struct ListedCookies {
  private let fields: FieldTable
  private let base: UnsafePointer<UInt8>
  private let names: NameList
  private var line: Int?
  private var at = 0

  init(fields: FieldTable, base: UnsafePointer<UInt8>, names: NameList, line: Int?) {
    self.fields = fields
    self.base = base
    self.names = names
    self.line = line
  }

  mutating func next() -> UnsafeBufferPointer<UInt8>? {
    while let current = line {
      let value = fields.value(at: current, in: base)
      while at < value.count {
        while at < value.count, value[at] == 0x3b || value[at] == 0x20 || value[at] == 0x09 {
          at &+= 1
        }
        let start = at
        var nameEnd = -1
        while at < value.count, value[at] != 0x3b {
          if nameEnd < 0 && value[at] == 0x3d { nameEnd = at }
          at &+= 1
        }
        var end = at
        while end > start, value[end &- 1] == 0x20 || value[end &- 1] == 0x09 { end &-= 1 }
        if nameEnd > start, names.matches(UnsafeBufferPointer(rebasing: value[start..<nameEnd])) {
          return UnsafeBufferPointer(rebasing: value[start..<end])
        }
      }
      line = fields.nextIndex(of: .cookie, after: current)
      at = 0
    }
    return nil
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
