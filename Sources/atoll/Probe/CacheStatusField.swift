// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// One cache's part of a Cache-Status field (RFC 9211 §2).
struct CacheStatusMember: Equatable {
  /// The cache's name for itself.
  var cache: String
  var isHit = false
  /// Why the request went on: `bypass`, `method`, `uri-miss`, `vary-miss`, `miss`, `request`,
  /// `stale`, `partial`.
  var forward: String?
  var forwardStatus: Int?
  /// Seconds left, negative once stale.
  var ttl: Int?
  var isStored: Bool?
  var isCollapsed: Bool?
  var key: String?
  /// Words of the cache's own.
  var detail: String?
}

/// Cache-Status: the caches a response passed, the one nearest to the origin first.
enum CacheStatusField {
  /// Nil when the field is malformed: it is then to be ignored as a whole (RFC 9211 §2, RFC 8941
  /// §4.2).
  static func parse(_ value: String) -> [CacheStatusMember]? {
    guard let items = StructuredItem.list(value) else { return nil }
    let members = items.compactMap(CacheStatusMember.init)
    return members.count == items.count ? members : nil
  }
}

extension CacheStatusMember {
  /// Nil for what is no cache's name.
  fileprivate init?(_ item: StructuredItem) {
    guard let name = item.value.text else { return nil }
    self.init(cache: name)
    for (key, value) in item.parameters {
      switch (key, value) {
      case ("hit", .boolean(let flag)): isHit = flag
      case ("fwd", _): forward = value.text
      case ("fwd-status", .integer(let status)): forwardStatus = Int(status)
      case ("ttl", .integer(let seconds)): ttl = Int(seconds)
      case ("stored", .boolean(let flag)): isStored = flag
      case ("collapsed", .boolean(let flag)): isCollapsed = flag
      case ("key", _): self.key = value.text
      case ("detail", .integer(let number)): detail = String(number)
      case ("detail", _): detail = value.text
      // Parameters of the wrong type and unknown ones are ignored (RFC 9211 §2).
      default: break
      }
    }
  }
}

extension BareItem {
  /// Of a token or a string.
  fileprivate var text: String? {
    switch self {
    case .token(let text), .string(let text): text
    case .integer, .decimal, .bytes, .boolean: nil
    }
  }
}
