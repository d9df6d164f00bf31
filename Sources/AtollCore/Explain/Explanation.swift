// SPDX-License-Identifier: Apache-2.0

/// What the edge would do with a request, and why: a list of facts from which text and JSON are
/// both made.
package struct Explanation: Sendable, Equatable {
  package struct Fact: Sendable, Equatable {
    /// In JSON.
    package let key: String
    /// In text.
    package let label: String
    package let value: Value
    /// Why it is so; nothing for what is plain.
    package let reason: String?
  }

  package indirect enum Value: Sendable, Equatable {
    case nothing
    case flag(Bool)
    case number(Int)
    /// Seconds; nil where other rules decide, which the reason tells.
    case seconds(Int)
    case text(String)
    case list([String])
    /// Names with their values, in their order.
    case pairs([HeaderField])
    case facts([Fact])
  }

  package var facts: [Fact] = []

  mutating func add(_ key: String, _ label: String, _ value: Value, _ reason: String? = nil) {
    facts.append(Fact(key: key, label: label, value: value, reason: reason))
  }

  /// The value of a fact, or of one within another: "answer.status".
  package subscript(path: String) -> Value? { fact(path)?.value }

  package func fact(_ path: String) -> Fact? {
    var facts = facts
    var found: Fact?
    for key in path.split(separator: ".") {
      guard let fact = facts.first(where: { $0.key == key }) else { return nil }
      found = fact
      if case .facts(let inner) = fact.value { facts = inner } else { facts = [] }
    }
    return found
  }
}

/// A request as a viewer would send it.
package struct ExplainedRequest: Sendable, Equatable {
  package var method: String
  package var scheme: Scheme
  /// As in Host.
  package var authority: String
  /// Path and query.
  package var target: String
  package var headers: [HeaderField]
  /// Text of the viewer's address.
  package var address: String

  package init(
    method: String = "GET", scheme: Scheme = .http, authority: String, target: String,
    headers: [HeaderField] = [], address: String = "192.0.2.1"
  ) {
    self.method = method
    self.scheme = scheme
    self.authority = authority
    self.target = target
    self.headers = headers
    self.address = address
  }

  /// The head on the wire. A Host among the headers is the one that counts.
  var bytes: [UInt8] {
    var text = "\(method) \(target) HTTP/1.1\r\n"
    if !headers.contains(where: { $0.name.lowercased() == "host" }) {
      text += "Host: \(authority)\r\n"
    }
    for header in headers { text += "\(header.name): \(header.value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}

/// The head of a response that has come.
package struct ExplainedResponse: Sendable, Equatable {
  package var status: Int
  package var headers: [HeaderField]

  package init(status: Int, headers: [HeaderField]) {
    self.status = status
    self.headers = headers
  }

  var bytes: [UInt8] {
    var text = "HTTP/1.1 \(status) \r\n"
    for header in headers { text += "\(header.name): \(header.value)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}
