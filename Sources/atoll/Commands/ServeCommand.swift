// SPDX-License-Identifier: Apache-2.0
import AtollCore
import AtollEdge
import Glibc

/// `atoll serve`: the edge.
enum ServeCommand: Command {
  private static let http = Option<ListenAddress>(
    "http", value: "address", default: "8080, unless there is --https", repeatable: true,
    "accept viewers here: port, address:port, [ipv6]:port or unix:/path"
  ) { (text) throws(ValueError) in try listenAddress(text) }
  private static let https = Option<ListenAddress>(
    "https", value: "address", default: "8443, unless there is --http", repeatable: true,
    "accept viewers who speak TLS here, written as for --http"
  ) { (text) throws(ValueError) in try listenAddress(text) }
  private static let tlsPolicy = Option<TLSPolicy>.choice(
    "tls-policy", default: "intermediate",
    "TLS 1.3 alone, or TLS 1.2 with modern ciphers as well")
  private static let threads = Option.integer(
    "threads", in: 1...1_024, "event loops; else one for each processor")
  private static let memory = Option.size(
    "memory", default: "256M", in: Edge.smallestMemory...(1 << 50),
    "bytes for entries, index, buffers and fills together")
  private static let accessLog = Option.text(
    "access-log", value: "off|-|file", completes: .file, default: "-",
    "where the access log goes: nowhere, to stdout, or to a file")
  private static let logFormat = Option<LogFormat>.choice(
    "log-format", default: "combined", "one JSON object per line, or nginx's combined format")
  private static let maxConnections = Option.integer(
    "max-connections", in: 1...10_000_000,
    "viewers at once; else half of the open files allowed")
  private static let defaultDistribution = Option.text(
    "default-distribution", value: "name", completes: .distribution,
    "the one that answers for hosts which no distribution claims")
  private static let geoDatabase = Option.text(
    "geo-database", value: "file.mmdb", completes: .file,
    "GeoIP database in MaxMind's format: where viewers are")
  private static let drainTimeout = Option.duration(
    "drain-timeout", default: "30s", in: 0...86_400,
    "how long exchanges may go on after SIGTERM")
  private static let name = Option.text(
    "name", value: "name", default: "unsaved",
    "with an origin URL: what purge and metrics call it")

  /// What shapes a distribution that is not saved: as for create.
  private static let shape: [OptionDefinition] = {
    let others = [
      OriginOptions.origin.definition, OriginOptions.originProtocol.definition,
      DistributionOptions.plan.definition, DistributionOptions.tag.definition,
      DistributionOptions.enabled.definition, DistributionOptions.disabled.definition,
      DistributionOptions.file.definition,
    ].map(\.name)
    return DistributionOptions.settings.filter { !others.contains($0.name) }
  }()

