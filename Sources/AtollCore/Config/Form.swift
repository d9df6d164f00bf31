// SPDX-License-Identifier: Apache-2.0

/// A change that a file asks for, made once it is known what it changes.
package typealias Edit<Value> = @Sendable (inout Value) -> Void

/// How values of one type stand in a configuration file: one definition reads, writes, checks and
/// compares them, and says what the manual has to say.
struct ValueForm<Value: Equatable & Sendable>: Sendable {
  /// What kind of value it is, as the manual names it: "seconds".
  let kind: String
  /// What of these is allowed, for the manual: "1 to 10"; empty when the kind says all.
  var range = ""
  /// Nil when the reader noted a problem.
  let read: @Sendable (JSONNode, String, inout FieldReader) -> Edit<Value>?
  /// What equals the second value, which the reader of the file starts from, may be left out.
  let write: @Sendable (Value, Value, inout DocumentWriter) -> Void
  /// Notes what no type forbids.
  var check: @Sendable (Value, String, inout ProblemList) -> Void = { _, _, _ in }
  /// In the middle of a sentence.
  let words: @Sendable (Value) -> String
  /// The members of an object.
  var members: [Member<Value>] = []
  /// The keys of a list's or an object's elements, for the manual.
  var items: [ManualEntry] = []

  init(
    kind: String, range: String = "",
    read: @escaping @Sendable (JSONNode, String, inout FieldReader) -> Edit<Value>?,
    write: @escaping @Sendable (Value, Value, inout DocumentWriter) -> Void,
    check: @escaping @Sendable (Value, String, inout ProblemList) -> Void = { _, _, _ in },
    words: @escaping @Sendable (Value) -> String, members: [Member<Value>] = []
  ) {
    self.kind = kind
    self.range = range
    self.read = read
    self.write = write
    self.check = check
    self.words = words
    self.members = members
  }

  /// A value that is read whole.
  init(
    kind: String, range: String = "",
    value: @escaping @Sendable (JSONNode, String, inout FieldReader) -> Value?,
    write: @escaping @Sendable (Value, inout DocumentWriter) -> Void,
    check: @escaping @Sendable (Value, String, inout ProblemList) -> Void = { _, _, _ in },
    words: @escaping @Sendable (Value) -> String
  ) {
    self.init(
      kind: kind, range: range,
      read: { node, path, reader in
        guard let read = value(node, path, &reader) else { return nil }
        return { $0 = read }
      }, write: { value, _, writer in write(value, &writer) }, check: check, words: words)
  }

  /// An object; what a file leaves out of it stays as it is.
  /// - Parameters:
  ///   - usual: what need not be said of such an object.
  ///   - check: what no member can know alone.
  static func object(
    usual: Value? = nil, _ members: [Member<Value>],
    check: @escaping @Sendable (Value, String, inout ProblemList) -> Void = { _, _, _ in },
    words: (@Sendable (Value) -> String)? = nil
  ) -> ValueForm {
    let keys = members.map(\.key)
    return ValueForm(
      kind: "object",
      read: { node, path, reader in
        guard let list = reader.object(node, path, keys: keys) else { return nil }
        return readMembers(members, of: list, path, &reader)
      },
      write: { value, reference, writer in
        writer.object { writer in
          for member in members { member.write(value, reference, &writer) }
        }
      },
      check: { value, path, problems in
        for member in members { member.check(value, path, &problems) }
        check(value, path, &problems)
      },
      words: words ?? { value in
        let said = members.filter { member in usual.map { !member.isSame(value, $0) } ?? true }
        return said.isEmpty
          ? "as usual" : said.map { "\($0.key) \($0.words(value))" }.joined(separator: ", ")
      }, members: members)
  }
}

