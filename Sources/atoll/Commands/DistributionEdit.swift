// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Carries the options of create and update over to a distribution.
struct DistributionEdit {
  let parsed: ParsedArguments

  /// Everything but the origin's address, which create needs before there is a distribution.
  func apply(to distribution: inout Distribution) throws(CommandError) {
    if let preset = parsed[DistributionOptions.preset], preset != distribution.preset {
      distribution.apply(preset)
    }
    try editOrigins(&distribution)
    let former = distribution.settings
    editSettings(&distribution.settings)
    for index in distribution.behaviors.indices {
      distribution.behaviors[index].overrides.follow(from: former, to: distribution.settings)
    }
    if let behavior = parsed[DistributionOptions.defaultBehavior] {
      distribution.defaultBehavior = behavior
    }
    try editPaths(&distribution)
    try editDocuments(&distribution)
    try editViewers(&distribution)
    if let plan = parsed[DistributionOptions.plan] { distribution.plan = plan }
    if parsed[DistributionOptions.enabled] { distribution.isEnabled = true }
    if parsed[DistributionOptions.disabled] { distribution.isEnabled = false }
    try editTags(&distribution.tags)
    distribution.settlePreset()
  }

  /// The origin that the options name, nil when they name none; all but its addresses is
  /// `current`'s.
  func origin(current: Origin?) throws(CommandError) -> Origin? {
    let policy = parsed[OriginOptions.originProtocol]
    var urls = parsed.values(OriginOptions.origin)
    guard !urls.isEmpty else {
      guard let policy, var origin = current else { return nil }
      // A default port follows the scheme.
      if origin.port == origin.scheme.defaultPort { origin.port = policy.scheme.defaultPort }
      for index in origin.targets.indices
      where origin.targets[index].port == origin.scheme.defaultPort {
        origin.targets[index].port = policy.scheme.defaultPort
      }
      origin.scheme = policy.scheme
      return origin
    }
    if let policy {
      urls = urls.map { $0.contains("://") ? $0 : "\(policy.scheme.rawValue)://\($0)" }
    }
    for url in urls {
      do throws(ConfigError) {
        _ = try Origin(url: url)
      } catch {
        throw CommandError(
          error.problems.map { .init(message: "--origin: \($0.what)", hint: $0.hint) },
          code: .usage)
      }
    }
    let named: Origin
    do throws(ValueError) {
      named = try OriginURLs.read(urls)
    } catch {
      throw .usage("--origin: \(urls.joined(separator: ", ")) \(error.problem)", hint: error.hint)
    }
    if let policy, policy.scheme != named.scheme {
      throw .usage(
        "--origin \"\(urls[0])\" contradicts --origin-protocol \(policy.rawValue)",
        hint: "leave one of them out")
    }
    guard var origin = current else { return named }
    origin.scheme = named.scheme
    origin.host = named.host
    origin.port = named.port
    origin.path = named.path
    origin.targets = named.targets
    return origin
  }

  // MARK: Origins

