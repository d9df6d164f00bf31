// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// The short body of an answer that the edge gives itself: what failed, for which distribution,
/// under which request id.
struct ErrorPage {
  enum Format {
    case text, html, json

    /// JSON or HTML when the viewer names it, plain text otherwise.
    init(accept: UnsafeBufferPointer<UInt8>?) {
      self = .text
      guard let accept else { return }
      var members = ListMembers(accept)
      while let member = members.next() {
        let type = UnsafeBufferPointer(
          rebasing: member[..<(member.firstIndex { $0 == 0x3b || $0 == 0x20 } ?? member.endIndex)])
        if equalsIgnoringCase(type, "application/json")
          || equalsIgnoringCase(type, "application/problem+json")
        {
          self = .json
          return
        }
        if equalsIgnoringCase(type, "text/html") {
          self = .html
          return
        }
      }
    }

    var contentType: StaticString {
      switch self {
      case .text: "text/plain; charset=utf-8"
      case .html: "text/html; charset=utf-8"
      case .json: "application/json"
      }
    }
  }

  let status: UInt16
  let reason: Reason
  /// More than the reason says, such as which rule a head broke.
  let detail: String?
  let distribution: String?
  let requestID: RequestID

  private var title: String { "\(status) \(reasonPhrase(status))" }

  /// One sentence for people.
  private var explanation: String {
    let site = distribution.map { " of distribution \"\($0)\"" } ?? ""
    switch reason {
    case .originDns: return "The name of the origin\(site) could not be resolved."
    case .originConnect: return "The origin\(site) could not be reached."
    case .originTimeout: return "The origin\(site) did not answer in time."
    case .originBadResponse: return "The origin\(site) sent a malformed response."
    case .originClosed: return "The origin\(site) closed the connection without a response."
    case .originTls: return "The origin\(site) is reached over TLS, which this version cannot do."
    case .originRecentlyFailed: return "The origin\(site) failed a moment ago."
    case .originError: return "The origin\(site) answered with this error."
    case .originUnhealthy: return "The origin\(site) fails; others already try whether it is back."
    case .unknownHost: return "No distribution answers for this host."
    case .misdirected: return "The certificate of this connection is not for this host."
    case .domainDetached: return "This domain is no longer served here."
    case .distributionDisabled: return "Distribution \"\(distribution ?? "")\" is disabled."
    case .methodNotAllowed: return "This method is not allowed here."
    case .httpsRequired: return "This is served over https only."
    case .countryBlocked: return "This site is not served in your country."
    case .requestBody: return "A GET or HEAD request must not have a body."
    case .onlyIfCached: return "Nothing usable is stored, and only-if-cached forbids to ask."
    case .requestTimeout: return "The request did not arrive in time."
    case .requestTooLarge, .badRequest: return "The request could not be read."
    case .loop: return "The origin\(site) leads back to this edge."
    case .overloaded: return "The edge is at its limit."
    case .draining: return "The edge is shutting down."
    default: return "The request could not be answered."
    }
  }

  func body(_ format: Format) -> String {
    let why = detail ?? "\(reason.text)"
    let id = requestID.text
    switch format {
    case .text:
      return """
        \(title)

        \(explanation)
        reason: \(why)
        request id: \(id)

        """
    case .html:
      return """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>\(title)</title></head>
        <body><h1>\(title)</h1>
        <p>\(explanation.replacingQuotes)</p>
        <p>Reason: <code>\(why)</code><br>Request id: <code>\(id)</code></p>
        </body></html>

        """
    case .json:
      // Distribution names consist of letters, digits, ".", "-" and "_": nothing to escape.
      let site = distribution.map { "\"\($0)\"" } ?? "null"
      return """
        {"status":\(status),"error":"\(reasonPhrase(status))","reason":"\(why)",\
        "message":"\(explanation.escapingQuotes)","distribution":\(site),"requestId":"\(id)"}

        """
    }
  }
}

extension String {
  fileprivate var replacingQuotes: String {
    reduce(into: "") { $0 += $1 == "\"" ? "&quot;" : String($1) }
  }
  fileprivate var escapingQuotes: String {
    reduce(into: "") { $0 += $1 == "\"" ? "\\\"" : String($1) }
  }
}
