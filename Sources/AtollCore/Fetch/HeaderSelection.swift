// SPDX-License-Identifier: Apache-2.0

/// What a behavior's settings make of the viewer's header fields, before it is compiled.
struct HeaderSelection {
  /// `forwardedHeaders` has everything sent without being keyed.
  var forwardsAll = false
  /// So does anything else: the origin request, or that nothing is cached.
  var sendsAll = false
  /// Lower case, each once.
  var keyed: [String] = []
  var keyedFields: UInt64 = 0
  /// Unknown ones that the origin request names.
  var requested: [String] = []
  /// Unknown ones that are not sent.
  var withheld: [String] = []
  var withheldFields: UInt64 = 0
  /// Sent as received.
  var copied: UInt64 = 0
  /// The origin request sends the viewer's Host.
  var requestsHost = false
  /// One of the headers that tell the scheme is chosen, one way or the other.
  var namesScheme = false
  private var requestsCodings = false

  init(_ settings: BehaviorSettings, caches: Bool) {
    var excluded: [String] = []
    var requestedNames: [String] = []
    switch settings.forwardedHeaders {
    case .none: break
    case .all: forwardsAll = true
    case .allExcept(let names):
      forwardsAll = true
      excluded += names
    case .listed(let names):
      keyed = Self.usable(names)
      namesScheme = names.contains {
        ["x-forwarded-proto", "cloudfront-forwarded-proto"].contains($0.lowercased())
      }
    }
    for name in keyed { keyedFields |= Self.known(name).bit }
    keyedFields &= ~KnownField.other.bit
    switch settings.originRequest.headers {
    case .none: break
    case .all:
      requestsHost = true
      requestsCodings = true
      sendsAll = true
    case .allExcept(let names):
      let lower = names.map { $0.lowercased() }
      requestsHost = !lower.contains("host")
      requestsCodings = !lower.contains("accept-encoding")
      sendsAll = true
      excluded += names
    case .listed(let names): requestedNames = names.map { $0.lowercased() }
    }
    sendsAll = sendsAll || forwardsAll || !caches

    // A key beats a list of exceptions: what is keyed is sent (CloudFront §14).
    for name in excluded.map({ $0.lowercased() }) where !keyed.contains(name) {
      let known = Self.known(name)
      if known == .other { withheld.append(name) } else { withheldFields |= known.bit }
    }
    var requestedFields: UInt64 = 0
    for name in requestedNames {
      switch Self.known(name) {
      case .other: requested.append(name)
      case .host: requestsHost = true
      case .xForwardedProto: namesScheme = true
      case .acceptEncoding: requestsCodings = true
      case let known: requestedFields |= known.bit
      }
    }
    copied = ~FieldRules.replaced
    if !sendsAll { copied &= ~FieldRules.leftOut | keyedFields | requestedFields }
    copied &= ~withheldFields
  }

  /// Whether a field with a setting of its own is sent as an ordinary header would be.
  func sends(_ field: KnownField) -> Bool {
    if keyedFields & field.bit != 0 { return true }
    if withheldFields & field.bit != 0 { return false }
    return sendsAll || (field == .acceptEncoding && requestsCodings)
  }

  private static func known(_ name: String) -> KnownField {
    let bytes = Array(name.utf8)
    return bytes.isEmpty ? .other : KnownField.of(bytes, length: bytes.count)
  }

  /// The headers that can be forwarded and keyed: lower case, each once.
  private static func usable(_ names: [String]) -> [String] {
    var result: [String] = []
    for name in names {
      let name = name.lowercased()
      let isMadeByEdge = Array(name.utf8).withUnsafeBufferPointer { FieldRules.isMadeByEdge($0) }
      if !name.isEmpty && !isMadeByEdge && FieldRules.neverKeyed & known(name).bit == 0
        && !result.contains(name)
      {
        result.append(name)
      }
    }
    return result
  }
}

/// Which headers about the viewer a behavior needs.
struct ViewerHeaderSelection {
  var keyed: ViewerHeaders = []
  var sent: ViewerHeaders = []
  var compared: ViewerHeaders = []

  init(_ settings: BehaviorSettings, caches: Bool, keysScheme: Bool) {
    let proto = ViewerHeader.forwardedProto.set
    if settings.key.device { keyed.formUnion(.device) }
    if settings.key.country { keyed.insert(ViewerHeader.country.set) }
    if settings.key.scheme { sent.insert(proto) }
    var listed: ViewerHeaders = []
    if case .listed(let names) = settings.forwardedHeaders {
      for name in names { ViewerHeader(named: name).map { listed.formUnion($0.set) } }
    }
    keyed.formUnion(listed.subtracting(.unique))
    if case .listed(let names) = settings.originRequest.headers {
      for name in names { ViewerHeader(named: name).map { sent.formUnion($0.set) } }
    }
    sent.formUnion(keyed)
    if !caches {
      // Nothing is stored, so nothing need be kept from the origin: what speaks TLS to the viewer
      // must tell WordPress so (Lightsail's last section).
      keyed = []
      sent.formUnion(listed)
      sent.insert(proto)
      return
    }
    // The key's shape tells the scheme already.
    if keysScheme { keyed.remove(proto) }
    compared = keyed.union(sent.subtracting(.unique))
    if keysScheme { compared.remove(proto) }
  }
}

/// The bits of a key that differ when what is keyed of a request, or what its origin gets beside
/// that, is chosen otherwise: entries stored under other settings do not answer.
struct KeyShape {
  /// 23 bits; the highest of the shape's 24 tells https from http.
  let bits: UInt32

  static let https: UInt64 = 1 << (16 + 23)

  init(
    headers: [String], keysHost: Bool, keysScheme: Bool, viewerHeaders: ViewerHeaders,
    settings: BehaviorSettings
  ) {
    var hash = Fingerprint()
    hash.add(headers)
    hash.add([
      keysHost ? "host" : "", keysScheme ? "scheme" : "", String(viewerHeaders.rawValue),
      settings.key.sortsQuery ? "sorted" : "", String(settings.key.codings.rawValue),
    ])
    hash.add(settings.key.droppedQueryStrings)
    // Of forwarded headers the keyed ones are told above.
    hash.add(settings.forwardedHeaders == .all ? .all : .none)
    for selection in [
      settings.forwardedCookies, settings.forwardedQueryStrings, settings.originRequest.headers,
      settings.originRequest.cookies, settings.originRequest.queryStrings,
    ] {
      hash.add(selection)
    }
    bits = UInt32(truncatingIfNeeded: hash.value ^ hash.value &>> 32) & 0x7f_ffff
  }
}
