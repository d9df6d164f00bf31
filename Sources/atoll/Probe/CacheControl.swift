// SPDX-License-Identifier: Apache-2.0

/// The directives of Cache-Control as a report needs them (RFC 9111 §5.2).
struct CacheControl: Equatable {
  /// Lower-case names; a directive without an argument has an empty one.
  private(set) var directives: [String: String] = [:]

  init(_ value: String?) {
    for part in Self.split(value ?? "") {
      let directive = part.trimmed
      if directive.isEmpty { continue }
      let equals = directive.firstIndex(of: "=")
      let name = (equals.map { directive[..<$0] } ?? directive).trimmed.lowercased()
      var argument = equals.map { directive[directive.index(after: $0)...].trimmed } ?? ""
      if argument.count >= 2 && argument.first == "\"" && argument.last == "\"" {
        argument = argument.dropFirst().dropLast()
      }
      // The first of two wins: the stricter would need knowledge of each directive.
      if directives[name] == nil { directives[name] = String(argument) }
    }
  }

  func has(_ name: String) -> Bool { directives[name] != nil }

  /// delta-seconds (RFC 9111 §1.2.2): what is too large counts as 2^31.
  func seconds(_ name: String) -> Int? {
    guard let text = directives[name], !text.isEmpty,
      text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
    else { return nil }
    return min(Int(text) ?? Int(Int32.max), Int(Int32.max))
  }

  /// At commas outside of quotes.
  private static func split(_ value: String) -> [Substring] {
    var parts: [Substring] = []
    var isQuoted = false
    var start = value.startIndex
    for index in value.indices {
      switch value[index] {
      case "\"": isQuoted.toggle()
      case "," where !isQuoted:
        parts.append(value[start..<index])
        start = value.index(after: index)
      default: break
      }
    }
    parts.append(value[start...])
    return parts
  }
}
