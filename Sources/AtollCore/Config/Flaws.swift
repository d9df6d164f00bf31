// SPDX-License-Identifier: Apache-2.0

// What is wrong with a name or value, as the end of a sentence that begins with it, and the fix.

/// Of a header that is part of the key.
@Sendable func keyedHeaderFlaw(_ name: String) -> Flaw? {
  if name == "*" {
    return ("is no header name", "to forward every header, write all instead of a list")
  }
  if let flaw = headerNameFlaw(name) { return flaw }
  let lower = name.lowercased()
  if unkeyableHeaders.contains(lower) || unkeyablePrefixes.contains(where: lower.hasPrefix) {
    return (
      "can't be part of a cache key",
      lower == "cookie" ? "list cookies under forwardedCookies" : "take it off the list"
    )
  }
  return nil
}

/// What CloudFront never keys either: fields about the connection or the message, and fields whose
/// value differs for every viewer.
private let unkeyableHeaders: Set<String> = [
  "cache-control", "connection", "content-length", "cookie", "max-forwards", "pragma",
  "request-range", "te", "trailer", "transfer-encoding", "upgrade", "x-amz-cf-id",
  "x-forwarded-proto", "x-real-ip", "cloudfront-viewer-address", "cloudfront-viewer-asn",
  "cloudfront-viewer-tls", "cloudfront-viewer-ja3-fingerprint",
]
private let unkeyablePrefixes = ["proxy-", "x-edge-"]

/// Of a header that the origin gets, but not the key.
@Sendable func sentHeaderFlaw(_ name: String) -> Flaw? {
  if let flaw = headerNameFlaw(name) { return flaw }
  let lower = name.lowercased()
  switch lower {
  case "cookie": return ("has a list of its own", "list cookies under originRequest.cookies")
  case "connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade",
    "x-real-ip":
    return ("is written by the edge", "take it off the list")
  default:
    if unkeyablePrefixes.contains(where: lower.hasPrefix) {
      return ("is written by the edge", "take it off the list")
    }
    return nil
  }
}

func headerNameFlaw(_ name: String) -> Flaw? {
  if !isToken(name.utf8) {
    return ("is no header name", "write the name alone, such as Accept-Language")
  }
  if name.utf8.count > ConfigLimits.headerName {
    return ("is longer than \(ConfigLimits.headerName) characters", "shorten it")
  }
  return nil
}

/// Of a field's value (RFC 9110 §5.5).
@Sendable func headerValueFlaw(_ value: String) -> Flaw? {
  if value.utf8.count > ConfigLimits.headerValue {
    return ("is longer than \(ConfigLimits.headerValue) characters", "shorten it")
  }
  if value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7f }) {
    return (
      "holds a line break or a control character", "keep it on one line of visible characters"
    )
  }
  if let first = value.utf8.first, let last = value.utf8.last,
    " \t".utf8.contains(first) || " \t".utf8.contains(last)
  {
    return ("begins or ends with a space", "remove it")
  }
  return nil
}

/// Of a header that every request to an origin carries (CloudFront's forbidden ones).
@Sendable func originHeaderFlaw(_ name: String) -> Flaw? {
  if let flaw = headerNameFlaw(name) { return flaw }
  let lower = Array(name.lowercased().utf8)
  if lower.elementsEqual("host".utf8) {
    return ("has a setting of its own", "write it as hostHeader")
  }
  if lower.withUnsafeBufferPointer({ FieldRules.mayBeSet(forOrigin: $0) }) { return nil }
  return ("is written by the edge or the viewer", "choose another header")
}

/// Of a response header to be removed or set: what frames the message, or what the edge says of
/// itself, stays.
@Sendable func responseHeaderFlaw(_ name: String) -> Flaw? {
  if let flaw = headerNameFlaw(name) { return flaw }
  return ResponsePolicy.isProtected(name)
    ? ("can't be removed or set", "take it off the list") : nil
}

/// Of one to be set: no Date of a policy's would move on, and what Cache-Status says is the edge's.
@Sendable func setResponseHeaderFlaw(_ name: String) -> Flaw? {
  if let flaw = responseHeaderFlaw(name) { return flaw }
  return ResponsePolicy.isUnsettable(name)
    ? ("is written by the edge", "take it off the list; removing it is possible") : nil
}

