// SPDX-License-Identifier: Apache-2.0

/// What becomes of the origin's errors, and of the edge's own.
package struct ErrorSettings: Equatable, Sendable {
  /// Seconds for which an error that says nothing about its lifetime is served again before the
  /// origin is asked (CloudFront's error caching minimum TTL); nil: as RFC 9111 has it.
  package var minimumTTL: Int?
  /// By status, each at most once.
  package var responses: [ErrorResponse]

  package init(minimumTTL: Int? = nil, responses: [ErrorResponse] = []) {
    self.minimumTTL = minimumTTL
    self.responses = responses
  }
}

/// CloudFront's custom error response.
package struct ErrorResponse: Equatable, Sendable {
  /// 400, 403, 404, 405, 414, 416, 500, 501, 502, 503 or 504.
  package var status: Int
  /// Instead of the origin's or the edge's body; nil: that stays.
  package var page: ErrorPageSource?
  /// Sent to the viewer in place of `status`; nil: the same.
  package var responseStatus: Int?
  /// Seconds, instead of `ErrorSettings.minimumTTL`.
  package var minimumTTL: Int?

  package init(
    status: Int, page: ErrorPageSource? = nil, responseStatus: Int? = nil, minimumTTL: Int? = nil
  ) {
    self.status = status
    self.page = page
    self.responseStatus = responseStatus
    self.minimumTTL = minimumTTL
  }
}

package enum ErrorPageSource: Equatable, Sendable {
  /// A path of this distribution: fetched through the first behavior that matches it, so perhaps
  /// from another origin.
  case path(String)
  /// A file on the edge's machine, read when the configuration is applied.
  case file(String)
}
