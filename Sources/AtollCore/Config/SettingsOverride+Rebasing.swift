// SPDX-License-Identifier: Apache-2.0

extension SettingsOverride {
  /// What a path has of its own in an object of several parts is kept whole. When the distribution's
  /// settings change, the parts that were the distribution's follow them: in a file, too, the parts
  /// that a path leaves out are those of the settings.
  package mutating func follow(from old: BehaviorSettings, to new: BehaviorSettings) {
    if old == new { return }
    follow(\.ttl, old.ttl, new.ttl) { own, old, new in
      var ttl = own
      carry(\.minimum, old, new, to: &ttl)
      carry(\.default, old, new, to: &ttl)
      carry(\.maximum, old, new, to: &ttl)
      // Bounds that the path's own lifetime is outside of are not followed: they were chosen for
      // other lifetimes.
      let middle = ttl.default ?? ttl.minimum
      if ttl.minimum <= middle && middle <= ttl.maximum { own = ttl }
    }
    follow(\.key, old.key, new.key) { own, old, new in
      carry(\.host, old, new, to: &own)
      carry(\.scheme, old, new, to: &own)
      carry(\.device, old, new, to: &own)
      carry(\.country, old, new, to: &own)
      carry(\.sortsQuery, old, new, to: &own)
      carry(\.droppedQueryStrings, old, new, to: &own)
      carry(\.codings, old, new, to: &own)
    }
    follow(\.originRequest, old.originRequest, new.originRequest) { own, old, new in
      carry(\.headers, old, new, to: &own)
      carry(\.cookies, old, new, to: &own)
      carry(\.queryStrings, old, new, to: &own)
    }
    follow(\.compression, old.compression, new.compression) { own, old, new in
      carry(\.codings, old, new, to: &own)
      carry(\.minimumSize, old, new, to: &own)
      carry(\.maximumSize, old, new, to: &own)
      carry(\.types, old, new, to: &own)
    }
    follow(\.responseHeaders, old.responseHeaders, new.responseHeaders) { own, old, new in
      carry(\.removed, old, new, to: &own)
      carry(\.set, old, new, to: &own)
      carry(\.cors, old, new, to: &own)
      carry(\.security, old, new, to: &own)
      carry(\.serverTiming, old, new, to: &own)
    }
  }

  private mutating func follow<Value>(
    _ path: WritableKeyPath<SettingsOverride, Value?>, _ old: Value, _ new: Value,
    _ parts: (inout Value, Value, Value) -> Void
  ) {
    guard var own = self[keyPath: path] else { return }
    parts(&own, old, new)
    self[keyPath: path] = own
  }
}

private func carry<Value, Part: Equatable>(
  _ part: WritableKeyPath<Value, Part>, _ old: Value, _ new: Value, to own: inout Value
) {
  if own[keyPath: part] == old[keyPath: part] { own[keyPath: part] = new[keyPath: part] }
}