func readMembers<Value>(
  _ members: [Member<Value>], of list: Members, _ path: String, _ reader: inout FieldReader
) -> Edit<Value> {
  var edits: [Edit<Value>] = []
  for member in members {
    guard let node = list[member.key],
      let edit = member.read(node, path.isEmpty ? member.key : "\(path).\(member.key)", &reader)
    else { continue }
    edits.append(edit)
  }
  let all = edits
  return { value in for edit in all { edit(&value) } }
}

extension ValueForm {
  /// The same with what the manual says of its elements.
  func listing(_ items: [ManualEntry]) -> ValueForm {
    var form = self
    form.items = items
    return form
  }

  /// The same or nothing: null in a file.
  /// - Parameters:
  ///   - start: what the members of an object are filled from where there was nothing.
  ///   - none: what nothing means, in the middle of a sentence.
  static func optional<Wrapped>(
    _ form: ValueForm<Wrapped>, from start: Wrapped, none: String = "none"
  ) -> ValueForm where Value == Wrapped? {
    ValueForm(
      kind: form.kind, range: form.range,
      read: { node, path, reader in
        if node.value == .null { return { $0 = nil } }
        guard let edit = form.read(node, path, &reader) else { return nil }
        return { value in
          var wrapped = value ?? start
          edit(&wrapped)
          value = wrapped
        }
      },
      write: { value, reference, writer in
        if let value { form.write(value, reference ?? start, &writer) } else { writer.null() }
      },
      check: { value, path, problems in
        if let value { form.check(value, path, &problems) }
      },
      words: { $0.map(form.words) ?? none },
      members: form.members.map { $0.lifted(from: start) })
  }
}

/// A member of an object: where it stands in the file and in the model, and what it is called.
struct Member<Root: Sendable>: Sendable {
  let key: String
  /// In a sentence, without article: "connect timeout".
  let noun: String
  /// Nil when the reader noted a problem.
  let read: @Sendable (JSONNode, String, inout FieldReader) -> Edit<Root>?
  /// The key and its value, or nothing.
  let write: @Sendable (Root, Root, inout DocumentWriter) -> Void
  /// The same, though the value be the one a reader starts from.
  let writeAlways: @Sendable (Root, Root, inout DocumentWriter) -> Void
  let check: @Sendable (Root, String, inout ProblemList) -> Void
  let words: @Sendable (Root) -> String
  /// What turns the first into the second, in words; `name` makes "the connect timeout of …" of a
  /// noun.
  let differences: @Sendable (Root, Root, (String) -> String) -> [String]
  let isSame: @Sendable (Root, Root) -> Bool
  /// What of it differs from the second, each part by itself.
  let parts: @Sendable (Root, Root) -> [DescribedSetting]
  /// Left out of files, and of what is shown, where it is what it is anyway.
  let isQuiet: Bool
  let manual: ManualEntry

  /// - Parameter sentence: what a change is called, where "change … from … to …" reads badly.
  init<Value>(
    _ key: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ form: ValueForm<Value>,
    noun: String, isQuiet: Bool = true, default defaultText: String, example: String,
    sentence: (@Sendable (Value) -> String)? = nil, _ summary: String
  ) {
    self.key = key
    self.noun = noun
    read = { node, place, reader in
      guard let edit = form.read(node, place, &reader) else { return nil }
      return { edit(&$0[keyPath: path]) }
    }
    let writeAlways: @Sendable (Root, Root, inout DocumentWriter) -> Void = {
      root, reference, writer in
      writer.member(key) { form.write(root[keyPath: path], reference[keyPath: path], &$0) }
    }
    self.writeAlways = writeAlways
    write = { root, reference, writer in
      if isQuiet && root[keyPath: path] == reference[keyPath: path] { return }
      writeAlways(root, reference, &writer)
    }
    check = { root, place, problems in
      form.check(root[keyPath: path], place.isEmpty ? key : "\(place).\(key)", &problems)
    }
    words = { form.words($0[keyPath: path]) }
    differences = { old, new, name in
      let before = old[keyPath: path]
      let after = new[keyPath: path]
      if before == after { return [] }
      if let sentence { return [sentence(after)] }
      // Nothing became something: that is one change, not one for each part.
      if !form.members.isEmpty, !isNothing(before), !isNothing(after) {
        return form.members.flatMap { $0.differences(before, after, name) }
      }
      return ["change \(name(noun)) from \(form.words(before)) to \(form.words(after))"]
    }
    isSame = { $0[keyPath: path] == $1[keyPath: path] }
    parts = { root, usual in
      let value = root[keyPath: path]
      let other = usual[keyPath: path]
      if value == other { return [] }
      if !form.members.isEmpty, !isNothing(value), !isNothing(other) {
        return form.members.flatMap { $0.parts(value, other) }
      }
      return [(noun, form.words(value))]
    }
    self.isQuiet = isQuiet
    manual = ManualEntry(
      key: key, kind: form.kind, range: form.range, default: defaultText, example: example,
      summary: summary, members: form.members.map(\.manual) + form.items)
  }

