// SPDX-License-Identifier: Apache-2.0

/// The members of an object, whose keys have been checked. So few are found faster one by one than
/// by hashing.
struct Members {
  let list: [JSONMember]

  subscript(key: String) -> JSONNode? { list.first { $0.key == key }?.node }
}

/// Takes typed values out of a JSON tree, and notes every one that is not what it has to be,
/// with its place. Paths are put together only for a message.
struct FieldReader {
  let source: String
  var problems = ProblemList()

  func place(_ path: String) -> String { path.isEmpty ? source : "\(source): \(path)" }

  mutating func add(_ path: String, _ what: String, hint: String) {
    problems.add(place(path), what, hint: hint)
  }

  /// The members of an object whose keys are its author's.
  mutating func object(_ node: JSONNode, _ path: @autoclosure () -> String, example: String)
    -> [JSONMember]?
  {
    if case .object(let members) = node.value { return members }
    add(path(), "\(describe(node)) stands where an object belongs", hint: "write \(example)")
    return nil
  }

  /// The members of an object all of whose keys must be among `keys`.
  mutating func object(_ node: JSONNode, _ path: @autoclosure () -> String, keys: [String])
    -> Members?
  {
    guard let members = object(node, path(), example: "{ … } here") else { return nil }
    for member in members where !keys.contains(member.key) {
      let hint: String
      if let near = nearestName(to: member.key, among: keys) {
        hint = "did you mean \(quoted(near))?"
      } else {
        hint = "the keys here are \(keys.joined(separator: ", "))"
      }
      add(path(), "unknown key \(quoted(member.key))", hint: hint)
    }
    return Members(list: members)
  }

  mutating func string(_ node: JSONNode?, _ path: @autoclosure () -> String, example: String)
    -> String?
  {
    guard let node else { return nil }
    if case .string(let text) = node.value { return text }
    add(
      path(), "\(describe(node)) is not text", hint: "write text in quotes, such as \"\(example)\"")
    return nil
  }

  mutating func bool(_ node: JSONNode?, _ path: @autoclosure () -> String) -> Bool? {
    guard let node else { return nil }
    if case .bool(let value) = node.value { return value }
    add(
      path(), "\(describe(node)) is neither true nor false", hint: "write true or false, unquoted")
    return nil
  }

  mutating func seconds(_ node: JSONNode?, _ path: @autoclosure () -> String) -> Int? {
    integer(node, path(), what: "a number of seconds", hint: "write seconds, such as 86400")
  }

  mutating func integer(
    _ node: JSONNode?, _ path: @autoclosure () -> String, what: String, hint: String
  ) -> Int? {
    guard let node else { return nil }
    if case .integer(let value) = node.value { return Int(value) }
    if case .string(let text) = node.value, let value = Int(text) {
      add(path(), "\(describe(node)) is text, not \(what)", hint: "write \(value) without quotes")
    } else {
      add(path(), "\(describe(node)) is not \(what)", hint: hint)
    }
    return nil
  }

  mutating func array(_ node: JSONNode?, _ path: @autoclosure () -> String) -> [JSONNode]? {
    guard let node else { return nil }
    if case .array(let nodes) = node.value { return nodes }
    add(path(), "\(describe(node)) stands where a list belongs", hint: "write [ … ] here")
    return nil
  }

  mutating func strings(_ node: JSONNode?, _ path: @autoclosure () -> String, example: String)
    -> [String]?
  {
    guard let nodes = array(node, path()) else { return nil }
    var result: [String] = []
    for (index, element) in nodes.enumerated() {
      guard let text = string(element, "\(path())[\(index)]", example: example) else { continue }
      result.append(text)
    }
    return result
  }

  /// One of an enum's raw values.
  mutating func choice<Value>(
    _ node: JSONNode?, _ path: @autoclosure () -> String, _ type: Value.Type
  ) -> Value?
  where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    guard let node else { return nil }
    let words = Value.allCases.map(\.rawValue)
    if case .string(let text) = node.value {
      if let value = Value(rawValue: text) { return value }
      if let near = nearestName(to: text, among: words) {
        add(path(), "unknown value \(quoted(text))", hint: "did you mean \(quoted(near))?")
        return nil
      }
    }
    add(
      path(), "unknown value \(describe(node))",
      hint: "write \(listed(words.map { quoted($0) }, "or"))")
    return nil
  }

  /// `GET,HEAD` as one text or as a list; in any order.
  mutating func methods(_ node: JSONNode?, _ path: @autoclosure () -> String, choices: [String])
    -> String?
  {
    guard let node else { return nil }
    let names: [String]
    if case .string(let text) = node.value {
      names = text.split(separator: ",").map { piece in
        String(piece.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    } else if case .array = node.value {
      guard let list = strings(node, path(), example: "GET") else { return nil }
      names = list
    } else {
      add(path(), "\(describe(node)) lists no methods", hint: "write \(listed(choices, "or"))")
      return nil
    }
    let chosen = Set(names)
    for choice in choices
    where names.count == chosen.count
      && chosen == Set(choice.split(separator: ",").map(String.init))
    {
      return choice
    }
    add(
      path(), "\(quoted(names.joined(separator: ","))) is not one of the choices",
      hint: "write \(listed(choices, "or"))")
    return nil
  }
}

/// A value as a message shows it.
func describe(_ node: JSONNode) -> String {
  switch node.value {
  case .null: "null"
  case .bool(let value): value ? "true" : "false"
  case .integer(let value): String(value)
  case .number(let value): String(value)
  case .string(let text): quoted(text)
  case .array: "a list"
  case .object: "an object"
  }
}

/// "a, b or c".
package func listed(_ words: [String], _ conjunction: String) -> String {
  guard words.count > 1 else { return words.first ?? "" }
  return words.dropLast().joined(separator: ", ") + " \(conjunction) \(words.last!)"
}
