// SPDX-License-Identifier: Apache-2.0

/// What a request brought back.
package struct ClientResponse: Equatable, Sendable {
  /// Seconds.
  package struct Phases: Equatable, Sendable {
    package var dns = 0.0
    package var connect = 0.0
    /// The handshake; 0 in the clear.
    package var tls = 0.0
    /// From the connection to the first byte of the final response.
    package var wait = 0.0
    package var transfer = 0.0

    package init() {}

    package var total: Double { dns + connect + tls + wait + transfer }
  }

  package var status = 0
  /// As received.
  package var fields: [HeaderField] = []
  /// Without chunk framing; empty when the client only counts it.
  package var body: [UInt8] = []
  package var bodyLength: UInt64 = 0
  package var bodyHash: UInt64 = Fingerprint().value
  package var phases = Phases()
  /// The address that answered.
  package var peer = ""
  /// Nil in the clear.
  package var tls: ClientTLSFacts?

  package init() {}

  /// The values of all lines with that name, in order.
  package func values(_ name: String) -> [String] {
    let name = name.lowercased()
    return fields.filter { $0.name.lowercased() == name }.map(\.value)
  }

  /// All lines of a list field as one list (RFC 9110 §5.3), nil when there is none.
  package func combined(_ name: String) -> String? {
    let values = values(name)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }

  /// What all lines of Cache-Control, or of a field like it, say together.
  package func directives(_ name: String) -> ResponseDirectives {
    var directives = ResponseDirectives()
    for value in values(name) {
      Array(value.utf8).withUnsafeBufferPointer { directives.add(line: $0) }
    }
    return directives
  }

  /// Age in seconds, when it is valid (RFC 9111 §5.1).
  package var age: Int? {
    guard let value = values("Age").first else { return nil }
    return Array(value.utf8).withUnsafeBufferPointer { bytes in
      var members = ListMembers(bytes)
      return members.next().flatMap(deltaSeconds).map(Int.init)
    }
  }
}
