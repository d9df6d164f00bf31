// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// What an edge's keeper of certificates does beyond the store, and its time: tests bring their own.
package struct CertificateMeans: Sendable {
  /// Seconds since 1970.
  package var now: @Sendable () -> Int64
  /// Renews one of a CA's if need be; the closure tells whether to give up.
  package var renew:
    @Sendable (_ name: String, _ ends: @escaping @Sendable () -> Bool) throws -> Void
  /// Sends a responder a query, and has its answer.
  package var ask: @Sendable (_ url: String, _ query: [UInt8]) throws -> [UInt8]

  package init(
    now: @escaping @Sendable () -> Int64,
    renew: @escaping @Sendable (String, @escaping @Sendable () -> Bool) throws -> Void,
    ask: @escaping @Sendable (String, [UInt8]) throws -> [UInt8]
  ) {
    self.now = now
    self.renew = renew
    self.ask = ask
  }

  /// Over the network.
  package static func real(
    _ store: any Store, userAgent: String, report: @escaping @Sendable (String) -> Void
  ) -> CertificateMeans {
    CertificateMeans(
      now: { SystemCall.wallSeconds() },
      renew: { name, ends in
        let tell: @Sendable (String) -> Void = { report("certificate \"\(name)\": \($0)") }
        let time = ACMETime(
          now: { SystemCall.wallSeconds() },
          pause: { milliseconds in
            let end = SystemCall.monotonicMilliseconds() + Int64(milliseconds)
            while !ends(), SystemCall.monotonicMilliseconds() < end { usleep(50_000) }
          })
        let issuer = ACMEIssuer(
          store, time: time,
          transport: { settings in
            EndingTransport(
              transport: HTTPTransport(userAgent: userAgent, trust: settings.trust), ends: ends)
          }, report: tell)
        _ = try issuer.keep(
          name,
          prover: { (settings) throws(ACMEError) in
            try ACMEIssuer.unattendedProver(settings, in: store, report: tell)
          })
      },
      ask: { url, query in
        let client = HTTPClient(
          userAgent: userAgent, bodyUse: .keep(limit: Limits.statusResponse), connectTimeout: 10,
          timeout: 20)
        let response = try client.send(
          ClientRequest(
            url: try ClientURL(parsing: url), method: "POST",
            headers: [HeaderField(name: "Content-Type", value: "application/ocsp-request")],
            body: query))
        guard response.status == 200 else {
          throw RevocationError("it answers with \(response.status)")
        }
        return response.body
      })
  }
}

/// Asks nothing more of a CA when the edge is about to end.
private struct EndingTransport<Transport: ACMETransport>: ACMETransport {
  let transport: Transport
  let ends: @Sendable () -> Bool

  func send(_ request: ACMERequest) throws(ACMEError) -> ACMEResponse {
    if ends() {
      throw ACMEError(
        .busy, "the edge was ended before it was done", hint: "the next edge goes on with it")
    }
    return try transport.send(request)
  }
}
