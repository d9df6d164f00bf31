// SPDX-License-Identifier: Apache-2.0

/// A query parameter or cookie, as offsets: `name=value`, or `name` alone.
struct NamedPiece {
  var start: UInt32
  var nameLength: UInt32
  var length: UInt32
}

/// The pieces of a query or of Cookie lines that were chosen, perhaps in the order of their names.
struct NamedPieces {
  private let room: UnsafeMutableBufferPointer<NamedPiece>
  private let base: UnsafePointer<UInt8>
  private(set) var count = 0

  init(_ room: UnsafeMutableBufferPointer<NamedPiece>, _ base: UnsafePointer<UInt8>) {
    self.room = room
    self.base = base
  }

  /// More than there is room for cannot come: the caller has counted.
  mutating func append(start: Int, nameLength: Int, length: Int) {
    room[count] = NamedPiece(
      start: UInt32(truncatingIfNeeded: start), nameLength: UInt32(truncatingIfNeeded: nameLength),
      length: UInt32(truncatingIfNeeded: length))
    count &+= 1
  }

  subscript(index: Int) -> UnsafeBufferPointer<UInt8> {
    let piece = room[index]
    return UnsafeBufferPointer(start: base + Int(piece.start), count: Int(piece.length))
  }

  /// Sorts by name; what has the same name by value, or keeps its order.
  func sort(byValue: Bool) {
    let base = self.base
    func precedes(_ a: NamedPiece, _ b: NamedPiece) -> Bool {
      var order = compare(base, a.start, a.nameLength, b.start, b.nameLength)
      if order == 0 && byValue { order = compare(base, a.start, a.length, b.start, b.length) }
      return order == 0 ? a.start < b.start : order < 0
    }
    // What people send is short, and sorted where it stands; a long one pays for memory to sort in.
    if count > 64 {
      var chosen = UnsafeMutableBufferPointer(rebasing: room[..<count])
      chosen.sort(by: precedes)
      return
    }
    var index = 1
    while index < count {
      let piece = room[index]
      var at = index
      while at > 0, precedes(piece, room[at &- 1]) {
        room[at] = room[at &- 1]
        at &-= 1
      }
      room[at] = piece
      index &+= 1
    }
  }
}

/// Byte by byte, the shorter of two first: -1, 0 or 1.
private func compare(
  _ base: UnsafePointer<UInt8>, _ a: UInt32, _ aLength: UInt32, _ b: UInt32, _ bLength: UInt32
) -> Int {
  let common = min(aLength, bLength)
  var index: UInt32 = 0
  while index < common {
    let (left, right) = (base[Int(a &+ index)], base[Int(b &+ index)])
    if left != right { return left < right ? -1 : 1 }
    index &+= 1
  }
  return aLength == bLength ? 0 : aLength < bLength ? -1 : 1
}

/// Calls `body` with the parameters of a query whose names are admitted. Only "&" separates;
/// names are compared as they are written.
func withQueryParameters(
  _ query: UnsafeBufferPointer<UInt8>, where admits: (UnsafeBufferPointer<UInt8>) -> Bool,
  _ body: (NamedPieces) -> Void
) {
  guard let base = query.baseAddress, query.count > 0 else { return }
  var bound = 1
  for byte in query where byte == 0x26 { bound &+= 1 }
  withUnsafeTemporaryAllocation(of: NamedPiece.self, capacity: bound) { room in
    var pieces = NamedPieces(room, base)
    var start = 0
    while start < query.count {
      var end = start
      var nameEnd = -1
      while end < query.count, query[end] != 0x26 {
        if nameEnd < 0 && query[end] == 0x3d { nameEnd = end }
        end &+= 1
      }
      if nameEnd < 0 { nameEnd = end }
      if end > start, admits(UnsafeBufferPointer(rebasing: query[start..<nameEnd])) {
        pieces.append(start: start, nameLength: nameEnd &- start, length: end &- start)
      }
      start = end &+ 1
    }
    body(pieces)
  }
}

/// Calls `body` with the `name=value` pairs of the Cookie lines whose names are admitted, in the
/// order of their names (CloudFront §10); what is no pair is left out.
func withCookies(
  _ head: RequestHead, _ base: UnsafePointer<UInt8>,
  where admits: (UnsafeBufferPointer<UInt8>) -> Bool, _ body: (NamedPieces) -> Void
) {
  let name: StaticString = "cookie"
  let fields = head.fields
  guard let first = fields.firstIndex(of: .cookie),
    !head.withholds(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), base)
  else { return }
  var bound = 0
  var line: Int? = first
  while let index = line {
    bound &+= 1
    for byte in fields.value(at: index, in: base) where byte == 0x3b { bound &+= 1 }
    line = fields.nextIndex(of: .cookie, after: index)
  }
  withUnsafeTemporaryAllocation(of: NamedPiece.self, capacity: bound) { room in
    var pieces = NamedPieces(room, base)
    var line: Int? = first
    while let index = line {
      appendCookies(fields.value(at: index, in: base), base, where: admits, to: &pieces)
      line = fields.nextIndex(of: .cookie, after: index)
    }
    pieces.sort(byValue: false)
    body(pieces)
  }
}

private func appendCookies(
  _ value: UnsafeBufferPointer<UInt8>, _ base: UnsafePointer<UInt8>,
  where admits: (UnsafeBufferPointer<UInt8>) -> Bool, to pieces: inout NamedPieces
) {
  guard let valueStart = value.baseAddress else { return }
  let offset = valueStart - base
  var at = 0
  while at < value.count {
    while at < value.count, value[at] == 0x3b || value[at] <= space { at &+= 1 }
    let start = at
    var nameEnd = -1
    while at < value.count, value[at] != 0x3b {
      if nameEnd < 0 && value[at] == 0x3d { nameEnd = at }
      at &+= 1
    }
    var end = at
    while end > start, value[end &- 1] <= space { end &-= 1 }
    if nameEnd > start, admits(UnsafeBufferPointer(rebasing: value[start..<nameEnd])) {
      pieces.append(start: offset &+ start, nameLength: nameEnd &- start, length: end &- start)
    }
  }
}
