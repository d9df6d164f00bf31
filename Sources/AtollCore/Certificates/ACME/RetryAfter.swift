// SPDX-License-Identifier: Apache-2.0

/// How long a server wants to be left alone (RFC 9110 §10.2.3).
package enum RetryAfter {
  /// Seconds since 1970; nil for what is neither seconds nor a date. No longer than a month from
  /// now: a number that is a mistake must not end renewals for good.
  package static func moment(_ text: String?, now: Int64) -> Int64? {
    guard let text = text?.trimmed, !text.isEmpty else { return nil }
    let latest = now + Int64(Limits.acmePatience)
    if text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) {
      guard let seconds = Int64(text), seconds < latest - now else { return latest }
      return now + seconds
    }
    let bytes = Array(text.utf8)
    guard let date = bytes.withUnsafeBufferPointer({ HTTPDate.parse($0, now: now) }) else {
      return nil
    }
    return min(max(date, now), latest)
  }
}
