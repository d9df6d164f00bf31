// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What `show --explain` and `test --explain` share.
enum ExplainOptions {
  static let summary = "say which behavior, key, origin and lifetime a request gets, and why"

  /// A URL of the distribution, or a path below its own domain.
  static func request(
    _ text: String, of distribution: Distribution, method: String, headers: [HeaderField]
  ) throws(CommandError) -> ExplainedRequest {
    var text = text
    if text.hasPrefix("/") { text = "http://\(distribution.ownDomains[0])\(text)" }
    let url: ClientURL
    do throws(ClientError) {
      url = try ClientURL(parsing: text)
    } catch {
      throw .usage(error.message, hint: error.hint)
    }
    return ExplainedRequest(
      method: method, scheme: url.scheme, authority: url.authority, target: url.target,
      headers: headers.filter { !$0.value.isEmpty })
  }

  static func explanation(
    of request: ExplainedRequest, _ distribution: Distribution,
    response: ExplainedResponse? = nil
  ) throws(CommandError) -> Explanation {
    do throws(HeadError) {
      return try explain(request, of: distribution, response: response, now: Clock.now())
    } catch {
      throw .usage(
        "the edge would refuse this request with \(error.status): \(error.rawValue)",
        hint: "check method, URL and headers")
    }
  }
}
