// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge

/// `atoll metrics`: what the running edges have counted.
enum MetricsCommand: Command {
  private static let json = Option.flag(
    CommonOptions.json.definition.name, excludes: ["prometheus"],
    CommonOptions.json.definition.summary)
  private static let prometheus = Option.flag(
    "prometheus", excludes: ["json"], "print Prometheus' text format")

  static let definition = CommandDefinition(
    name: "metrics", summary: "show requests, bytes, error rates and hit ratios",
    description: [
      """
      Asks every running edge and adds up what they say: requests; bytes down, sent in answer to \
      GET, HEAD and OPTIONS; bytes up, received with the other methods; the share of responses \
      with a status of 4xx, 5xx and both; and how many of the GET, HEAD and OPTIONS requests the \
      cache answered, by requests and by bytes: since the edges started, over the last hour and \
      over the last five minutes. The transfer is what all edges have sent to viewers in this \
      calendar month (UTC), kept over restarts; the edges' log warns at 80 and at 100 percent of the \
      plan.
      """,
      """
      Where an edge does not answer, the others' numbers are shown all the same, in each form; then \
      an error names it, and the exit code is 1.
      """,
      """
      With a name it shows that distribution alone, with the outcomes and the reasons why requests \
      were no hits.
      """,
    ],
    arguments: [
      ArgumentDefinition(
        "name", "the distribution; all of them without it", optional: true,
        completes: .distribution)
    ],
    options: [json.definition, prometheus.definition],
    examples: [
      Example("atoll metrics", "show all distributions"),
      Example("atoll metrics shop --json", "one distribution, for a script"),
      Example(
        "atoll metrics --prometheus > /var/lib/node_exporter/atoll.prom", "hand them to Prometheus"),
    ],
    exitCodes: [.done, .failed, .usage, .interrupted],
    seeAlso: ["serve", "test", "list"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    var (reports, silent) = try ask(workspace)
    // Where none answers there is nothing to add up.
    if reports.isEmpty { throw CommandError(silent, code: .failed) }
    if let name = parsed.argument(0) {
      for index in reports.indices { reports[index].narrow(to: name) }
      if reports.allSatisfy(\.distributions.isEmpty) {
        // Those that say nothing may serve it.
        if !silent.isEmpty { throw CommandError(silent, code: .failed) }
        // Its own error when the store has no such distribution either.
        _ = try workspace.get(name)
        throw CommandError.failed(
          "no edge serves \"\(name)\" yet", hint: "see atoll show \(name) for what keeps it")
      }
    }
    show(reports, parsed, console)
    if !silent.isEmpty { throw CommandError(silent, code: .failed) }
  }

  private static func show(
    _ reports: [MetricsReport], _ parsed: ParsedArguments, _ console: Console
  ) {
    if parsed[prometheus] {
      console.write(PrometheusText.write(reports))
      return
    }
    let report = MetricsReport.merged(reports)
    if parsed[json] {
      console.write(report.json())
    } else {
      let view = MetricsView(report: report, console: console)
      if parsed.argument(0) == nil {
        view.printAll()
      } else {
        report.distributions.forEach(view.printOne)
      }
    }
  }

  /// One report for each running edge, or why it gave none: one that hangs hides no other.
  private static func ask(
    _ workspace: Workspace
  ) throws -> (reports: [MetricsReport], silent: [CommandError.Problem]) {
    let edges = try workspace.registry.edges()
    guard !edges.isEmpty else {
      throw CommandError.failed(
        "no edge is running, so there are no metrics", hint: "start one with atoll serve")
    }
    var reports: [MetricsReport] = []
    var silent: [CommandError.Problem] = []
    for edge in edges {
      do throws(AdminError) {
        reports.append(try AdminClient(path: edge.adminSocket).metrics())
      } catch {
        silent.append(
          .init(
            message: "edge \"\(edge.id)\" gave no metrics: \(error.reason)",
            hint: "is it alive, of the same version, and yours to ask?"))
      }
    }
    return (reports, silent)
  }
}

extension MetricsReport {
  /// Leaves nothing but what is about the distributions of that name.
  fileprivate mutating func narrow(to name: String) {
    distributions.removeAll { $0.name != name }
    for index in edges.indices { edges[index].health.removeAll { $0.name != name } }
    total = distributions.first?.history ?? TrafficHistory()
    unclaimed = TrafficHistory()
  }
}
