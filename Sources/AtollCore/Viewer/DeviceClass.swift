// SPDX-License-Identifier: Apache-2.0

/// What kind of device a viewer uses, by its User-Agent. One of four, so that a page has at most so
/// many forms in the cache; what is not recognised counts as a desktop, as with CloudFront.
package enum DeviceClass: UInt8, Sendable {
  case desktop, mobile, tablet, television

  package init(userAgent: UnsafeBufferPointer<UInt8>) {
    let found = Tokens(userAgent)
    let isAndroid = found.contains("android")
    // Televisions run Android and name themselves beside it.
    if Self.televisions.contains(where: { found.contains($0) })
      || (found.contains("tizen") && found.contains("tv"))
    {
      self = .television
    } else if found.contains("windows phone") {
      self = .mobile
    } else if Self.tablets.contains(where: { found.contains($0) })
      // Tablet PCs are desktops with a pen.
      || (found.contains("tablet") && !found.contains("tablet pc"))
      || (isAndroid && !found.contains("mobi"))
    {
      self = .tablet
    } else if isAndroid || Self.phones.contains(where: { found.contains($0) }) {
      self = .mobile
    } else {
      self = .desktop
    }
  }

  private static let televisions: [StaticString] = [
    "smart-tv", "smarttv", "smart tv", "hbbtv", "appletv", "apple tv", "googletv", "google tv",
    "android tv", "netcast", "web0s", "webos.tv", "bravia", "viera", "roku", "crkey", "aftb",
    "afts",
    "aftm", "aftt", "aftn", "philipstv", "opera tv",
  ]
  private static let tablets: [StaticString] = [
    "ipad", "kindle", "silk/", "playbook", "nexus 7", "nexus 9", "nexus 10", "sm-t",
  ]
  private static let phones: [StaticString] = [
    "iphone", "ipod", "mobi", "blackberry", "bb10", "opera mini", "iemobile", "webos", "symbian",
    "nokia", "midp", "fennec",
  ]

  /// Which system the viewer names: both can be told of one device by none.
  package static func isAndroid(userAgent: UnsafeBufferPointer<UInt8>) -> Bool {
    // Windows phones claimed to be both, to get the sites made for these.
    let found = Tokens(userAgent)
    return found.contains("android") && !found.contains("windows phone")
  }

  package static func isIOS(userAgent: UnsafeBufferPointer<UInt8>) -> Bool {
    let found = Tokens(userAgent)
    return (found.contains("iphone") || found.contains("ipad") || found.contains("ipod"))
      && !found.contains("windows phone")
  }
}

/// A User-Agent to be searched for words, whatever the case of its letters.
private struct Tokens {
  /// Longer ones are inventions; the words that count stand in front.
  static let limit = 1_024
  private let text: UnsafeBufferPointer<UInt8>

  init(_ text: UnsafeBufferPointer<UInt8>) {
    self.text = UnsafeBufferPointer(rebasing: text.prefix(Self.limit))
  }

  /// - Parameter word: lower case.
  func contains(_ word: StaticString) -> Bool {
    let length = word.utf8CodeUnitCount
    guard text.count >= length, let start = text.baseAddress else { return false }
    let wanted = word.utf8Start
    let first = wanted[0]
    var at = 0
    while at &+ length <= text.count {
      if lowercased(start[at]) == first {
        var matched = 1
        while matched < length, lowercased(start[at &+ matched]) == wanted[matched] {
          matched &+= 1
        }
        if matched == length { return true }
      }
      at &+= 1
    }
    return false
  }
}