@Sendable func cookieFlaw(_ name: String) -> Flaw? {
  // A cookie's name is a token (RFC 6265 §4.1.1); * is one of its characters, ? is not.
  if name.utf8.allSatisfy({ isTokenByte($0) || $0 == UInt8(ascii: "?") }) { return nil }
  return (
    "is no cookie name",
    "write the name alone, such as session_id, with * for any characters and ? for one"
  )
}

@Sendable func queryFlaw(_ name: String) -> Flaw? {
  if !name.isEmpty,
    name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"&=#".utf8.contains($0) })
  {
    return nil
  }
  return (
    "is no query string name",
    "write the name alone and as it stands in the URL, percent-encoded where the URL is"
  )
}

@Sendable func mediaTypeFlaw(_ text: String) -> Flaw? {
  let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
  if parts.count == 2, parts.allSatisfy(isToken),
    !parts[0].contains(UInt8(ascii: "*")),
    parts[1].count == 1 || !parts[1].contains(UInt8(ascii: "*"))
  {
    return nil
  }
  return ("is no media type", "write it like text/css, or text/* for all of a kind")
}

/// `*`, `https://shop.example`, `https://*.shop.example`, with a port or `:*`.
@Sendable func corsOriginFlaw(_ text: String) -> Flaw? {
  if text == "*" { return nil }
  let hint = "write *, or it like https://shop.example or https://*.shop.example"
  guard let mark = text.range(ofText: "://") else { return ("has no scheme", hint) }
  let scheme = text[..<mark.lowerBound].utf8
  guard let first = scheme.first, isAlphanumeric(first), !isDigit(first),
    scheme.allSatisfy({ isAlphanumeric($0) || "+-.".utf8.contains($0) })
  else { return ("has no scheme", hint) }
  var host = String(text[mark.upperBound...])
  if host.contains("/") { return ("has a path", "end it with the host, or its port") }
  let bracket = host.lastIndex(of: "]") ?? host.startIndex
  if let colon = host.lastIndex(of: ":"), colon >= bracket {
    let port = host[host.index(after: colon)...]
    if port != "*", UInt16(port) ?? 0 == 0 { return ("has the port \(quoted(port))", hint) }
    host = String(host[..<colon])
  }
  if host.hasPrefix("*.") { host.removeFirst(2) }
  if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
  if host.contains("*") {
    return ("has a * other than for what precedes the first dot", hint)
  }
  if let flaw = hostFlaw(host.lowercased()) { return (flaw, hint) }
  return nil
}

@Sendable func corsTokenFlaw(_ text: String) -> Flaw? {
  if isToken(text.utf8) { return nil }
  return ("is neither a name nor *", "write the name alone")
}

/// RFC 6797 §6.1.
@Sendable func strictTransportSecurityFlaw(_ text: String) -> Flaw? {
  if let flaw = headerValueFlaw(text) { return flaw }
  for (index, piece) in text.split(separator: ";", omittingEmptySubsequences: false).enumerated() {
    let directive = piece.trimmed.lowercased()
    let isAge =
      directive.hasPrefix("max-age=") && directive.count > 8
      && directive.dropFirst(8).utf8.allSatisfy(isDigit)
    if index == 0 ? isAge : ["includesubdomains", "preload"].contains(directive) { continue }
    return (
      "is no Strict-Transport-Security",
      "write it like max-age=31536000; includeSubDomains; preload"
    )
  }
  return nil
}

@Sendable func xssProtectionFlaw(_ text: String) -> Flaw? {
  if let flaw = headerValueFlaw(text) { return flaw }
  if ["0", "1", "1; mode=block"].contains(text) || text.hasPrefix("1; report=") { return nil }
  return (
    "is not one of its values", "write \"0\", \"1\", \"1; mode=block\" or \"1; report=<url>\""
  )
}

