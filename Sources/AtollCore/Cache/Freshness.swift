// SPDX-License-Identifier: Apache-2.0

/// How long a stored response may be used (RFC 9111 §4.2). Plain data, stored with its entry; times
/// in seconds since 1970.
@usableFromInline
package struct Freshness: Sendable, Equatable {
  /// When the response was received.
  @usableFromInline package var responseTime: Int64
  /// corrected_initial_age of RFC 9111 §4.2.3, the age at `responseTime`.
  @usableFromInline package var initialAge: Int32
  /// freshness_lifetime of RFC 9111 §4.2.1, after the behavior's bounds.
  @usableFromInline package var lifetime: Int32
  /// Seconds past the lifetime during which the entry may stand in for a failing origin; 0 when a
  /// directive forbids that (RFC 9111 §4.2.4, RFC 5861 §4).
  @usableFromInline package var staleIfError: Int32
  /// Seconds past the lifetime during which the entry may be served while it is being revalidated
  /// (RFC 5861 §3); 0 when a directive forbids that.
  @usableFromInline package var staleWhileRevalidate: Int32
  @usableFromInline package var flags: Flags

  @usableFromInline
  package struct Flags: OptionSet, Sendable {
    @usableFromInline package let rawValue: UInt8
    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Never served stale: must-revalidate, proxy-revalidate or s-maxage (RFC 9111 §5.2.2).
    @inlinable package static var mustRevalidate: Flags { Flags(rawValue: 1) }
    /// Stored, but served only after a successful validation (RFC 9111 §5.2.2.4).
    @inlinable package static var noCache: Flags { Flags(rawValue: 2) }
    /// The origin itself gave the lifetime.
    @inlinable package static var explicit: Flags { Flags(rawValue: 4) }
    /// RFC 8246.
    @inlinable package static var immutable: Flags { Flags(rawValue: 8) }
    /// Also for requests with credentials (RFC 9111 §3.5).
    @inlinable package static var sharedWithAuthorization: Flags { Flags(rawValue: 16) }
    /// The response's status is 400 or more.
    @inlinable package static var error: Flags { Flags(rawValue: 128) }
  }

  package init(
    responseTime: Int64, initialAge: Int32 = 0, lifetime: Int32, staleIfError: Int32 = 0,
    staleWhileRevalidate: Int32 = 0, flags: Flags = []
  ) {
    self.responseTime = responseTime
    self.initialAge = initialAge
    self.lifetime = lifetime
    self.staleIfError = staleIfError
    self.staleWhileRevalidate = staleWhileRevalidate
    self.flags = flags
  }

  /// current_age of RFC 9111 §4.2.3. A clock set back makes an entry no younger than it arrived.
  @inlinable
  package func age(at now: Int64) -> Int64 {
    Int64(initialAge) &+ max(0, now &- responseTime)
  }

  /// RFC 9111 §4.2: the lifetime exceeds the age. Says nothing about `noCache`.
  @inlinable
  package func isFresh(at now: Int64) -> Bool { Int64(lifetime) > age(at: now) }

  /// Seconds until the entry is stale; negative afterwards (the ttl of RFC 9211).
  @inlinable
  package func remaining(at now: Int64) -> Int64 { Int64(lifetime) &- age(at: now) }
}
