// SPDX-License-Identifier: Apache-2.0

/// Whether the pattern matches all of the text: `*` stands for any run of bytes, an empty one
/// included, `?` for exactly one byte.
func wildcardMatches(
  _ pattern: UnsafeBufferPointer<UInt8>, _ text: UnsafeBufferPointer<UInt8>
) -> Bool {
  matches(pattern, text, any: UInt8(ascii: "*"), one: UInt8(ascii: "?"))
}

/// The same of characters as people count them: `?` stands for one, however many bytes it has.
package func wildcardMatches(_ pattern: String, _ text: String) -> Bool {
  Array(pattern.unicodeScalars).withUnsafeBufferPointer { pattern in
    Array(text.unicodeScalars).withUnsafeBufferPointer {
      matches(pattern, $0, any: "*", one: "?")
    }
  }
}

/// On a mismatch only the last `any` is widened, which is enough and bounds the work by the product
/// of the lengths.
@inline(__always)
private func matches<Symbol: Equatable>(
  _ pattern: UnsafeBufferPointer<Symbol>, _ text: UnsafeBufferPointer<Symbol>, any: Symbol,
  one: Symbol
) -> Bool {
  var at = 0
  var position = 0
  var star = -1
  var resume = 0
  while position < text.count {
    if at < pattern.count, pattern[at] == any {
      star = at
      resume = position
      at &+= 1
    } else if at < pattern.count, pattern[at] == one || pattern[at] == text[position] {
      at &+= 1
      position &+= 1
    } else if star >= 0 {
      at = star &+ 1
      resume &+= 1
      position = resume
    } else {
      return false
    }
  }
  while at < pattern.count, pattern[at] == any { at &+= 1 }
  return at == pattern.count
}