extension StringProtocol {
  /// Without spaces and tabs at its ends.
  package var trimmed: String {
    let isSpace = { (character: Character) in character == " " || character == "\t" }
    return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}

/// Of a file that edges read: they run anywhere.
@Sendable func namedFileFlaw(_ path: String) -> Flaw? {
  if path.hasPrefix("/") { return nil }
  return ("is no absolute path", "write the path from the root on")
}

/// Of a path of this distribution: `/404.html`, with a query if it has one.
@Sendable func pagePathFlaw(_ path: String) -> Flaw? {
  if !path.hasPrefix("/") { return ("has no leading /", "write /\(path)") }
  if path.utf8.count > ConfigLimits.pathLength {
    return ("is longer than \(ConfigLimits.pathLength) characters", "shorten it")
  }
  var rest = path.utf8[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%") {
      guard let high = rest.popFirst(), let low = rest.popFirst(), isHex(high), isHex(low) else {
        return ("has a % that two hexadecimal digits don't follow", "write %25 for a %")
      }
    } else if !isPathByte(byte) && byte != UInt8(ascii: "?") {
      return ("has a character that no URL may hold", "percent-encode it, as in %20 for a space")
    }
  }
  return nil
}

/// CloudFront's characters of a default root object.
@Sendable func rootObjectFlaw(_ name: String) -> Flaw? {
  if name.isEmpty { return ("is empty", "write a name such as index.html, or null for none") }
  if name.hasPrefix("/") { return ("has a leading /", "write \(name.drop { $0 == "/" })") }
  if name.utf8.count > ConfigLimits.pathLength {
    return ("is longer than \(ConfigLimits.pathLength) characters", "shorten it")
  }
  if !name.utf8.allSatisfy({ isAlphanumeric($0) || "_-.*$/~\"'&".utf8.contains($0) }) {
    return ("holds a character that it can't have", "use letters, digits and _ - . * $ / ~ \" ' &")
  }
  return nil
}

@Sendable func indexDocumentFlaw(_ name: String) -> Flaw? {
  if name.contains("/") { return ("holds a /", "write the name of a document, such as index.html") }
  return rootObjectFlaw(name)
}

/// An address, a network as `10.0.0.0/8`, or `unix:` for the peers of Unix sockets.
@Sendable func networkFlaw(_ text: String) -> Flaw? {
  if text == TrustedProxies.unixSockets { return nil }
  let hint = "write an address such as 10.0.0.7, or a network such as 10.0.0.0/8 or 2001:db8::/32"
  let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
  let address = String(parts[0])
  let isSix = isIPv6(address)
  guard isSix || isIPv4(address) else { return ("is neither an address nor a network", hint) }
  if parts.count == 1 { return nil }
  guard parts[1].utf8.allSatisfy(isDigit), let bits = Int(parts[1]), bits <= (isSix ? 128 : 32)
  else { return ("has a prefix length that its address can't have", hint) }
  return nil
}

/// ISO 3166-1 alpha-2.
@Sendable func countryFlaw(_ code: String) -> Flaw? {
  if countries.contains(code) { return nil }
  if countries.contains(code.uppercased()) {
    return ("is not in capitals", "write \(code.uppercased())")
  }
  if code.uppercased() == "UK" { return ("is no country code", "write GB") }
  return ("is no country code", "write two letters of ISO 3166-1, such as DE or US")
}

/// Those assigned, and XK, which address databases use for Kosovo.
private let countries = Set(
  """
  AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
  BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
  EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
  HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
  LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
  NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
  SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
  TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
  """.split(separator: " ").map(String.init))

/// Of the name of an origin or a group.
func originNameFlaw(_ name: String) -> Flaw? {
  if name == "default" {
    return ("is the distribution's own origin", "choose another name")
  }
  if name.isEmpty || name.utf8.count > ConfigLimits.nameLength {
    return (
      "has \(name.utf8.count) characters",
      "choose a name of 1 to \(ConfigLimits.nameLength) characters"
    )
  }
  if !name.utf8.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) }) {
    return (
      "holds a character that a name can't have", "use letters, digits, \".\", \"-\" and \"_\" only"
    )
  }
  return nil
}

/// `host[:port]` as Host may have it.
@Sendable func authorityFlaw(_ text: String) -> Flaw? {
  let hint = "write \"origin\", \"viewer\" or a name such as www.shop.example"
  do throws(ConfigError) {
    let origin = try Origin(url: "http://\(text)", place: "")
    return origin.path.isEmpty && !text.contains("/") ? nil : ("has a path", hint)
  } catch {
    return ("is no host name", hint)
  }
}
