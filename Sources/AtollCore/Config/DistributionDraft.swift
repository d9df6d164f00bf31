// SPDX-License-Identifier: Apache-2.0

/// What a configuration file says about one distribution: only what it says is changed.
package struct DistributionDraft: Sendable {
  /// The file, for messages.
  package var source: String
  /// What supplies everything that neither the file nor a preset named in it says.
  package var base: Distribution?

  package var name: String?
  package var id: String?
  package var defaultDomain: String?
  package var revision: UInt64?
  package var created: Int64?
  package var modified: Int64?
  package var preset: Preset?

  /// Scheme, host, port and path; its other parts are the defaults.
  package var origin: Origin?
  var originEdit: Edit<Origin> = { _ in }
  package var defaultBehavior: Caching?
  /// Whether the file has these keys: domains stay as they are where it has not.
  var saysDomains = false
  var saysDetachedDomains = false
  /// The certificate whose names are to be attached (CloudFormation's CertificateName), until
  /// `attach` says which these are.
  package internal(set) var certificateName: String?
  /// Domains that want a certificate of the store each (CloudFront's Aliases), until `attach`.
  package internal(set) var aliases: [String]?
  /// Of everything else but behaviors and settings.
  var edits: [Edit<Distribution>] = []
  var settings = SettingsDraft()
  /// All of them, in their order.
  package var behaviors: [BehaviorDraft]?

  /// The file's form: which preset fills the gaps, and how its keys are called in messages.
  var isCloudFormation = false
  /// CloudFront's own, which has no names.
  var isCloudFront = false
  /// For a CloudFormation file: our JSON path → the file's.
  var places: [String: String] = [:]
  /// Before every path: `[1].` in a file with several.
  var pathPrefix = ""

  package struct BehaviorDraft: Sendable {
    package var path: String
    package var caching: Caching
    var settings = SettingsDraft()
  }

  package init(source: String, base: Distribution? = nil) {
    self.source = source
    self.base = base
  }

  /// What the form of CloudFormation says, which has keys of its own.
  mutating func set<Value: Sendable>(
    _ path: WritableKeyPath<Distribution, Value> & Sendable, _ value: Value?
  ) {
    guard let value else { return }
    edits.append { $0[keyPath: path] = value }
  }

  /// Whether it is what `show --json` prints, so that what it leaves out is the preset's and not
  /// what there was before.
  package var isWhole: Bool { id != nil && created != nil && preset != nil }

  /// The distribution that the draft describes, validated.
  ///
  /// - Parameters:
  ///   - name: wins over the file's.
  ///   - existing: the stored distribution that this one replaces: it keeps its id and dates.
  ///   - id: for a new one; made up when missing.
  ///   - baseDomain: the store's, for a new one.
  package func make(
    name: String? = nil, existing: Distribution? = nil, id: String? = nil,
    baseDomain: String = Distribution.standardBase, now: Int64
  ) throws(ConfigError) -> Distribution {
    var problems = ProblemList()
    let chosenName = name ?? self.name ?? base?.name
    if chosenName == nil {
      problems.add(
        ownPlace, "the distribution has no name",
        hint: isCloudFront
          ? "give it one with atoll create <name> --file, or put it into a template's Resources"
          : "add \"\(isCloudFormation ? "DistributionName" : "name")\": \"shop\"")
    }
    var origin = base?.origin
    if let written = self.origin {
      origin?.scheme = written.scheme
      origin?.host = written.host
      origin?.port = written.port
      origin?.path = written.path
      origin = origin ?? written
    }
    if origin == nil {
      problems.add(
        ownPlace, "the distribution has no origin",
        hint: isCloudFormation
          ? "add \"Origin\": {\"Name\": \"shop.example\"}"
          : "add \"origin\": {\"url\": \"http://shop.example\"}")
    }
    if let certificateName {
      problems.add(
        "\(source): \(pathPrefix)CertificateName",
        "which domains \(quoted(certificateName)) covers is known to a store alone",
        hint: "write \"domains\" in the form that atoll show --json prints")
    }
    try problems.check()
    originEdit(&origin!)
    var result = Distribution.make(
      name: chosenName!, origin: origin!, preset: .origin, id: "", now: now)
    fillGaps(of: &result)
    for edit in edits { edit(&result) }
    if let aliases { result.domains = aliases.map { AttachedDomain(name: $0) } }
    settleDomains(of: &result, name: name, existing: existing)
    result.defaultBehavior = defaultBehavior ?? result.defaultBehavior
    settings.edit(&result.settings)
    if let behaviors {
      let inherited = result.settings
      result.behaviors = behaviors.map {
        PathBehavior(
          path: $0.path, caching: $0.caching, overrides: $0.settings.overrides(of: inherited))
      }
    }
    result.id = existing?.id ?? id ?? Distribution.makeID()
    result.defaultDomain = existing?.defaultDomain ?? "\(result.id).\(baseDomain)"
    result.created = existing?.created ?? now
    result.revision = existing?.revision ?? 0
    result.modified = existing?.modified ?? now
    if let existing, existing != result { result.modified = now }
    result.settlePreset()
    do {
      try validate(result)
    } catch {
      throw located(error)
    }
    return result
  }

  /// Attaches these in place of what the file says, which needs the store's certificates to be
  /// understood.
  package mutating func attach(_ domains: [AttachedDomain]) {
    saysDomains = true
    certificateName = nil
    aliases = nil
    edits.append { $0.domains = domains }
  }

  /// What a file drops is detached; what it does not speak of stays.
  private func settleDomains(
    of result: inout Distribution, name: String?, existing: Distribution?
  ) {
    let wanted =
      saysDomains || aliases != nil ? result.domains : existing?.domains ?? result.domains
    let detached =
      saysDetachedDomains ? result.detachedDomains : existing?.detachedDomains ?? []
    // A copy under another name takes no domains away from what it is a copy of.
    if existing == nil, isWhole, let name, name != self.name {
      result.domains = []
      result.detachedDomains = []
      return
    }
    result.domains = saysDetachedDomains ? wanted : existing?.domains ?? []
    result.detachedDomains = detached
    result.setDomains(wanted)
  }

  /// The base's values, or a preset's.
  private func fillGaps(of result: inout Distribution) {
    if let base {
      let (name, origin) = (result.name, result.origin)
      result = base
      result.name = name
      result.origin = origin
    }
    if let preset, preset != .custom {
      result.apply(preset)
    } else if let preset, base == nil {
      result.apply(preset)
    } else if base == nil, isCloudFormation {
      // Lightsail's own defaults: no header, cookie or query string forwarded, one day.
      result.apply(defaultBehavior == .dontCache ? .dynamic : .static)
    }
  }

  private var ownPlace: String {
    pathPrefix.isEmpty ? source : "\(source): \(pathPrefix.dropLast())"
  }

  /// Puts the source before each place, and calls the place what the file calls it.
  private func located(_ error: ConfigError) -> ConfigError {
    ConfigError(
      problems: error.problems.map { problem in
        var problem = problem
        problem.where = "\(source): \(pathPrefix)\(placeInFile(problem.where))"
        return problem
      })
  }

  private func placeInFile(_ path: String) -> String {
    if let place = places[path] { return place }
    // The nearest enclosing thing that the file has.
    var enclosing = path[...]
    while let dot = enclosing.lastIndex(where: { $0 == "." }) {
      enclosing = enclosing[..<dot]
      if let place = places[String(enclosing)] { return place }
    }
    return path
  }
}

/// What a file says of settings: the distribution's, or a behavior's own.
struct SettingsDraft: Sendable {
  private var edits: [Edit<BehaviorSettings>] = []
  private var taken: [@Sendable (BehaviorSettings, inout SettingsOverride) -> Void] = []

  mutating func add(_ setting: Setting, _ edit: @escaping Edit<BehaviorSettings>) {
    edits.append(edit)
    taken.append(setting.take)
  }

  /// For forms other than ours.
  mutating func set<Value: Sendable>(
    _ key: String, _ path: WritableKeyPath<BehaviorSettings, Value> & Sendable, _ value: Value?
  ) {
    guard let value else { return }
    let setting = BehaviorSettings.table.first { $0.member.key == key }!
    add(setting) { $0[keyPath: path] = value }
  }

  func edit(_ settings: inout BehaviorSettings) {
    for edit in edits { edit(&settings) }
  }

  /// A behavior's own, the parts that the file leaves out as inherited.
  func overrides(of inherited: BehaviorSettings) -> SettingsOverride {
    var settings = inherited
    edit(&settings)
    var result = SettingsOverride()
    for take in taken { take(settings, &result) }
    return result
  }
}
