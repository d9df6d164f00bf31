// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What `atoll test` was told to find in the last response.
enum Expectation: Equatable, Sendable {
  case verdict(CacheVerdict)
  case status(Int)
  case header(name: String, pattern: String)
  case ttl(Comparison, seconds: Int)

  enum Comparison: String, CaseIterable, Sendable {
    // The longer ones first, so that a prefix is not taken for the whole.
    case atLeast = ">="
    case atMost = "<="
    case more = ">"
    case less = "<"
    case equal = "="

    func holds(_ left: Int, _ right: Int) -> Bool {
      switch self {
      case .atLeast: left >= right
      case .atMost: left <= right
      case .more: left > right
      case .less: left < right
      case .equal: left == right
      }
    }
  }

  /// `name: pattern` with `*` and `?`; a name alone means: whatever its value.
  init(header text: String) throws(ValueError) {
    let colon = text.firstIndex(of: ":") ?? text.endIndex
    let name = text[..<colon].trimmed
    guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
      throw ValueError("names no header", hint: "write 'name: pattern', such as 'etag: \"*\"'")
    }
    let pattern = text[colon...].dropFirst().trimmed
    self = .header(name: String(name), pattern: pattern.isEmpty ? "*" : String(pattern))
  }

  /// `>=10m`.
  init(ttl text: String) throws(ValueError) {
    let plain = text.filter { $0 != " " }
    guard let comparison = Comparison.allCases.first(where: { plain.hasPrefix($0.rawValue) }),
      let seconds = Quantity.seconds(String(plain.dropFirst(comparison.rawValue.count)))
    else {
      throw ValueError("is no comparison", hint: "write it as '>=10m', '<1h' or '=0'")
    }
    self = .ttl(comparison, seconds: seconds)
  }

  /// As on the command line.
  var text: String {
    switch self {
    case .verdict(let verdict): verdict.rawValue
    case .status(let status): "status \(status)"
    case .header(let name, let pattern): "\(name): \(pattern)"
    case .ttl(let comparison, let seconds):
      "ttl \(comparison.rawValue) \(Quantity.duration(seconds))"
    }
  }

  struct Finding: Equatable {
    var expectation: Expectation
    var isMet: Bool
    /// What there was instead, for people.
    var actual: String
  }

  func check(_ response: ClientResponse, _ reading: CacheReading) -> Finding {
    switch self {
    case .verdict(let verdict):
      let reason = reading.reason.map { " (\($0))" } ?? ""
      return Finding(
        expectation: self, isMet: reading.verdict == verdict,
        actual: reading.verdict.rawValue + reason)
    case .status(let status):
      return Finding(
        expectation: self, isMet: response.status == status, actual: String(response.status))
    case .header(let name, let pattern):
      let values = response.values(name)
      // Each line by itself, then all of them as the one list they mean.
      let candidates = values.count > 1 ? values + [values.joined(separator: ", ")] : values
      return Finding(
        expectation: self,
        isMet: candidates.contains { wildcardMatches(pattern, $0) },
        actual: values.isEmpty ? "no such header" : "\"\(values.joined(separator: ", "))\"")
    case .ttl(let comparison, let seconds):
      return Finding(
        expectation: self, isMet: reading.ttl.map { comparison.holds($0, seconds) } ?? false,
        actual: reading.ttl.map(Quantity.duration) ?? "no lifetime known")
    }
  }
}
