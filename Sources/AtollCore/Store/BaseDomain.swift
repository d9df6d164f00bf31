// SPDX-License-Identifier: Apache-2.0

/// The domain below which the distributions of a store get their own: theirs are assigned at
/// creation and stay as they are when it changes.
package struct BaseDomain: Sendable {
  package static let key = "settings/domain"

  package let store: any Store

  package init(_ store: any Store) { self.store = store }

  package func get() throws(StoreError) -> String {
    guard let stored = try store.read(Self.key) else { return Distribution.standardBase }
    guard let node = try? JSONReader.read(stored.value), let name = node["baseDomain"]?.text,
      defaultDomainFlaw(name) == nil
    else { throw .damaged(key: Self.key, why: "it names no base domain") }
    return name
  }

  /// - Returns: the revision of the write, nil where it is that already.
  @discardableResult
  package func set(_ name: String) throws(StoreError) -> UInt64? {
    if try get() == name { return nil }
    return try store.write(
      Self.key, DocumentWriter.document { $0.member("baseDomain", name) }, ifRevision: nil)
  }
}
