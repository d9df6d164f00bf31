// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What a probe brought back; the body was counted and hashed, not kept.
struct ProbeResponse: Equatable {
  struct Field: Equatable {
    /// As received.
    var name: String
    var value: String
  }

  /// Seconds.
  struct Phases: Equatable {
    var dns = 0.0
    var connect = 0.0
    /// From the connection to the first byte of the final response.
    var wait = 0.0
    var transfer = 0.0

    var total: Double { dns + connect + wait + transfer }
  }

  var status = 0
  var fields: [Field] = []
  /// Without chunk framing.
  var bodyLength: UInt64 = 0
  var bodyHash: UInt64 = Fingerprint().value
  var phases = Phases()
  /// The address that answered.
  var peer = ""

  /// The values of all lines with that name, in order.
  func values(_ name: String) -> [String] {
    let name = name.lowercased()
    return fields.filter { $0.name.lowercased() == name }.map(\.value)
  }

  /// All lines of a list field as one list (RFC 9110 §5.3), nil when there is none.
  func combined(_ name: String) -> String? {
    let values = values(name)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }

  /// What all lines of Cache-Control, or of a field like it, say together.
  func directives(_ name: String) -> ResponseDirectives {
    var directives = ResponseDirectives()
    for value in values(name) {
      Array(value.utf8).withUnsafeBufferPointer { directives.add(line: $0) }
    }
    return directives
  }

  /// Age in seconds, when it is valid (RFC 9111 §5.1).
  var age: Int? {
    guard let value = values("Age").first else { return nil }
    return Array(value.utf8).withUnsafeBufferPointer { bytes in
      var members = ListMembers(bytes)
      return members.next().flatMap(deltaSeconds).map(Int.init)
    }
  }
}
