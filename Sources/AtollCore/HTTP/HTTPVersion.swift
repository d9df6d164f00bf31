// SPDX-License-Identifier: Apache-2.0

/// The version of HTTP that a viewer speaks. Whatever it is, heads are read and written as HTTP/1.1's
/// text.
package enum HTTPVersion: Equatable, Sendable {
  case http10, http11, http2

  /// As logs and headers name it.
  package var number: StaticString {
    switch self {
    case .http10: "1.0"
    case .http11: "1.1"
    case .http2: "2.0"
    }
  }
}
