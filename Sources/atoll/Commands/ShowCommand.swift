// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum ShowCommand: Command {
  private static let explain = Option.text(
    "explain", value: "url", ExplainOptions.summary)

  static let definition = CommandDefinition(
    name: "show", summary: "show a distribution in full",
    description: [
      """
      Below the settings stand the running edges: which of them serve this revision, what they \
      could not take over, and how each sees the targets of the origins.
      """,
      """
      A target is up, unhealthy by its origin's health check, ejected because requests to it \
      failed one after the other, or tried again by one request. What is down gets no requests \
      unless every target of the origin is.
      """,
      """
      --json prints the document that apply, create --file and update --file read. Its member \
      "edges" is about the moment, and they take no notice of it.
      """,
      """
      --explain tells instead what would become of a request for a URL, or for a path, with the \
      method and headers given: no edge need run.
      """,
    ],
    arguments: [
      ArgumentDefinition("name", "the distribution to show", completes: .distribution)
    ],
    options: [
      CommonOptions.json.definition, explain.definition, TestCommand.method.definition,
      TestCommand.header.definition,
    ],
    examples: [
      Example("atoll show shop", "read it"),
      Example("atoll show shop --json > shop.json", "keep it in a file that apply reads"),
      Example(
        "atoll show shop --explain '/img/a.png?size=2' -H 'Cookie: a=b'",
        "see which behavior decides, and what is keyed and forwarded"),
    ],
    seeAlso: ["list", "update", "apply"], pages: ["atoll-distribution(5)"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let distribution = try workspace.get(parsed.arguments[0])
    if let url = parsed[explain] {
      let request = try ExplainOptions.request(
        url, of: distribution, method: parsed[TestCommand.method] ?? "GET",
        headers: parsed.values(TestCommand.header))
      let explanation = try ExplainOptions.explanation(of: request, distribution)
      if parsed[CommonOptions.json] {
        console.print(JSON.result(["explanation": explanation.json]))
      } else {
        console.write(explanation.details.text(console))
      }
      return
    }
    let edges = try workspace.registry.edges()
    let health = edges.map { EdgeHealth($0, of: distribution) }
    if parsed[CommonOptions.json] {
      console.write(EdgeHealth.add(health, to: DistributionFile.encode(distribution)))
    } else {
      var details = DistributionView.details(of: distribution)
      details.add("Certificates", lines: try certificates(of: distribution, in: workspace))
      details.add("Transfer", try workspace.transfer.text(of: distribution))
      let lines = health.flatMap { [line(for: $0.edge, distribution)] + $0.lines }
      details.add("Edges", lines: edges.isEmpty ? ["none is running"] : lines)
      console.write(details.text(console))
    }
    for warning in distribution.warnings { console.warn(warning) }
    for edge in edges {
      for problem in edge.problems { console.warn("edge \"\(edge.id)\": \(problem)") }
    }
  }

  /// Those that are for one of its hosts, with their ends.
  private static func certificates(
    of distribution: Distribution, in workspace: Workspace
  ) throws -> [String] {
    let now = Clock.now()
    var lines: [String] = []
    for certificate in try workspace.certificates.all().certificates {
      guard let leaf = certificate.leaf else { continue }
      let covered = distribution.hosts.filter { leaf.covers($0) }
      if covered.isEmpty { continue }
      let expiry = CertificateExpiry(certificate.name, leaf)
      let verb = expiry.isOver(at: now) ? "expired" : "expires"
      lines.append(
        "\(certificate.name)  \(verb) \(expiry.distance(at: now)), for "
          + covered.joined(separator: ", "))
    }
    return lines
  }

  private static func line(for edge: EdgeRecord, _ distribution: Distribution) -> String {
    let place = edge.addresses.isEmpty ? "" : " on \(edge.addresses.joined(separator: ", "))"
    if edge.unsaved != nil { return "\(edge.id)\(place): serves the URL of its command line alone" }
    let state =
      if edge.revision < distribution.revision {
        "still serves revision \(edge.revision) of the store"
      } else {
        edge.refused.first { $0.name == distribution.name }?.text(otherwise: "does not serve it")
          ?? "serves this revision"
      }
    return "\(edge.id)\(place): \(state)"
  }
}
