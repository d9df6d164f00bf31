// SPDX-License-Identifier: Apache-2.0

/// Speaks with a CA over HTTPS.
package struct HTTPTransport: ACMETransport {
  private let client: HTTPClient

  /// - Parameter trust: a file of roots to believe; nil: the system's.
  package init(userAgent: String, trust: String?) {
    client = HTTPClient(
      userAgent: userAgent, trust: trust.map { .file($0) } ?? .system,
      bodyUse: .keep(limit: Limits.acmeResponse), connectTimeout: 15, timeout: 60)
  }

  package func send(_ request: ACMERequest) throws(ACMEError) -> ACMEResponse {
    do throws(ClientError) {
      let url = try ClientURL(parsing: request.url)
      // RFC 8555 §6.1.
      guard url.scheme == .https else {
        throw ClientError(
          .usage, "\(quoted(request.url)) is not https", hint: "ACME needs an https:// URL")
      }
      var headers: [HeaderField] = []
      if request.method == "POST" {
        headers.append(HeaderField(name: "Content-Type", value: "application/jose+json"))
      }
      let response = try client.send(
        ClientRequest(url: url, method: request.method, headers: headers, body: request.body))
      return ACMEResponse(status: response.status, fields: response.fields, body: response.body)
    } catch {
      throw Self.failure(error, request.url)
    }
  }

  private static func failure(_ error: ClientError, _ url: String) -> ACMEError {
    let place = ACMEClient.host(url)
    switch error.fault {
    case .usage:
      return ACMEError(.settings, error.message, hint: error.hint ?? "check the URL of --acme")
    case .certificate:
      return ACMEError(
        .transport, "\(place): \(error.message)",
        hint: "give the roots that it is to be verified with by --acme-ca, if it is a CA of yours",
        type: ACMEClient.certain)
    case .tooLarge:
      return ACMEError(
        .transport, "\(place): \(error.message)", hint: error.hint ?? "check the URL of --acme",
        type: ACMEClient.certain)
    // A connection that is lost while it is secured is one of these.
    case .tls, .noTLS, .onlyTLS:
      return ACMEError(
        .transport, "\(place): \(error.message)", hint: error.hint ?? "check the URL of --acme")
    case .lookup, .connect, .timeout, .response, .noAnswer:
      return ACMEError(
        .transport, "\(place) could not be reached: \(error.message)",
        hint: "check the URL of --acme and this machine's network, or try again later; what is "
          + "served is not touched")
    }
  }
}
