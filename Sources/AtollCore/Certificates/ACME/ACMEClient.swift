// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Carries a request to a CA: over HTTPS, or to a test's script.
package protocol ACMETransport: Sendable {
  func send(_ request: ACMERequest) throws(ACMEError) -> ACMEResponse
}

package struct ACMERequest: Equatable, Sendable {
  package var method: String
  package var url: String
  package var body: [UInt8]

  package init(method: String, url: String, body: [UInt8] = []) {
    self.method = method
    self.url = url
    self.body = body
  }
}

package struct ACMEResponse: Equatable, Sendable {
  package var status: Int
  package var fields: [HeaderField]
  package var body: [UInt8]

  package init(status: Int, fields: [HeaderField] = [], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }

  package subscript(name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  package var json: JSONNode? { try? JSONReader.read(body) }

  /// Targets of Link fields with this relation (RFC 8288).
  package func links(_ relation: String) -> [String] {
    var targets: [String] = []
    for field in fields where field.name.lowercased() == "link" {
      for part in field.value.split(separator: ",") {
        let pieces = part.split(separator: ";").map(\.trimmed)
        guard let target = pieces.first, target.hasPrefix("<"), target.hasSuffix(">"),
          pieces.dropFirst().contains(where: {
            $0 == "rel=\"\(relation)\"" || $0 == "rel=\(relation)"
          })
        else { continue }
        targets.append(String(target.dropFirst().dropLast()))
      }
    }
    return targets
  }
}

/// The time, and a way to let it pass.
package struct ACMETime: Sendable {
  /// Seconds since 1970.
  package var now: @Sendable () -> Int64
  /// Milliseconds.
  package var pause: @Sendable (Int) -> Void

  package init(
    now: @escaping @Sendable () -> Int64, pause: @escaping @Sendable (Int) -> Void
  ) {
    self.now = now
    self.pause = pause
  }

  package static let real = ACMETime(
    now: { Int64(time(nil)) }, pause: { usleep(UInt32(clamping: $0 * 1_000)) })
}

/// Speaks with one CA: its directory, nonces, signatures and errors (RFC 8555 §6). Of one thread.
package final class ACMEClient {
  /// The CA for people: its host.
  package let ca: String
  private let directoryURL: String
  private let transport: any ACMETransport
  let time: ACMETime
  private var known: ACMEDirectory?
  private var nonces: [String] = []
  private var signer: JWS.Signer?
  private var key: JWS.Key?

  package init(directory: String, transport: any ACMETransport, time: ACMETime = .real) {
    directoryURL = directory
    self.transport = transport
    self.time = time
    ca = Self.host(directory)
  }

  package static func host(_ url: String) -> String {
    let place = url.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first
    return place.map(String.init) ?? url
  }

  /// Who signs from now on.
  package func sign(with signer: JWS.Signer, as key: JWS.Key) {
    self.signer = signer
    self.key = key
  }

  package func directory() throws(ACMEError) -> ACMEDirectory {
    if let known { return known }
    let response: ACMEResponse
    do throws(ACMEError) {
      response = try retrying { () throws(ACMEError) in
        try transport.send(ACMERequest(method: "GET", url: directoryURL))
      }
    } catch {
      // Nothing was asked of the CA yet, if the URL is one's at all.
      var failure = error
      if failure.fault == .transport { failure.fault = .preparation }
      throw failure
    }
    guard response.status == 200, let node = response.json, let directory = ACMEDirectory(node)
    else {
      throw ACMEError(
        .preparation,
        "\(directoryURL) is no ACME directory"
          + (response.status == 200 ? "" : ": it answers \(response.status)"),
        hint: "check the URL of --acme")
    }
    known = directory
    return directory
  }

  /// An unsigned GET, as RFC 9773 §4.1 has it; any status.
  func get(_ url: String) throws(ACMEError) -> ACMEResponse {
    try transport.send(ACMERequest(method: "GET", url: url))
  }

  /// A signed POST that the CA has accepted (status 2xx).
  /// - Parameter payload: JSON; nil asks for a resource (POST-as-GET).
  /// - Parameter doing: completes "refused to …".
  package func post(_ url: String, _ payload: String?, doing: String) throws(ACMEError)
    -> ACMEResponse
  {
    guard let signer, let key else { preconditionFailure("nobody to sign as") }
    var rejected = 0
    while true {
      let response = try retrying { () throws(ACMEError) in
        let nonce = try takeNonce()
        let body: [UInt8]
        do {
          body = try JWS.flattened(
            payload: payload.map { Array($0.utf8) }, url: url, nonce: nonce, key: key,
            signer: signer)
        } catch {
          throw ACMEError(
            .preparation, "the account's key could not sign", hint: "give --new-account")
        }
        let response = try transport.send(ACMERequest(method: "POST", url: url, body: body))
        keepNonce(of: response)
        return response
      }
      if (200...299).contains(response.status) { return response }
      let problem = ACMEProblem(response.json)
      // RFC 8555 §6.5: the answer brings a fresh nonce.
      if problem?.type == "badNonce", rejected < Limits.acmeBadNonces {
        rejected += 1
        continue
      }
      throw failure(problem, response, doing)
    }
  }

  private func failure(_ problem: ACMEProblem?, _ response: ACMEResponse, _ doing: String)
    -> ACMEError
  {
    let wait = RetryAfter.moment(response["Retry-After"], now: time.now())
    if let problem { return problem.error(from: ca, while: doing, retryAfter: wait) }
    return ACMEError(
      .transport, "\(ca) answered \(response.status) when asked to \(doing)",
      hint: "try again later; what is served is not touched",
      notBefore: response.status == 429 || response.status == 503 ? wait : nil)
  }

  /// Again after a lost connection, and after an answer that says that the CA's machines have
  /// failed. What is asked of a CA does no harm when it is asked twice.
  private func retrying(_ attempt: () throws(ACMEError) -> ACMEResponse) throws(ACMEError)
    -> ACMEResponse
  {
    var pause = 500
    for _ in 0..<Limits.acmeRetries {
      do throws(ACMEError) {
        let response = try attempt()
        if response.status < 500 || response["Retry-After"] != nil { return response }
      } catch {
        if error.fault != .transport || error.type == Self.certain { throw error }
      }
      time.pause(pause)
      pause *= 2
    }
    return try attempt()
  }

  /// The type of an error that trying again does not mend.
  static let certain = "certain"

  // MARK: Nonces

  private func takeNonce() throws(ACMEError) -> String {
    if let nonce = nonces.popLast() { return nonce }
    let url = try directory().newNonce
    let response = try transport.send(ACMERequest(method: "HEAD", url: url))
    guard let nonce = Self.nonce(of: response) else {
      throw ACMEError(
        .transport, "\(ca) gave no nonce (status \(response.status))", hint: "try again later")
    }
    return nonce
  }

  private func keepNonce(of response: ACMEResponse) {
    guard let nonce = Self.nonce(of: response), nonces.count < 8 else { return }
    nonces.append(nonce)
  }

  /// RFC 8555 §6.5.1 has anything else than base64url ignored.
  private static func nonce(of response: ACMEResponse) -> String? {
    guard let nonce = response["Replay-Nonce"], nonce.utf8.count <= 1_024,
      nonce.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2d || $0 == 0x5f })
    else { return nil }
    return nonce
  }
}