  private func editOrigins(_ distribution: inout Distribution) throws(CommandError) {
    switch parsed[OriginOptions.originProtocol] {
    case .matchViewer?: distribution.origin.httpsPort = distribution.origin.httpsPort ?? 443
    case .httpOnly?, .httpsOnly?: distribution.origin.httpsPort = nil
    case nil:
      // A URL of https leaves nothing to choose.
      let isNew = !parsed.values(OriginOptions.origin).isEmpty
      if isNew && distribution.origin.scheme == .https { distribution.origin.httpsPort = nil }
    }
    if parsed[OriginOptions.insecure] { distribution.origin.tls.verify = false }
    for name in parsed.values(OriginOptions.removeOriginHeader) {
      let names = distribution.origin.headers.map { $0.name.lowercased() }
      guard let index = names.firstIndex(of: name.lowercased()) else {
        throw missing("header for the origin", name, among: names)
      }
      distribution.origin.headers.remove(at: index)
    }
    for use in parsed.occurrences {
      for option in OriginOptions.all where option.definition.name == use.name {
        edit(option, use.text)(&distribution.origin)
      }
    }
    for name in parsed.values(OriginOptions.removeOrigin) {
      let names = distribution.origins.map(\.name)
      guard let index = names.firstIndex(of: name) else {
        throw missing("named origin", name, among: names)
      }
      distribution.origins.remove(at: index)
    }
    for name in parsed.values(OriginOptions.removeOriginGroup) {
      let names = distribution.originGroups.map(\.name)
      guard let index = names.firstIndex(of: name) else {
        throw missing("origin group", name, among: names)
      }
      distribution.originGroups.remove(at: index)
    }
    for setting in parsed.values(OriginOptions.namedOrigin) { set(setting, in: &distribution) }
    for group in parsed.values(OriginOptions.originGroup) {
      if let index = distribution.originGroups.firstIndex(where: { $0.name == group.name }) {
        distribution.originGroups[index] = group
      } else {
        distribution.originGroups.append(group)
      }
    }
  }

  /// One that is there already keeps what is not named.
  private func set(_ setting: NamedOriginSetting, in distribution: inout Distribution) {
    let index =
      distribution.origins.firstIndex { $0.name == setting.name } ?? distribution.origins.count
    if index == distribution.origins.count {
      distribution.origins.append(NamedOrigin(name: setting.name, origin: setting.origin))
    }
    distribution.origins[index].origin.scheme = setting.origin.scheme
    distribution.origins[index].origin.host = setting.origin.host
    distribution.origins[index].origin.port = setting.origin.port
    distribution.origins[index].origin.path = setting.origin.path
    distribution.origins[index].origin.targets = setting.origin.targets
    for (option, text) in setting.words {
      edit(option, text)(&distribution.origins[index].origin)
    }
  }

  private func edit(_ option: OriginOption, _ text: String) -> Edit<Origin> {
    guard let edit = try? option.edit(text) else {
      preconditionFailure("the parser has read it")
    }
    return edit
  }

  // MARK: Settings and paths

  private func editSettings(_ settings: inout BehaviorSettings) {
    if parsed[DistributionOptions.clearResponseHeaders] {
      settings.responseHeaders.set = []
      settings.responseHeaders.removed = []
    }
    for use in parsed.occurrences {
      for option in BehaviorOptions.all where option.definition?.name == use.name {
        edit(option, use.text)(&settings)
      }
    }
  }

  private func edit(_ option: BehaviorOption, _ text: String) -> Edit<BehaviorSettings> {
    guard let edit = try? option.edit(text) else {
      preconditionFailure("the parser has read it")
    }
    return edit
  }

  /// In the order of the command line, which is the order of matching.
  private func editPaths(_ distribution: inout Distribution) throws(CommandError) {
    if parsed[DistributionOptions.clearPaths] { distribution.behaviors = [] }
    for use in parsed.occurrences {
      switch use.name {
      case DistributionOptions.cachePath.definition.name:
        set(use.text, .cache, in: &distribution)
      case DistributionOptions.dontCachePath.definition.name:
        set(use.text, .dontCache, in: &distribution)
      case DistributionOptions.removePath.definition.name:
        try removePath(use.text, from: &distribution)
      default: continue
      }
    }
  }

  /// A path that is there already keeps its place.
  private func set(_ text: String, _ caching: Caching, in distribution: inout Distribution) {
    guard let setting = try? PathSetting.read(text) else {
      preconditionFailure("the parser has read it")
    }
    let index = index(of: setting.path, in: distribution) ?? distribution.behaviors.count
    if index == distribution.behaviors.count {
      distribution.behaviors.append(PathBehavior(path: setting.path, caching: caching))
    }
    distribution.behaviors[index].caching = caching
    if caching == .dontCache { distribution.behaviors[index].ttl = nil }
    let inherited = distribution.settings
    for (option, text) in setting.words {
      if text == PathSetting.inherited {
        distribution.behaviors[index].overrides.drop(option.setting)
        continue
      }
      var own = distribution.behaviors[index].overrides.applied(to: inherited)
      edit(option, text)(&own)
      distribution.behaviors[index].overrides.take(option.setting, from: own)
    }
  }

