// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import AtollCore

struct KeyHashTests {
  /// The key of the authors' vectors: 00 01 … 0f.
  private let seed = HashSeed(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

  private func input(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0) } }

  private func hex(_ hash: KeyHash) -> String {
    writtenText {
      $0.appendHex(hash.low.byteSwapped)
      $0.appendHex(hash.high.byteSwapped)
    }
  }

  /// From the reference implementation's vectors_sip128.
  @Test(arguments: [
    (0, "a3817f04ba25a8e66df67214c7550293"),
    (1, "da87c1d86b99af44347659119b22fc45"),
    (2, "8177228da4a45dc7fca38bdef60affe4"),
    (8, "3b62a9ba6258f5610f83e264f31497b4"),
    (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    (63, "5150d1772f50834a503e069a973fbd7c"),
  ])
  func `SipHash-2-4-128 gives the published values`(count: Int, expected: String) {
    let hash = withBytes(input(count)) {
      sipHash($0, seed: seed, compressionRounds: 2, finalizationRounds: 4)
    }
    #expect(hex(hash) == expected)
  }

  @Test(arguments: [
    (0, "e77ebcb22788a5befd62db6add303001"),
    (1, "fc6f370460d3eda85e0573cc2b2ff063"),
    (7, "1084b923f2aae0c3a62f2ec80848ab77"),
    (8, "aa12fee1d5e3dab4724f16ab35f9c799"),
    (16, "d0a8d95715518eebb513b0f83d9e1793"),
    (63, "4c5800e34efe426f079f6b0aa75260ad"),
  ])
  func `SipHash-1-3-128 is what keys are hashed with`(count: Int, expected: String) {
    #expect(hex(withBytes(input(count)) { keyHash($0, seed: seed) }) == expected)
  }

  @Test func `the seed decides the hash`() {
    let other = HashSeed(seed.first, seed.second ^ 1)
    let key = input(20)
    #expect(
      withBytes(key) { keyHash($0, seed: seed) } != withBytes(key) { keyHash($0, seed: other) })
    let (one, two) = (HashSeed.random(), HashSeed.random())
    #expect(withBytes(key) { keyHash($0, seed: one) } != withBytes(key) { keyHash($0, seed: two) })
  }
}
