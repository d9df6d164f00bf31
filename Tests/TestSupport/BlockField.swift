// SPDX-License-Identifier: Apache-2.0

/// One field of a block of HPACK.
package struct BlockField: Equatable, CustomStringConvertible {
  package var name: [UInt8]
  package var value: [UInt8]

  package init(_ name: [UInt8], _ value: [UInt8]) {
    self.name = name
    self.value = value
  }

  package init(_ name: String, _ value: String) { self.init(Array(name.utf8), Array(value.utf8)) }

  package func isNamed(_ name: String) -> Bool { self.name.elementsEqual(name.utf8) }

  package var description: String {
    "\(String(decoding: name, as: UTF8.self).debugDescription): "
      + String(decoding: value, as: UTF8.self).debugDescription
  }
}

/// An integer of HPACK (RFC 7541 §5.1) behind the upper bits of its first byte.
/// - Parameter bits: of the first byte that are the integer's.
package func hpackInteger(_ number: Int, bits: Int, _ first: UInt8 = 0) -> [UInt8] {
  let limit = 1 << bits - 1
  if number < limit { return [first | UInt8(number)] }
  var bytes = [first | UInt8(limit)]
  var left = number - limit
  while left >= 128 {
    bytes.append(UInt8(left & 127 | 128))
    left >>= 7
  }
  return bytes + [UInt8(left)]
}
