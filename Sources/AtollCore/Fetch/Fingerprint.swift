// SPDX-License-Identifier: Apache-2.0

/// FNV-1a in 64 bits: tells apart what nobody tries to make alike.
package struct Fingerprint {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  package init() {}

  package mutating func mix(_ bytes: UnsafeBufferPointer<UInt8>) {
    for byte in bytes { mix(byte) }
  }

  private mutating func mix(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }

  // MARK: Parts

  /// With the length, so that what ends one part cannot begin the next.
  mutating func add(_ bytes: some Collection<UInt8>) {
    var length = UInt64(bytes.count)
    for _ in 0..<4 {
      mix(UInt8(truncatingIfNeeded: length))
      length &>>= 8
    }
    for byte in bytes { mix(byte) }
  }

  mutating func add(_ texts: [String]) {
    add([UInt8(truncatingIfNeeded: texts.count)])
    for text in texts { add(text.utf8) }
  }

  mutating func add(_ selection: NameSelection) {
    switch selection {
    case .none: add([1])
    case .all: add([2])
    case .listed(let names):
      add([3])
      add(names)
    case .allExcept(let names):
      add([4])
      add(names)
    }
  }
}
