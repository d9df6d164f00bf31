// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Whether a tag section, as `appendTags` writes it, holds exactly this tag. Tags are compared byte
/// by byte: `Post-1` and `post-1` differ.
package func tagsContain(
  _ section: UnsafeBufferPointer<UInt8>, _ tag: UnsafeBufferPointer<UInt8>
) -> Bool {
  guard let base = section.baseAddress, let wanted = tag.baseAddress, tag.count > 0 else {
    return false
  }
  var at = 0
  while at &+ 2 <= section.count {
    let length = Int(base[at]) | Int(base[at &+ 1]) &<< 8
    at &+= 2
    if length > section.count &- at { return false }
    if length == tag.count && memcmp(base + at, wanted, length) == 0 { return true }
    at &+= length
  }
  return false
}
