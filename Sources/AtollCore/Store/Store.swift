// SPDX-License-Identifier: Apache-2.0

/// Where configurations, purges and edges are kept: a small key-value store with revisions, after
/// etcd's model.
///
/// Keys are paths such as `distributions/shop`; prefixes end with a slash. A value is a JSON object
/// and not empty; a store may put a member `revision` before its others. One number counts the
/// writes to the whole store; a key's revision is the number of its last write.
package protocol Store: Sendable {
  /// For messages: where it is.
  var place: String { get }

  /// The number of the last write whose effect every later read sees.
  func revision() throws(StoreError) -> UInt64

  func read(_ key: String) throws(StoreError) -> StoredValue?

  /// The keys under a prefix, in order, without their values.
  func keys(_ prefix: String) throws(StoreError) -> [String]

  /// Everything under a prefix, in the order of the keys. It contains every write up to its
  /// revision, and maybe later ones.
  func list(_ prefix: String) throws(StoreError) -> StoreListing

  /// - Parameter ifRevision: nil writes in any case; 0 only where the key is missing; else only
  ///   over that revision.
  /// - Returns: the revision of this write.
  @discardableResult
  func write(_ key: String, _ value: [UInt8], ifRevision: UInt64?) throws(StoreError) -> UInt64

  /// The same, and only while no value under a prefix is newer than a revision: what was decided
  /// by looking at all of them then still holds. What the value refers to can be demanded: where
  /// one of those keys is missing the write is a conflict.
  ///
  /// - Returns: nil, with nothing written, when there is a newer one.
  func write(
    _ key: String, _ value: [UInt8], ifRevision: UInt64?, unchanged prefix: String,
    since revision: UInt64, demanding keys: [String]
  ) throws(StoreError) -> UInt64?

  /// - Returns: the revision of the deletion; nil when there was nothing to delete.
  @discardableResult
  func delete(_ key: String, ifRevision: UInt64?) throws(StoreError) -> UInt64?

  /// The same, and a conflict when a value under a prefix is newer than a revision: for what may
  /// go only while none of them refers to it.
  @discardableResult
  func delete(_ key: String, unchanged prefix: String, since revision: UInt64)
    throws(StoreError) -> UInt64?

  /// Calls back on a thread of its own after every change under a prefix, one call at a time,
  /// until the watch is canceled. What changed after this returns is reported.
  func watch(_ prefix: String, _ changed: @escaping @Sendable (StoreChange) -> Void)
    throws(StoreError) -> any StoreWatch

  /// Writes a key that others see only while this process lives, or until it is released. It takes
  /// no part in the revisions.
  func hold(_ key: String, _ value: [UInt8]) throws(StoreError) -> any StoreHold

  /// A directory of this machine for the sockets of the edges that run on the store, made when it
  /// is missing.
  func makeRunDirectory() throws(StoreError) -> String

  /// Where other programs find a member of a value as a file of its own; nil where none is.
  func path(of member: String, in key: String) -> String?
}

extension Store {
  package func write(
    _ key: String, _ value: [UInt8], ifRevision: UInt64?, unchanged prefix: String,
    since revision: UInt64
  ) throws(StoreError) -> UInt64? {
    try write(
      key, value, ifRevision: ifRevision, unchanged: prefix, since: revision, demanding: [])
  }

  package func path(of member: String, in key: String) -> String? { nil }
}

package struct StoredValue: Equatable, Sendable {
  package var key: String
  /// From 1.
  package var revision: UInt64
  package var value: [UInt8]

  package init(key: String, revision: UInt64, value: [UInt8]) {
    self.key = key
    self.revision = revision
    self.value = value
  }
}

package struct StoreListing: Equatable, Sendable {
  package var revision: UInt64
  package var values: [StoredValue]
  /// Keys whose values can't be read, and why: one damaged value must not hide the others.
  package var unreadable: [String: StoreError]

  package init(revision: UInt64, values: [StoredValue], unreadable: [String: StoreError] = [:]) {
    self.revision = revision
    self.values = values
    self.unreadable = unreadable
  }
}

package enum StoreChange: Equatable, Sendable {
  case keys([String])
  /// Anything under the prefix may have changed.
  case anything
}

/// A watch lives until it is canceled or released.
package protocol StoreWatch: AnyObject, Sendable {
  /// No call is under way or to come once this returns (unless a callback itself cancels).
  func cancel()
}

package protocol StoreHold: AnyObject, Sendable {
  func update(_ value: [UInt8]) throws(StoreError)
  /// Removes the key.
  func release()
}
