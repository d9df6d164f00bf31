// SPDX-License-Identifier: Apache-2.0

/// The 128 bits by which the cache finds an entry; the full key decides.
package struct KeyHash: Hashable, Sendable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

/// The secret of the hash, drawn anew by every process, so that nobody can choose URLs that collide.
package struct HashSeed: Sendable {
  let first: UInt64
  let second: UInt64

  package init(_ first: UInt64, _ second: UInt64) {
    self.first = first
    self.second = second
  }

  package static func random() -> HashSeed {
    var generator = SystemRandomNumberGenerator()
    return HashSeed(generator.next(), generator.next())
  }
}

/// SipHash-1-3 with 128 bits of output.
@inline(__always)
package func keyHash(_ bytes: UnsafeBufferPointer<UInt8>, seed: HashSeed) -> KeyHash {
  sipHash(bytes, seed: seed, compressionRounds: 1, finalizationRounds: 3)
}

/// SipHash-c-d-128 after its authors' reference; the numbers of rounds are constants to the
/// optimizer, and let the tests use the published vectors of SipHash-2-4-128.
@inline(__always)
func sipHash(
  _ bytes: UnsafeBufferPointer<UInt8>, seed: HashSeed, compressionRounds: Int,
  finalizationRounds: Int
) -> KeyHash {
  var state = SipState(seed)
  let count = bytes.count
  let blocks = count & ~7
  // An empty buffer may have no address; then nothing below reads from it.
  if let base = UnsafeRawPointer(bytes.baseAddress) {
    var at = 0
    while at < blocks {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      state.absorb(word, rounds: compressionRounds)
      at &+= 8
    }
    var last = UInt64(truncatingIfNeeded: count) &<< 56
    if count >= 8 {
      // The last eight bytes, less those that have been absorbed; a shift by 64 leaves none.
      let word = base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
      last |= UInt64(littleEndian: word) >> UInt64(64 &- (count & 7) &* 8)
    } else {
      var shift: UInt64 = 0
      while at < count {
        last |= UInt64(base.load(fromByteOffset: at, as: UInt8.self)) &<< shift
        shift &+= 8
        at &+= 1
      }
    }
    state.absorb(last, rounds: compressionRounds)
  } else {
    state.absorb(0, rounds: compressionRounds)
  }
  state.v2 ^= 0xee
  for _ in 0..<finalizationRounds { state.round() }
  let low = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
  state.v1 ^= 0xdd
  for _ in 0..<finalizationRounds { state.round() }
  let high = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
  return KeyHash(high: high, low: low)
}

private struct SipState {
  var v0: UInt64
  var v1: UInt64
  var v2: UInt64
  var v3: UInt64

  @inline(__always)
  init(_ seed: HashSeed) {
    v0 = seed.first ^ 0x736f_6d65_7073_6575
    v1 = seed.second ^ 0x646f_7261_6e64_6f6d ^ 0xee
    v2 = seed.first ^ 0x6c79_6765_6e65_7261
    v3 = seed.second ^ 0x7465_6462_7974_6573
  }

  @inline(__always)
  mutating func absorb(_ word: UInt64, rounds: Int) {
    v3 ^= word
    for _ in 0..<rounds { round() }
    v0 ^= word
  }

  @inline(__always)
  mutating func round() {
    v0 = v0 &+ v1
    v1 = (v1 &<< 13 | v1 &>> 51) ^ v0
    v0 = v0 &<< 32 | v0 &>> 32
    v2 = v2 &+ v3
    v3 = (v3 &<< 16 | v3 &>> 48) ^ v2
    v0 = v0 &+ v3
    v3 = (v3 &<< 21 | v3 &>> 43) ^ v0
    v2 = v2 &+ v1
    v1 = (v1 &<< 17 | v1 &>> 47) ^ v2
    v2 = v2 &<< 32 | v2 &>> 32
  }
}
