// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// `atoll test`: is it cached, for how long, and why not.
enum TestCommand: Command {
  private static let count = Option.integer(
    "count", value: "number", default: "2", in: 1...100, "requests for each URL")
  static let method = Option.text(
    "method", letter: "X", value: "method", default: "GET", "the request method")
  static let header = Option<HeaderField>(
    "header", letter: "H", value: "name: value", repeatable: true, separator: "\n",
    "a header to send; 'Name:' leaves one of ours out"
  ) { (text) throws(ValueError) in
    try HeaderField(parsing: text)
  }
  private static let resolve = Option<ClientRoute.Resolution>(
    "resolve", value: "host:port:address", repeatable: true, separator: " ",
    "the address to use for a host instead of looking it up"
  ) { (text) throws(ValueError) in
    try ClientRoute.Resolution(parsing: text)
  }
  private static let connectTo = Option<ClientRoute.Redirection>(
    "connect-to", value: "address", repeatable: true, separator: " ",
    "connect to address:port or unix:/path instead of the URL's host, which is still asked for; "
      + "host:port:address:port limits that to one host"
  ) { (text) throws(ValueError) in
    try ClientRoute.Redirection(parsing: text)
  }
  private static let connectTimeout = Option.duration(
    "connect-timeout", default: "10s", in: 1...3_600, "how long look-up and connecting may take")
  private static let ca = Option.text(
    "ca", value: "file", completes: .file,
    "believe the authorities of this PEM file, and no others")
  private static let insecure = Option.flag(
    "insecure", "take whatever certificate a server shows, and tell what is wrong with it")
  private static let maxTime = Option.duration(
    "max-time", default: "30s", in: 1...86_400, "how long one request may take")

  private static let explainGroup = "Explaining"
  private static let explain = Option.flag(
    "explain", group: explainGroup, ExplainOptions.summary)
  private static let distribution = Option.text(
    "distribution", value: "name", completes: .distribution, group: explainGroup,
    "the distribution of the store that answers; else the one of the URL's host, or the only one")

  private static let expectations = "Expectations"
  private static let expect = Option<CacheVerdict>.choice(
    "expect", value: "verdict",
    among: CacheVerdict.allCases.filter { $0 != .unknown }, group: expectations,
    "what the cache must say to the last request: hit, stale, revalidated, miss, coalesced, pass "
      + "or error")
  private static let expectStatus = Option.integer(
    "expect-status", value: "status", in: 100...999, group: expectations,
    "the status that the last response must have")
  private static let expectHeader = Option<Expectation>(
    "expect-header", value: "name: pattern", repeatable: true, separator: "\n",
    group: expectations,
    "a header that the last response must have; in the pattern * stands for any characters, ? for "
      + "one"
  ) { (text) throws(ValueError) in try Expectation(header: text) }
  private static let expectTTL = Option<Expectation>(
    "expect-ttl", value: "comparison", group: expectations,
    "how long the copy must stay fresh: '>=10m', '<1h', '=0'"
  ) { (text) throws(ValueError) in try Expectation(ttl: text) }

