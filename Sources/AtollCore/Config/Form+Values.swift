// SPDX-License-Identifier: Apache-2.0

// The kinds of values that settings are made of.

extension ValueForm where Value == Bool {
  static let bool = ValueForm(
    kind: "true or false", value: { $2.bool($0, $1) }, write: { $1.bool($0) },
    words: { $0 ? "yes" : "no" })
}

extension ValueForm where Value == Int {
  static func seconds(_ allowed: ClosedRange<Int>) -> ValueForm {
    number(
      allowed, "seconds", words: duration,
      read: { node, path, reader in reader.seconds(node, path) })
  }

  /// - Parameter unit: "attempts".
  static func integer(_ allowed: ClosedRange<Int>, _ unit: String) -> ValueForm {
    number(
      allowed, unit, words: { String($0) },
      read: { node, path, reader in
        reader.integer(
          node, path, what: "a number of \(unit)",
          hint: "write \(allowed.lowerBound) to \(allowed.upperBound)")
      })
  }

  private static func number(
    _ allowed: ClosedRange<Int>, _ unit: String, words: @escaping @Sendable (Int) -> String,
    read: @escaping @Sendable (JSONNode, String, inout FieldReader) -> Int?
  ) -> ValueForm {
    ValueForm(
      kind: unit, range: "\(allowed.lowerBound) to \(allowed.upperBound)", value: read,
      write: { $1.integer($0) },
      check: { value, path, problems in
        if allowed.contains(value) { return }
        problems.add(
          path, "\(value) is out of range",
          hint: "write \(allowed.lowerBound) to \(allowed.upperBound) \(unit)")
      }, words: words)
  }
}

extension ValueForm where Value == Double {
  static let percent = ValueForm(
    kind: "percent", range: "0 to 100",
    value: { node, path, reader in
      switch node.value {
      case .integer(let number): return Double(number)
      case .number(let number): return number
      default:
        reader.add(path, "\(describe(node)) is not a percentage", hint: "write 0 to 100")
        return nil
      }
    }, write: { $1.number($0, digits: $0 == $0.rounded() ? 0 : 4) },
    check: { value, path, problems in
      if (0...100).contains(value) { return }
      problems.add(path, "\(value) is out of range", hint: "write 0 to 100")
    }, words: { percentText($0) + " %" })
}

/// At most four digits after the point, as CloudFront counts percentages.
package func percentText(_ value: Double) -> String {
  var text = String((value * 10_000).rounded() / 10_000)
  if text.hasSuffix(".0") { text.removeLast(2) }
  return text
}

extension ValueForm where Value == String {
  /// - Parameter flaw: what is wrong with it, as the end of a sentence, and the fix.
  static func text(
    _ kind: String, example: String, range: String = "",
    flaw: @escaping @Sendable (String) -> Flaw? = { _ in nil }
  ) -> ValueForm {
    ValueForm(
      kind: kind, range: range, value: { $2.string($0, $1, example: example) },
      write: { $1.string($0) },
      check: { value, path, problems in
        guard let flaw = flaw(value) else { return }
        problems.add(path, "\(quoted(value)) \(flaw.what)", hint: flaw.hint)
      }, words: { quoted($0) })
  }
}

/// What is wrong with a value, as the end of a sentence that begins with it, and the fix.
typealias Flaw = (what: String, hint: String)

extension ValueForm where Value == [String] {
  /// A list of texts, each of which is there once.
  static func texts(
    _ kind: String, example: String, most: Int,
    fold: @escaping @Sendable (String) -> String = { $0 },
    range: String = "", flaw: @escaping @Sendable (String) -> Flaw?
  ) -> ValueForm {
    ValueForm(
      kind: kind, range: range, value: { $2.strings($0, $1, example: example) },
      write: { values, writer in
        writer.array { writer in for value in values { writer.element { $0.string(value) } } }
      },
      check: { values, path, problems in
        checkList(values, path, most: most, fold: fold, flaw: flaw, &problems)
      }, words: { $0.isEmpty ? "none" : $0.joined(separator: ", ") })
  }
}

func checkList(
  _ values: [String], _ path: String, most: Int, fold: (String) -> String,
  flaw: (String) -> Flaw?, _ problems: inout ProblemList
) {
  if values.count > most {
    problems.add(path, "there are \(values.count) entries", hint: "keep at most \(most)")
  }
  var seen: Set<String> = []
  for value in values {
    if let flaw = flaw(value) {
      problems.add(path, "\(quoted(value)) \(flaw.what)", hint: flaw.hint)
    }
    if !seen.insert(fold(value)).inserted {
      problems.add(path, "\(quoted(value)) occurs twice", hint: "keep one of the two")
    }
  }
}

extension ValueForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of the enum's raw values.
  static func choice(_ type: Value.Type) -> ValueForm {
    ValueForm(
      kind: listed(Value.allCases.map { quoted($0.rawValue) }, "or"),
      value: { $2.choice($0, $1, type) }, write: { $1.string($0.rawValue) },
      words: { $0.rawValue })
  }
}

extension ValueForm where Value == MethodSet {
  static let methods = ValueForm(
    kind: "list of methods",
    range: "GET,HEAD or GET,HEAD,OPTIONS or all seven",
    value: { node, path, reader in
      reader.methods(node, path, choices: MethodSet.allCases.map(\.rawValue))
        .flatMap(MethodSet.init)
    }, write: { value, writer in writeTexts(value.names, &writer) },
    words: { $0.rawValue })
}