  private func removePath(
    _ path: String, from distribution: inout Distribution
  ) throws(CommandError) {
    guard let index = index(of: path, in: distribution) else {
      let near = Suggestion.closest(to: path, in: distribution.behaviors.map(\.path))
      throw .usage(
        "\"\(distribution.name)\" has no override of the path \"\(path)\"",
        hint: near.map { "did you mean \"\($0)\"?" }
          ?? "see atoll show \(distribution.name) for its overrides")
    }
    distribution.behaviors.remove(at: index)
  }

  private func index(of path: String, in distribution: Distribution) -> Int? {
    let wanted = PathPattern(path)
    return distribution.behaviors.firstIndex { PathPattern($0.path) == wanted }
  }

  // MARK: The rest

  private func editDocuments(_ distribution: inout Distribution) throws(CommandError) {
    if let document = parsed[DistributionOptions.rootObject] {
      distribution.rootObject = document.text
    }
    if let document = parsed[DistributionOptions.indexDocument] {
      distribution.indexDocument = document.text
    }
    if let ttl = parsed[DistributionOptions.errorTTL] {
      distribution.errors.minimumTTL = ttl.seconds
    }
    for status in parsed.values(DistributionOptions.removeErrorPage) {
      let statuses = distribution.errors.responses.map(\.status)
      guard let index = statuses.firstIndex(of: status) else {
        throw missing("error page", "\(status)", among: statuses.map { String($0) })
      }
      distribution.errors.responses.remove(at: index)
    }
    for response in parsed.values(DistributionOptions.errorPage) {
      if let index = distribution.errors.responses.firstIndex(where: {
        $0.status == response.status
      }) {
        distribution.errors.responses[index] = response
      } else {
        distribution.errors.responses.append(response)
      }
    }
  }

  private func editViewers(_ distribution: inout Distribution) throws(CommandError) {
    for address in parsed.values(DistributionOptions.removeTrustedProxy) {
      guard let index = distribution.trustedProxies.firstIndex(of: address) else {
        throw missing("trusted proxy", address, among: distribution.trustedProxies)
      }
      distribution.trustedProxies.remove(at: index)
    }
    for address in parsed.values(DistributionOptions.trustedProxy)
    where !distribution.trustedProxies.contains(address) {
      distribution.trustedProxies.append(address)
    }
    if let list = parsed[DistributionOptions.geoAllow] {
      distribution.geoRestriction = list.isEmpty ? .none : .allow(list)
    }
    if let list = parsed[DistributionOptions.geoBlock] {
      distribution.geoRestriction = list.isEmpty ? .none : .block(list)
    }
  }

  private func missing(_ what: String, _ name: String, among names: [String]) -> CommandError {
    .usage(
      "there is no \(what) \"\(name)\"",
      hint: Suggestion.closest(to: name, in: names).map { "did you mean \"\($0)\"?" }
        ?? (names.isEmpty ? "there is none at all" : "there are \(listed(names, "and"))"))
  }

  private func editTags(_ tags: inout [Tag]) throws(CommandError) {
    for key in parsed.values(DistributionOptions.removeTag) {
      guard let index = tags.firstIndex(where: { $0.key == key }) else {
        throw missing("tag", key, among: tags.map(\.key))
      }
      tags.remove(at: index)
    }
    for tag in parsed.values(DistributionOptions.tag) {
      if let index = tags.firstIndex(where: { $0.key == tag.key }) {
        tags[index] = tag
      } else {
        tags.append(tag)
      }
    }
  }
}