  private init(
    key: String, noun: String,
    read: @escaping @Sendable (JSONNode, String, inout FieldReader) -> Edit<Root>?,
    write: @escaping @Sendable (Root, Root, inout DocumentWriter) -> Void,
    writeAlways: @escaping @Sendable (Root, Root, inout DocumentWriter) -> Void,
    check: @escaping @Sendable (Root, String, inout ProblemList) -> Void,
    words: @escaping @Sendable (Root) -> String,
    differences: @escaping @Sendable (Root, Root, (String) -> String) -> [String],
    isSame: @escaping @Sendable (Root, Root) -> Bool,
    parts: @escaping @Sendable (Root, Root) -> [DescribedSetting], isQuiet: Bool,
    manual: ManualEntry
  ) {
    self.key = key
    self.noun = noun
    self.read = read
    self.write = write
    self.writeAlways = writeAlways
    self.check = check
    self.words = words
    self.differences = differences
    self.isSame = isSame
    self.parts = parts
    self.isQuiet = isQuiet
    self.manual = manual
  }

  /// As a member of what may be missing.
  func lifted(from start: Root) -> Member<Root?> where Root: Equatable {
    Member<Root?>(
      key: key, noun: noun,
      read: { node, place, reader in
        guard let edit = read(node, place, &reader) else { return nil }
        return { value in
          var root = value ?? start
          edit(&root)
          value = root
        }
      },
      write: { value, reference, writer in
        if let value { write(value, reference ?? start, &writer) }
      },
      writeAlways: { value, reference, writer in
        if let value { writeAlways(value, reference ?? start, &writer) }
      },
      check: { value, place, problems in
        if let value { check(value, place, &problems) }
      },
      words: { $0.map(words) ?? "none" },
      differences: { old, new, name in differences(old ?? start, new ?? start, name) },
      isSame: { old, new in isSame(old ?? start, new ?? start) },
      parts: { value, usual in parts(value ?? start, usual ?? start) }, isQuiet: isQuiet,
      manual: manual)
  }
}

private protocol Nothing { var isNil: Bool { get } }
extension Optional: Nothing { fileprivate var isNil: Bool { self == nil } }

private func isNothing<Value>(_ value: Value) -> Bool {
  (value as? any Nothing)?.isNil ?? false
}

/// What the manual says of one key.
package struct ManualEntry: Sendable, Equatable {
  /// Stands for a name of the user's choice.
  package static let anyName = "<name>"

  package let key: String
  package let kind: String
  package let range: String
  package let `default`: String
  /// As JSON.
  package let example: String
  package let summary: String
  package let members: [ManualEntry]

  init(
    key: String, kind: String, range: String = "", default: String, example: String,
    summary: String, members: [ManualEntry] = []
  ) {
    self.key = key
    self.kind = kind
    self.range = range
    self.default = `default`
    self.example = example
    self.summary = summary
    self.members = members
  }
}