extension ValueForm where Value == Bool {
  /// Whether OPTIONS is among them: GET and HEAD always are.
  static let cachedMethods = ValueForm(
    kind: "list of methods", range: "GET,HEAD or GET,HEAD,OPTIONS",
    value: { node, path, reader in
      let choices = [DistributionFile.cachedMethods(false), DistributionFile.cachedMethods(true)]
      return reader.methods(node, path, choices: choices.map(\.rawValue))
        .map { $0 == choices[1].rawValue }
    }, write: { value, writer in writeTexts(DistributionFile.cachedMethods(value).names, &writer) },
    words: { DistributionFile.cachedMethods($0).rawValue })
}

func writeTexts(_ values: [String], _ writer: inout DocumentWriter) {
  writer.array { writer in for value in values { writer.element { $0.string(value) } } }
}

extension ValueForm where Value == CodingSet {
  static let codings = ValueForm(
    kind: "list of codings", range: "\"gzip\" and \"br\"",
    value: { node, path, reader in
      guard let names = reader.strings(node, path, example: "gzip") else { return nil }
      var set: CodingSet = []
      for name in names {
        guard let coding = CodingSet(name: name) else {
          reader.add(
            path, "unknown coding \(quoted(name))", hint: "write \"gzip\", \"br\" or an empty list")
          return nil
        }
        set.insert(coding)
      }
      return set
    }, write: { value, writer in writeTexts(value.names, &writer) },
    words: { $0.isEmpty ? "none" : $0.names.joined(separator: ", ") })
}

extension CodingSet {
  /// As in Content-Encoding (RFC 9110 §8.4.1).
  package init?(name: String) {
    switch name {
    case "gzip": self = .gzip
    case "br": self = .brotli
    default: return nil
    }
  }

  package var names: [String] {
    (contains(.gzip) ? ["gzip"] : []) + (contains(.brotli) ? ["br"] : [])
  }
}

/// What a list of names chooses from: its syntax, and how two of its names are compared.
struct NameKind: Sendable {
  let noun: String
  let example: String
  let fold: @Sendable (String) -> String
  let flaw: @Sendable (String) -> Flaw?
  var allowsAllExcept = true

  static let keyedHeader = NameKind(
    noun: "header", example: "Accept-Language", fold: { $0.lowercased() }, flaw: keyedHeaderFlaw,
    allowsAllExcept: false)
  static let sentHeader = NameKind(
    noun: "header", example: "Referer", fold: { $0.lowercased() }, flaw: sentHeaderFlaw)
  static let cookie = NameKind(
    noun: "cookie", example: "session_*", fold: { $0 }, flaw: cookieFlaw)
  static let query = NameKind(
    noun: "query string", example: "page", fold: { $0 }, flaw: queryFlaw)
}

extension ValueForm where Value == NameSelection {
  static func names(_ kind: NameKind) -> ValueForm {
    let except = kind.allowsAllExcept ? " or {\"allExcept\": [ … ]}" : ""
    return ValueForm(
      kind: "\"none\", \"all\", list of names\(except)", value: { readNames($0, $1, kind, &$2) },
      write: { value, writer in
        switch value {
        case .none: writer.string("none")
        case .all: writer.string("all")
        case .listed(let names): writeTexts(names, &writer)
        case .allExcept(let names): writer.object { $0.member("allExcept", names) }
        }
      },
      check: { checkNames($0, $1, kind, &$2) }, words: describe)
  }
}

private func readNames(
  _ node: JSONNode, _ path: String, _ kind: NameKind, _ reader: inout FieldReader
) -> NameSelection? {
  switch node.value {
  case .string("none"): return NameSelection.none
  case .string("all"): return .all
  case .array:
    guard let names = reader.strings(node, path, example: kind.example) else { return nil }
    return names.isEmpty ? NameSelection.none : .listed(names)
  case .object where kind.allowsAllExcept:
    guard let members = reader.object(node, path, keys: ["allExcept"]) else { return nil }
    guard
      let names = reader.strings(
        members["allExcept"], "\(path).allExcept", example: kind.example)
    else { return nil }
    return names.isEmpty ? .all : .allExcept(names)
  default:
    reader.add(
      path, "\(describe(node)) is no choice of names",
      hint: "write \"none\", \"all\" or a list such as [\"\(kind.example)\"]")
    return nil
  }
}

private func checkNames(
  _ selection: NameSelection, _ place: String, _ kind: NameKind, _ problems: inout ProblemList
) {
  let names: [String]
  switch selection {
  case .none, .all: return
  case .listed(let listed): names = listed
  case .allExcept(let listed):
    names = listed
    if !kind.allowsAllExcept {
      problems.add(
        place, "all headers but some can't be part of the key",
        hint: "list those that are, or put the exceptions under originRequest")
    }
  }
  if names.isEmpty {
    problems.add(place, "the list is empty", hint: "name one, or forward none")
  }
  checkList(
    names, place, most: ConfigLimits.listedNames, fold: kind.fold,
    flaw: { name in
      if name.isEmpty { return ("names no \(kind.noun)", "remove it") }
      if name.utf8.count > ConfigLimits.nameLength {
        return ("is longer than \(ConfigLimits.nameLength) characters", "check the name")
      }
      return kind.flaw(name)
    }, &problems)
}

func describe(_ selection: NameSelection) -> String {
  switch selection {
  case .none: "none"
  case .all: "all"
  case .listed(let names): names.joined(separator: ", ")
  case .allExcept(let names): "all except " + names.joined(separator: ", ")
  }
}

/// The largest unit that divides it: 86400 is `1d`, 90 is `90s`.
func duration(_ seconds: Int) -> String {
  for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)]
  where seconds != 0 && seconds.isMultiple(of: length) {
    return "\(seconds / length)\(unit)"
  }
  return "\(seconds)s"
}
