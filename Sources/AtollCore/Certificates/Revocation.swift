// SPDX-License-Identifier: Apache-2.0
import CTLS

/// What a CA's responder is asked about a certificate, so that viewers get its answer with the
/// handshake (RFC 6960, RFC 6066 §8).
package struct RevocationQuery: Sendable {
  private let leaf: [UInt8]
  private let issuer: [UInt8]
  /// Of the responder.
  package let url: String

  /// - Parameter chain: the certificate and its issuers. Nil where it names no responder that is
  ///   reached over http, or where its issuer is missing, without whom no answer can be believed.
  package init?(_ chain: [CertificateInfo]) {
    guard let leaf = chain.first, chain.count > 1,
      let url = leaf.ocspURLs.first(where: { $0.lowercased().hasPrefix("http://") })
    else { return nil }
    self.leaf = leaf.der
    issuer = chain[1].der
    self.url = url
  }

  /// DER; nil when the certificates can't be named.
  package var request: [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 1_024)
    let count = ctls_status_request(
      leaf, leaf.count, issuer, issuer.count, &bytes, bytes.count)
    return count > 0 ? Array(bytes.prefix(Int(count))) : nil
  }

  /// Reads an answer of the responder, DER.
  package func read(_ response: [UInt8]) throws(RevocationError) -> RevocationStatus {
    var thisUpdate: Int64 = 0
    var nextUpdate: Int64 = 0
    let result = ctls_status_read(
      response, response.count, leaf, leaf.count, issuer, issuer.count, &thisUpdate, &nextUpdate)
    switch Int(result) {
    case Int(CTLS_STATUS_GOOD), Int(CTLS_STATUS_REVOKED):
      return RevocationStatus(
        response: response, isRevoked: Int(result) == Int(CTLS_STATUS_REVOKED),
        thisUpdate: thisUpdate, nextUpdate: nextUpdate)
    case Int(CTLS_STATUS_UNKNOWN): throw RevocationError("it does not know the certificate")
    case Int(CTLS_STATUS_REFUSED): throw RevocationError("it gives no answer")
    case Int(CTLS_STATUS_FORGED):
      throw RevocationError("its answer is not signed by the certificate's CA")
    default: throw RevocationError("its answer can't be read")
    }
  }
}

package struct RevocationError: Error, Equatable, Sendable {
  package var message: String

  package init(_ message: String) { self.message = message }
}

package struct RevocationStatus: Equatable, Sendable {
  /// DER, as viewers get it.
  package var response: [UInt8]
  package var isRevoked: Bool
  /// Seconds since 1970; the end is 0 where the responder does not tell it.
  package var thisUpdate: Int64
  package var nextUpdate: Int64

  package init(response: [UInt8], isRevoked: Bool, thisUpdate: Int64, nextUpdate: Int64) {
    self.response = response
    self.isRevoked = isRevoked
    self.thisUpdate = thisUpdate
    self.nextUpdate = nextUpdate
  }
}

/// What an edge knows of one certificate's status, and when it asks again: in the middle of the time
/// that an answer is good for, so that an hour's outage of a responder harms nobody.
package struct Staple: Equatable, Sendable {
  /// Of the certificate that it is about.
  package let fingerprint: [UInt8]
  package private(set) var status: RevocationStatus?
  private var failures = 0
  /// Seconds since 1970.
  package private(set) var askAt: Int64 = 0

  private static let day: Int64 = 86_400

  package init(fingerprint: [UInt8]) { self.fingerprint = fingerprint }

  /// What viewers get now; nothing that is out of date, and no word that the certificate is revoked.
  package func response(at now: Int64) -> [UInt8]? {
    guard let status, !status.isRevoked, now < end(of: status) else { return nil }
    return status.response
  }

  private func end(of status: RevocationStatus) -> Int64 {
    status.nextUpdate > status.thisUpdate ? status.nextUpdate : status.thisUpdate + 2 * Self.day
  }

  /// - Returns: false for an answer that is out of date already, or not yet in force.
  package mutating func take(_ status: RevocationStatus, at now: Int64) -> Bool {
    // A clock may be a little ahead of another.
    guard status.thisUpdate <= now + 300, now < end(of: status) else { return false }
    self.status = status
    failures = 0
    let middle = status.thisUpdate + (end(of: status) - status.thisUpdate) / 2
    // Responders replace their answers around then: not before a while has passed.
    askAt = max(middle, now + 3_600)
    if askAt >= end(of: status) { askAt = max(now + 60, middle) }
    return true
  }

  package mutating func fail(at now: Int64) {
    let pauses: [Int64] = [60, 300, 1_800, 3_600]
    askAt = now + pauses[min(failures, pauses.count - 1)]
    failures += 1
  }

  /// Whether the trouble is worth a line in the log: the first time, and while nothing is left to
  /// show.
  package var isNewTrouble: Bool { failures == 1 }
}
