// SPDX-License-Identifier: Apache-2.0

/// When a certificate is renewed. The same facts give the same moments, so that every edge and
/// command on a store agrees, while two certificates issued together do not fall due together.
package struct RenewalSchedule: Equatable, Sendable {
  /// Of the certificate, seconds since 1970.
  package var notBefore: Int64
  package var notAfter: Int64
  package var state: RenewalState
  /// Any number that goes with the certificate, its serial's hash for one.
  package var seed: UInt64

  package init(notBefore: Int64, notAfter: Int64, state: RenewalState, seed: UInt64) {
    self.notBefore = notBefore
    self.notAfter = max(notAfter, notBefore)
    self.state = state
    self.seed = seed
  }

  /// Seconds since 1970; failed tries left out.
  package var due: Int64 {
    let lifetime = notAfter - notBefore
    if let window = state.window {
      // A moment in it, each as likely (RFC 9773 §4.2), but none too close to the end.
      return min(window.lowerBound + spread(over: window), notAfter - lifetime / 20)
    }
    // At two thirds, spread over the next sixtieth: a day and a half of ninety days.
    return notBefore + lifetime / 3 * 2 + spread(over: 0...lifetime / 60)
  }

  /// Seconds since 1970 of the next try: when it is due, or later after failures.
  package var next: Int64 { max(due, state.notBefore ?? due) }

  package func isDue(at now: Int64) -> Bool { due <= now }

  /// Whether to ask the CA when it wants the certificate renewed (RFC 9773 §4.3).
  package func wantsInformation(at now: Int64) -> Bool {
    now < notAfter && (state.askAgain.map { $0 <= now } ?? true)
  }

  private func spread(over range: ClosedRange<Int64>) -> Int64 {
    Int64(seed % UInt64(range.upperBound - range.lowerBound + 1))
  }
}

extension RenewalState {
  /// Seconds that the next try waits after so many failed ones in a row: CAs allow a handful of
  /// failed validations of a name per hour.
  private static let pauses = [0, 60, 300, 1_800, 7_200, 43_200, 86_400]

  /// - Parameter notAfter: the end of the certificate that is in use; nil without one. Close to it
  ///   the pauses shorten.
  package mutating func fail(
    _ error: ACMEError, at now: Int64, notAfter: Int64? = nil
  ) {
    lastAttempt = now
    lastError = error.line
    guard error.countsAsFailure else { return }
    failures += 1
    var pause = Int64(Self.pauses[min(failures, Self.pauses.count) - 1])
    if let notAfter { pause = min(pause, max((notAfter - now) / 4, 600)) }
    let own = pause == 0 ? nil : now + pause
    notBefore = own.map { max($0, error.notBefore ?? $0) } ?? error.notBefore
  }

  /// A new certificate: the CA has said nothing of it yet.
  package mutating func succeed(at now: Int64) {
    self = RenewalState(lastAttempt: now)
  }

  /// What the CA answered when it was asked when to renew.
  /// - Parameter window: nil when the answer could not be had; what it said before holds on.
  /// - Parameter retryAfter: seconds since 1970.
  package mutating func take(window: ClosedRange<Int64>?, retryAfter: Int64?, at now: Int64) {
    if let window { self.window = window }
    // RFC 9773 §4.3.2 and §4.3.3: six hours without another word, a minute to a day with one.
    let asked = retryAfter ?? now + 21_600
    askAgain = min(max(asked, now + 60), now + 86_400)
  }
}

/// The CA's word on when to renew (RFC 9773 §4.2).
package struct ACMERenewalInfo: Equatable, Sendable {
  package var window: ClosedRange<Int64>
  package var explanation: String?

  /// nil for anything that names no window.
  package init?(_ node: JSONNode) {
    guard let window = node["suggestedWindow"], let start = window["start"]?.time,
      let end = window["end"]?.time, start <= end
    else { return nil }
    self.window = start...end
    explanation = node["explanationURL"]?.text
  }

  /// How a certificate is named to the CA (RFC 9773 §4.1).
  /// - Parameter keyIdentifier: of its authority key identifier.
  /// - Parameter serial: the content of the DER integer, with the zero that keeps it positive.
  package static func identifier(keyIdentifier: [UInt8], serial: [UInt8]) -> String {
    "\(Base64URL.encode(keyIdentifier)).\(Base64URL.encode(serial))"
  }
}