  static let definition = CommandDefinition(
    name: "test", summary: "check whether and for how long URLs are cached",
    description: [
      "Makes two requests for each URL, each on a connection of its own, and tells for each what "
        + "the cache did with it, the response's age and remaining lifetime, its size, and how "
        + "long looking up the name, connecting, the TLS handshake, waiting for the first byte and "
        + "the transfer took. "
        + "The last line says whether the URL is cached and for how long, or why not and what to "
        + "change.",
      "It reads Cache-Status (RFC 9211) and the headers of other caches and networks, X-Cache, "
        + "CF-Cache-Status, X-Vercel-Cache, Age and Via among them, so it can be pointed at any "
        + "site.",
      "A server that is asked by https has to show a certificate for the URL's host, valid now and "
        + "from an authority that this system or the file of --ca trusts; else the test fails and "
        + "says why.",
      "With expectations it is a check for scripts: it exits with 3 and names each one that the "
        + "last response of a URL did not meet.",
    ],
    arguments: [ArgumentDefinition("url", "http or https URLs to test", repeatable: true)],
    options: [
      count.definition, method.definition, header.definition, resolve.definition,
      connectTo.definition, ca.definition, insecure.definition, connectTimeout.definition,
      maxTime.definition,
      CommonOptions.json.definition, explain.definition, distribution.definition,
      expect.definition, expectStatus.definition,
      expectHeader.definition, expectTTL.definition,
    ],
    examples: [
      Example("atoll test http://localhost:8080/logo.svg", "is it cached, and if not, why"),
      Example(
        "atoll test --expect hit --expect-ttl '>=10m' http://localhost:8080/",
        "fail unless it is, for ten minutes more"),
      Example(
        "atoll test --explain http://shop.atoll.localhost:8080/cart",
        "say by which behavior and rule it is cached or not"),
      Example(
        "atoll test --connect-to 192.0.2.7:80 http://www.example.com/",
        "ask one edge for a site"),
    ],
    exitCodes: [.done, .failed, .usage, .unmet, .interrupted],
    seeAlso: ["serve", "purge", "metrics"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let requests = try parsed.arguments.map { try request(for: $0, parsed) }
    let client = client(parsed)
    var expected: [Expectation] = []
    if let verdict = parsed[expect] { expected.append(.verdict(verdict)) }
    if let status = parsed[expectStatus] { expected.append(.status(status)) }
    expected += parsed.values(expectHeader) + parsed.values(expectTTL)

    let isJSON = parsed[CommonOptions.json]
    let distributions = try parsed[explain] ? requests.map { try explained($0, parsed) } : []
    var reports: [TestReport] = []
    for request in requests {
      var report = TestReport.make(
        request, client: client, count: parsed[count] ?? 2, expectations: expected, now: Clock.now()
      )
      if !isJSON {
        if reports.count > 0 { console.print() }
        report.print(to: console)
      }
      if let last = report.exchanges.last, parsed[explain] {
        let explanation = try explanation(of: request, last.response, distributions[reports.count])
        report.explanation = explanation
        if !isJSON { console.write(explanation.details.text(console)) }
      }
      reports.append(report)
    }
    // What could not be reached at all has no result.
    if isJSON, reports.contains(where: { !$0.exchanges.isEmpty }) {
      console.print(JSON.result(["results": .array(reports.map(\.json))]))
    }
    for report in reports {
      // A reader of text has been told.
      guard isJSON, let error = report.misdirection else { continue }
      console.warn("\(report.request.url.text): \(error.message)", hint: error.hint)
    }
    for report in reports where report.diagnosis?.hasBodyChanged ?? false {
      console.warn(
        "\(report.request.url.text): a hit brought another body than the request before it",
        hint: "is the address served by several caches, or was it changed meanwhile?")
    }
    for report in reports {
      guard let fault = report.exchanges.first?.response.tls?.fault else { continue }
      console.warn(
        "\(report.request.url.text): the certificate \(fault.text(host: report.request.url.host))",
        hint: "without --insecure this is an error")
    }
    var told: [String] = []
    for warning in distributions.flatMap(\.warnings) where !told.contains(warning) {
      console.warn(warning)
      told.append(warning)
    }
    try fail(reports)
  }

  private static func client(_ parsed: ParsedArguments) -> HTTPClient {
    var client = HTTPClient(
      userAgent: "atoll/\(Atoll.version)", trust: parsed[ca].map { .file($0) } ?? .system,
      verifies: !parsed[insecure], bodyUse: .count,
      connectTimeout: Double(parsed[connectTimeout] ?? 10), timeout: Double(parsed[maxTime] ?? 30))
    client.route.resolutions = parsed.values(resolve)
    client.route.redirections = parsed.values(connectTo)
    return client
  }

  private static func request(for url: String, _ parsed: ParsedArguments) throws -> ClientRequest {
    do throws(ClientError) {
      var request = ClientRequest(url: try ClientURL(parsing: url))
      if let method = parsed[method] {
        guard method.utf8.allSatisfy(isTokenByte), method.uppercased() != "CONNECT" else {
          throw ClientError(
            .usage, "--method: \"\(method)\" is no method to test with", hint: "try GET or HEAD")
        }
        request.method = method
      }
      request.headers = parsed.values(header)
      return request
    } catch {
      throw CommandError.usage(error.message, hint: error.hint)
    }
  }

  /// The distribution that is taken to answer.
  private static func explained(
    _ request: ClientRequest, _ parsed: ParsedArguments
  ) throws -> Distribution {
    let workspace = try Workspace.open(parsed)
    if let name = parsed[distribution] { return try workspace.get(name) }
    let host = request.headers.last { $0.name.lowercased() == "host" }?.value
    let named = host.map { String($0.prefix { $0 != ":" }) } ?? request.url.host
    let all = try workspace.catalog.all().distributions
    let owner = HostTable(all).owner(of: named)
    if owner >= 0 { return all[Int(owner)] }
    if let one = all.first, all.count == 1 { return one }
    throw CommandError.usage(
      "--explain: no distribution of the store is called by the host \"\(named)\"",
      hint: "name the one that answers with --distribution <name>")
  }

  private static func explanation(
    of request: ClientRequest, _ response: ClientResponse, _ distribution: Distribution
  ) throws -> Explanation {
    let asked = try ExplainOptions.request(
      request.url.text, of: distribution, method: request.method, headers: request.headers)
    return try ExplainOptions.explanation(
      of: asked, distribution,
      response: ExplainedResponse(
        status: response.status,
        headers: response.fields))
  }

  /// With the options of this command that help.
  private static func hint(for error: ClientError, _ url: ClientURL) -> String? {
    switch error.fault {
    case .lookup:
      let address = "name the address with --resolve \(url.host):\(url.port):<address>"
      return error.hint.map { "\($0), or \(address)" } ?? address
    case .timeout(connecting: true):
      return "check the address and the firewall, or give --connect-timeout more"
    case .timeout(connecting: false): return "give --max-time more"
    case .certificate(.selfSigned), .certificate(.unknownRoot), .certificate(.unknownIssuer):
      return "trust its authority with --ca <file>, or look at it with --insecure"
    case .noTLS:
      return "ask for \(url.asked(by: .http).text), or name a port that speaks TLS"
    case .certificate:
      return error.hint.map { "\($0); --insecure tests it all the same" }
    default: return error.hint
    }
  }

  /// Everything that went wrong, unreachable servers before unmet expectations.
  private static func fail(_ reports: [TestReport]) throws {
    var problems: [CommandError.Problem] = []
    for report in reports {
      guard let error = report.error else { continue }
      problems.append(
        .init(
          message: "\(report.request.url.text): \(error.message)",
          hint: hint(for: error, report.request.url)))
    }
    let isUsage = reports.contains { $0.error?.fault == .usage }
    let code: ExitCode = problems.isEmpty ? .unmet : isUsage ? .usage : .failed
    for report in reports {
      for finding in report.findings where !finding.isMet {
        problems.append(
          .init(
            message: "\(report.request.url.text): expected \(finding.expectation.text), "
              + "found \(finding.actual)", hint: nil))
      }
    }
    if !problems.isEmpty { throw CommandError(problems, code: code) }
  }
}
