// SPDX-License-Identifier: Apache-2.0

/// The distributions in a store.
package struct Catalog: Sendable {
  package static let prefix = "distributions/"

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  /// Everything there is, by name; a distribution that can't be read or is not valid hides no
  /// other. All writes up to the revision are contained.
  package func all() throws(StoreError) -> (
    revision: UInt64, distributions: [Distribution], invalid: [(name: String, error: ConfigError)]
  ) {
    let listing = try store.list(Self.prefix)
    var distributions: [Distribution] = []
    distributions.reserveCapacity(listing.values.count)
    var invalid: [(name: String, error: ConfigError)] = listing.unreadable.map { key, error in
      let place = String(key.dropFirst(Self.prefix.utf8.count))
      return (place, ConfigError(where: place, what: error.message, hint: error.hint))
    }
    for value in listing.values {
      let name = String(value.key.dropFirst(Self.prefix.utf8.count))
      do {
        distributions.append(try decode(value, name))
      } catch {
        invalid.append((name, error))
      }
    }
    return (listing.revision, distributions, invalid.sorted { $0.name < $1.name })
  }

  package func names() throws(StoreError) -> [String] {
    try store.keys(Self.prefix).map { String($0.dropFirst(Self.prefix.utf8.count)) }
  }

  /// nil when there is none; ConfigError when what is stored is not valid.
  package func get(_ name: String) throws -> Distribution? {
    // What can't be a name can't be stored under it either.
    if (try? validate(name: name)) == nil { return nil }
    guard let value = try store.read(Self.prefix + name) else { return nil }
    return try decode(value, name)
  }

  /// Writes a valid distribution, unless another has one of its domains: of two that claim the same
  /// at once one is refused, with `DomainClaim`.
  ///
  /// - Parameter ifRevision: 0 creates, a revision replaces exactly that one, nil writes in any
  ///   case.
  /// - Parameter keys: what has to be there; where one of them is not it is a conflict.
  /// - Returns: the revision of the write.
  @discardableResult
  package func put(
    _ distribution: Distribution, ifRevision: UInt64?, demanding keys: [String] = []
  ) throws -> UInt64 {
    try validate(distribution)
    let key = Self.prefix + distribution.name
    let document = DistributionFile.encodeStored(distribution)
    // Nothing can be attached below the standard base domain, so that what has no other domains
    // there is nobody's rival.
    if distribution.domains.isEmpty && distribution.baseDomain == Distribution.standardBase {
      return try store.write(key, document, ifRevision: ifRevision)
    }
    for attempt in 1... {
      let (revision, others, _) = try all()
      if let claim = distribution.claim(among: others) { throw claim }
      let written = try store.write(
        key, document, ifRevision: ifRevision, unchanged: Self.prefix,
        // A file whose number a person has raised would be newer for ever.
        since: attempt < Self.attempts ? revision : .max, demanding: keys)
      if let written { return written }
    }
    preconditionFailure("the last attempt writes")
  }

  /// Each loses against another command that was faster.
  private static let attempts = 1_000

  /// - Returns: the revision of the deletion, nil when there was no such distribution.
  @discardableResult
  package func delete(_ name: String, ifRevision: UInt64?) throws(StoreError) -> UInt64? {
    if (try? validate(name: name)) == nil { return nil }
    return try store.delete(Self.prefix + name, ifRevision: ifRevision)
  }

  private func decode(_ value: StoredValue, _ name: String) throws(ConfigError) -> Distribution {
    var distribution = try DistributionFile.decodeStored(
      value.value, source: "\(name)\(StoreKey.suffix)")
    distribution.revision = value.revision
    if distribution.name != name {
      throw ConfigError(
        where: "\(name)\(StoreKey.suffix): name",
        what: "\(quoted(distribution.name)) is stored under the name \(quoted(name))",
        hint: "write \(quoted(name)) there")
    }
    return distribution
  }
}
