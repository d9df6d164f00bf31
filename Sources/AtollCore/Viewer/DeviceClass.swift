// SPDX-License-Identifier: Apache-2.0

/// What kind of device a viewer uses, by its User-Agent. One of four, so that a page has at most so
/// many forms in the cache; what is not recognised counts as a desktop, as with CloudFront.
package enum DeviceClass: UInt8, Sendable {
  case desktop, mobile, tablet, television

  package init(userAgent: UnsafeBufferPointer<UInt8>) {
    self.init(DeviceWords.found(in: userAgent))
  }

  init(_ words: DeviceWords) {
    // Televisions run Android and name themselves beside it.
    if words.contains(.television) || words.isSuperset(of: [.tizen, .tv]) {
      self = .television
    } else if words.contains(.windowsPhone) {
      self = .mobile
    } else if words.contains(.tablet)
      // Tablet PCs are desktops with a pen.
      || (words.contains(.tabletAlone) && !words.contains(.tabletPC))
      || (words.contains(.android) && !words.contains(.mobi))
    {
      self = .tablet
    } else if !words.isDisjoint(with: [.android, .mobi, .phone]) {
      self = .mobile
    } else {
      self = .desktop
    }
  }
}

/// The words that tell devices apart, as far as a User-Agent holds them.
package struct DeviceWords: OptionSet, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Which system the viewer names. Windows phones claimed to be both, to get the sites made for
  /// these.
  package var isAndroid: Bool { contains(.android) && !contains(.windowsPhone) }
  package var isIOS: Bool { contains(.apple) && !contains(.windowsPhone) }

  static let television = DeviceWords(rawValue: 1)
  static let tizen = DeviceWords(rawValue: 2)
  static let tv = DeviceWords(rawValue: 4)
  static let windowsPhone = DeviceWords(rawValue: 8)
  static let tablet = DeviceWords(rawValue: 16)
  static let tabletAlone = DeviceWords(rawValue: 32)
  static let tabletPC = DeviceWords(rawValue: 64)
  static let android = DeviceWords(rawValue: 128)
  static let mobi = DeviceWords(rawValue: 256)
  static let phone = DeviceWords(rawValue: 512)
  static let apple = DeviceWords(rawValue: 1024)

  /// Lower case, at least two letters each.
  fileprivate static let texts: [(DeviceWords, [StaticString])] = [
    (
      .television,
      [
        "smart-tv", "smarttv", "smart tv", "hbbtv", "appletv", "apple tv", "googletv", "google tv",
        "android tv", "netcast", "web0s", "webos.tv", "bravia", "viera", "roku", "crkey", "aftb",
        "afts", "aftm", "aftt", "aftn", "philipstv", "opera tv",
      ]
    ),
    (.tizen, ["tizen"]), (.tv, ["tv"]), (.windowsPhone, ["windows phone"]),
    (.tablet, ["kindle", "silk/", "playbook", "nexus 7", "nexus 9", "nexus 10", "sm-t"]),
    ([.tablet, .apple], ["ipad"]), (.tabletAlone, ["tablet"]), (.tabletPC, ["tablet pc"]),
    (.android, ["android"]), (.mobi, ["mobi"]), ([.phone, .apple], ["iphone", "ipod"]),
    (
      .phone,
      [
        "blackberry", "bb10", "opera mini", "iemobile", "webos", "symbian", "nokia", "midp",
        "fennec",
      ]
    ),
  ]

  /// Longer ones are inventions; the words that count stand in front.
  private static let limit = 1_024

  /// Goes through the text once, with a look at the words that begin with the two letters at hand.
  package static func found(in userAgent: UnsafeBufferPointer<UInt8>) -> DeviceWords {
    let count = min(userAgent.count, limit)
    guard count >= 2, let text = userAgent.baseAddress else { return [] }
    let index = DeviceWordIndex.shared
    let (heads, words) = (index.heads, index.words)
    var found: DeviceWords = []
    var first = lowercased(text[0])
    var at = 1
    while at < count {
      let second = lowercased(text[at])
      var next = heads[DeviceWordIndex.bucket(first, second)]
      while next != 0 {
        let word = words + Int(next &- 1)
        if word.pointee.begins(text + (at &- 1), count &- at &+ 1) {
          found.formUnion(word.pointee.meaning)
        }
        next = word.pointee.next
      }
      first = second
      at &+= 1
    }
    return found
  }
}

/// The words by their first two letters. Made once, never freed.
private struct DeviceWordIndex: @unchecked Sendable {
  struct Word {
    let text: UnsafePointer<UInt8>
    let length: Int
    let meaning: DeviceWords
    /// One more than the place of the next word with the same letters, or 0.
    let next: UInt8

    @inline(__always)
    func begins(_ at: UnsafePointer<UInt8>, _ count: Int) -> Bool {
      if count < length { return false }
      var index = 0
      while index < length {
        if lowercased(at[index]) != text[index] { return false }
        index &+= 1
      }
      return true
    }
  }

  static let shared = DeviceWordIndex()

  /// One more than the place of the first word, or 0, for each bucket.
  let heads: UnsafeMutablePointer<UInt8>
  let words: UnsafeMutablePointer<Word>

  init() {
    let count = DeviceWords.texts.reduce(0) { $0 + $1.1.count }
    heads = .allocate(capacity: Self.bucketCount)
    heads.initialize(repeating: 0, count: Self.bucketCount)
    words = .allocate(capacity: count)
    var place: UInt8 = 0
    for (meaning, texts) in DeviceWords.texts {
      for text in texts {
        let bucket = Self.bucket(text.utf8Start[0], text.utf8Start[1])
        (words + Int(place)).initialize(
          to: Word(
            text: text.utf8Start, length: text.utf8CodeUnitCount, meaning: meaning,
            next: heads[bucket]))
        place += 1
        heads[bucket] = place
      }
    }
  }

  private static let bucketCount = 1_024

  @inline(__always)
  static func bucket(_ first: UInt8, _ second: UInt8) -> Int {
    (Int(first) &* 37 &+ Int(second)) & 1_023
  }
}