  static let definition = CommandDefinition(
    name: "serve", summary: "run an edge",
    forms: ["[options]", "<origin-url> [options]"],
    description: [
      """
      Without a URL the edge serves every distribution of the store, and follows the store while \
      it runs: a change is in force between two requests, without a connection being dropped. A \
      distribution answers for its default domain, <name> beside it, and the domains attached to \
      it (atoll domain), such as shop.atoll.localhost; the only one \
      answers for every host, of several --default-distribution chooses the one that does.
      """,
      """
      With a URL it serves that origin and nothing else, and nothing need be set up: the options \
      of create shape a distribution that is not saved. Purge and metrics know it by --name.
      """,
      """
      Addresses in use are printed to stderr once they accept viewers, and so is everything else \
      that is not the access log.
      """,
    ],
    arguments: [
      ArgumentDefinition(
        "origin-url", "serve this origin, http[s]://host[:port][/path]", optional: true)
    ],
    options: [
      http.definition, https.definition, tlsPolicy.definition, threads.definition,
      memory.definition, accessLog.definition,
      logFormat.definition, maxConnections.definition, defaultDistribution.definition,
      geoDatabase.definition, drainTimeout.definition, name.definition,
    ] + shape,
    examples: [
      Example("atoll serve http://localhost:3000", "put a cache in front of a site, on port 8080"),
      Example(
        "atoll serve --http 80 --http unix:/run/atoll/http.sock --memory 4G --access-log "
          + "/var/log/atoll/access.log",
        "serve every distribution of the store"),
      Example(
        "atoll serve https://10.0.0.7 --origin-ca ca.pem --origin-server-name shop.example",
        "reach the origin over TLS, with a certificate of an authority of your own"),
      Example(
        "atoll serve http://localhost:3000 --http 127.0.0.1:8080 --preset static",
        "cache everything for a day, for this machine only"),
    ],
    details: ServeManual.sections,
    exitCodes: [.done, .failed, .usage, .interrupted],
    seeAlso: ["create", "test", "purge", "metrics"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    reserveStandardStreams()
    var options = SupervisorOptions()
    options.edge = try edgeOptions(parsed)
    options.drainTimeout = parsed[drainTimeout] ?? 30
    options.defaultDistribution = parsed[defaultDistribution]
    options.geoDatabase = parsed[geoDatabase]

    let workspace = try Workspace.open(parsed)
    let unsaved = try unsavedDistribution(parsed)
    let store = workspace.catalog.store
    // Without a place for its socket an edge has no metrics, but serves.
    options.runDirectory = try? store.makeRunDirectory()
    options.certificates = .real(
      store, userAgent: "atoll/\(Atoll.version)", report: options.report)

    let supervisor: Supervisor
    do {
      supervisor = try Supervisor(
        source: unsaved.map { .unsaved($0, store) } ?? .store(store), options: options)
    } catch let error as EdgeError {
      throw failure(error)
    } catch let error as GeoDatabaseError {
      throw CommandError.usage(error.message, hint: error.hint)
    } catch let error as ConfigError {
      // What an unsaved distribution asks of this edge.
      throw CommandError(
        error.problems.map { .init(message: $0.message, hint: $0.hint) }, code: .usage)
    }
    if unsaved == nil, try workspace.catalog.names().isEmpty {
      console.note(
        "create one with atoll create <name> --origin <url>, or serve one with atoll serve <url>")
    }
    switch supervisor.run() {
    case .drained: return
    case .cutShort: throw CommandError([], code: .interrupted)
    }
  }

  private static func edgeOptions(_ parsed: ParsedArguments) throws -> EdgeOptions {
    EdgeOptions.raiseDescriptorLimit()
    var options = EdgeOptions()
    let listeners = parsed.values(http)
    options.secureListeners = parsed.values(https)
    if !listeners.isEmpty || !options.secureListeners.isEmpty {
      options.listeners = listeners
    } else {
      options.defaultSecureListener = .tcp(host: nil, port: 8443)
    }
    try requireDistinct(
      listeners.map { (http, $0) } + options.secureListeners.map { (https, $0) })
    options.tlsPolicy = parsed[tlsPolicy] ?? .intermediate
    if let count = parsed[threads] { options.threads = count }
    if let bytes = parsed[memory] { options.memory = bytes }
    if let count = parsed[maxConnections] { options.maxConnections = count }
    options.logFormat = parsed[logFormat] ?? .combined
    options.accessLog =
      switch parsed[accessLog] ?? "-" {
      case "off": nil
      case "-": .standardOutput
      case let path: .file(path)
      }
    return options
  }

  /// Else the edge would say of its own address that another process has it.
  private static func requireDistinct(
    _ listeners: [(option: Option<ListenAddress>, address: ListenAddress)]
  ) throws {
    for (index, second) in listeners.enumerated() {
      guard let first = listeners[..<index].first(where: { $0.address.overlaps(second.address) })
      else { continue }
      let names = [first, second].map { "\($0.option.definition.spelling) \($0.address.text)" }
      throw names[0] == names[1]
        ? CommandError.usage("\(names[0]) is given twice", hint: "leave one of them out")
        : CommandError.usage(
          "\(names[0]) and \(names[1]) name the same address",
          hint: "give each of them a port of its own")
    }
  }

  /// Nil when the store's are served.
  private static func unsavedDistribution(_ parsed: ParsedArguments) throws -> Distribution? {
    let given = Set(parsed.occurrences.filter { $0.source == .commandLine }.map(\.name))
    guard let url = parsed.argument(0) else {
      if let option = (shape + [name.definition]).first(where: { given.contains($0.name) }) {
        throw CommandError.usage(
          "\(option.spelling) needs an origin URL to serve",
          hint: "what is in the store is changed with atoll update")
      }
      return nil
    }
    if given.contains(defaultDistribution.definition.name) {
      throw CommandError.usage(
        "--default-distribution makes no sense with an origin URL",
        hint: "the URL's distribution answers for every host")
    }
    let origin: Origin
    do throws(ConfigError) {
      origin = try Origin(url: url)
    } catch {
      throw CommandError(
        error.problems.map { .init(message: $0.what, hint: $0.hint) }, code: .usage)
    }
    var distribution = Distribution.make(
      name: parsed[name] ?? "unsaved", origin: origin,
      preset: parsed[DistributionOptions.preset] ?? .origin, id: Distribution.makeID(),
      now: Clock.now())
    try DistributionEdit(parsed: parsed).apply(to: &distribution)
    try Workspace.check(distribution, from: parsed)
    return distribution
  }

  private static func listenAddress(_ text: String) throws(ValueError) -> ListenAddress {
    do throws(EdgeError) {
      return try ListenAddress(parsing: text)
    } catch {
      throw ValueError("is no address to listen on", hint: error.hint)
    }
  }

  private static func failure(_ error: EdgeError) -> CommandError {
    switch error {
    case .badListenAddress, .memoryTooSmall: .usage(error.message, hint: error.hint)
    case .addressInUse, .addressNotPermitted, .cannotListen, .memoryRefused, .accessLog, .tls,
      .system:
      .failed(error.message, hint: error.hint)
    }
  }
}
