// SPDX-License-Identifier: Apache-2.0

extension ErrorSettings {
  static let form = ValueForm<ErrorSettings>.object([
    Member(
      "minimumTTL", \.minimumTTL,
      .optional(.ttl, from: 10, none: "the origin's headers"), noun: "error TTL",
      default: "10 in Lightsail's presets, else null", example: "10",
      "How long an error that says nothing about its lifetime is served again before the origin is "
        + "asked; null leaves it to RFC 9111."),
    Member(
      "responses", \.responses,
      .errorResponses.listing(ErrorResponse.form.members.map(\.manual)), noun: "error pages",
      default: "none",
      example: #"[{"status": 404, "page": "/404.html"}]"#,
      "What becomes of single statuses."),
  ])
}

extension ErrorResponse {
  /// CloudFront's.
  package static let statuses = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504]

  static let form = ValueForm<ErrorResponse>.object(
    [
      Member(
        "status", \.status, .status(among: statuses), noun: "status", isQuiet: false,
        default: "required", example: "404", "The origin's, or the edge's own."),
      Member(
        "page", \.page,
        .errorPage.listing([
          ManualEntry(
            key: "file", kind: "path", range: "a whole path", default: "none",
            example: #""/srv/404.html""#, summary: "A file on the edge's machine.")
        ]), noun: "page", default: "null: the body stays",
        example: #""/404.html""#,
        "What viewers get instead of the body: a path of the distribution, fetched through the first "
          + "behavior that matches it, or {\"file\": \"/srv/404.html\"}, a file on the edge's machine "
          + "that is read when the configuration is applied."),
      Member(
        "responseStatus", \.responseStatus,
        .optional(.status(among: [200] + statuses), from: 200, none: "the same"),
        noun: "sent status", default: "null: the same", example: "200",
        "Sent to viewers in place of the status."),
      Member(
        "minimumTTL", \.minimumTTL, .optional(.ttl, from: 10, none: "the distribution's"),
        noun: "error TTL", default: "null: that of errors", example: "60",
        "As errors.minimumTTL, for this status."),
    ])
}

extension ValueForm where Value == Int {
  static func status(among statuses: [Int]) -> ValueForm {
    let words = listed(statuses.map { String($0) }, "or")
    return ValueForm(
      kind: "status", range: words,
      value: { node, path, reader in
        reader.integer(node, path, what: "a status", hint: "write \(words)")
      }, write: { $1.integer($0) },
      check: { value, path, problems in
        if statuses.contains(value) { return }
        problems.add(path, "\(value) is not one of the statuses", hint: "write \(words)")
      }, words: { String($0) })
  }
}

extension ValueForm where Value == ErrorPageSource? {
  static let errorPage = ValueForm(
    kind: "path or {\"file\": \"…\"}",
    read: { node, path, reader in
      switch node.value {
      case .null: return { $0 = nil }
      case .string(let text): return { $0 = .path(text) }
      case .object:
        guard let members = reader.object(node, path, keys: ["file"]) else { return nil }
        guard
          let file = reader.string(members["file"], "\(path).file", example: "/srv/404.html")
        else {
          if members["file"] == nil {
            reader.add(path, "\"file\" is missing", hint: "write {\"file\": \"/srv/404.html\"}")
          }
          return nil
        }
        return { $0 = .file(file) }
      default:
        reader.add(
          path, "\(describe(node)) is no page",
          hint: "write a path such as \"/404.html\", or {\"file\": \"/srv/404.html\"}")
        return nil
      }
    },
    write: { value, _, writer in
      switch value {
      case nil: writer.null()
      case .path(let path): writer.string(path)
      case .file(let file): writer.object { $0.member("file", file) }
      }
    },
    check: { value, path, problems in
      switch value {
      case .path(let page):
        guard let flaw = pagePathFlaw(page) else { return }
        problems.add(path, "\(quoted(page)) \(flaw.what)", hint: flaw.hint)
      case .file(let file):
        if file.hasPrefix("/"), !file.utf8.contains(0) { return }
        problems.add(
          "\(path).file", "\(quoted(file)) is no whole path",
          hint: "begin it with /: an edge runs in a directory of its own")
      case nil: return
      }
    },
    words: { value in
      switch value {
      case nil: "the body stays"
      case .path(let path): quoted(path)
      case .file(let file): "the file \(quoted(file))"
      }
    })
}

extension ValueForm where Value == [ErrorResponse] {
  static let errorResponses = ValueForm(
    kind: "list of objects",
    read: { node, path, reader in
      guard let nodes = reader.array(node, path) else { return nil }
      var responses: [ErrorResponse] = []
      for (index, node) in nodes.enumerated() {
        let place = "\(path)[\(index)]"
        guard let edit = ErrorResponse.form.read(node, place, &reader) else { continue }
        if node["status"] == nil {
          reader.add(
            place, "\"status\" is missing", hint: "write {\"status\": 404, \"page\": \"/404.html\"}"
          )
        }
        var response = ErrorResponse(status: 0)
        edit(&response)
        responses.append(response)
      }
      let read = responses
      return { $0 = read }
    },
    write: { responses, _, writer in
      writer.array { writer in
        for response in responses {
          writer.element {
            ErrorResponse.form.write(response, ErrorResponse(status: response.status), &$0)
          }
        }
      }
    },
    check: { responses, path, problems in
      for (index, response) in responses.enumerated() {
        ErrorResponse.form.check(response, "\(path)[\(index)]", &problems)
        if responses[..<index].contains(where: { $0.status == response.status }) {
          problems.add(
            "\(path)[\(index)].status", "\(response.status) occurs twice",
            hint: "keep one of the two")
        }
      }
    },
    words: { responses in
      responses.isEmpty ? "none" : responses.map(\.words).joined(separator: ", ")
    }, members: [])
}

extension ErrorResponse {
  /// `404 with "/404.html" as 200`.
  package var words: String {
    var text = String(status)
    if let page { text += " with \(ValueForm.errorPage.words(page))" }
    if let responseStatus { text += " as \(responseStatus)" }
    if let minimumTTL { text += " for at least \(duration(minimumTTL))" }
    return text
  }
}
