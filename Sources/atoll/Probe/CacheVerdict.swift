// SPDX-License-Identifier: Apache-2.0

/// What a cache did with a request: the edge's outcomes, and not knowing.
enum CacheVerdict: String, CaseIterable, Sendable {
  case hit, stale, revalidated, miss, coalesced, pass, error, unknown
}

/// The words by which caches of many makers tell what they did.
enum CacheWord {
  /// `HIT`, `TCP_MEM_HIT`, `RefreshHit`, `DYNAMIC`: the verdict, and the word again as a reason when
  /// it says more than the verdict does. Nil for a word that is none of them.
  static func read(_ word: some StringProtocol) -> (verdict: CacheVerdict, reason: String?)? {
    let plain = word.uppercased().map { $0 == "-" || $0 == " " ? "_" : String($0) }.joined()
    guard let verdict = verdict(of: plain) else { return nil }
    let short = plain.hasPrefix("TCP_") ? String(plain.dropFirst(4)) : plain
    let isPlain = short == verdict.rawValue.uppercased()
    return (
      verdict, isPlain ? nil : short.lowercased().map { $0 == "_" ? "-" : String($0) }.joined()
    )
  }

  private static func verdict(of word: String) -> CacheVerdict? {
    switch word {
    // CloudFront's RefreshHit, Akamai's and Squid's TCP_REFRESH_HIT: confirmed by the origin.
    case "REVALIDATED", "REFRESHHIT", "REFRESH_HIT", "TCP_REFRESH_HIT", "TCP_REFRESH_UNMODIFIED":
      return .revalidated
    case "STALE", "UPDATING", "TCP_REFRESH_FAIL_HIT", "TCP_REFRESH_FAIL_OLD", "HIT_STALE",
      "TCP_OFFLINE_HIT", "HIT_GRACE", "GRACE":
      return .stale
    // Vercel's PRERENDER came from its store; CloudFront's Origin Shield is a cache.
    case "HIT", "PRERENDER", "ORIGINSHIELDHIT": return .hit
    case "MISS", "EXPIRED", "SCARCE", "TCP_REFRESH_MISS", "TCP_REFRESH_MODIFIED",
      "TCP_EXPIRED_MISS", "TCP_CLIENT_REFRESH_MISS", "TCP_SWAPFAIL_MISS", "HIT_FOR_MISS":
      return .miss
    case "PASS", "BYPASS", "DYNAMIC", "IGNORED", "UNCACHEABLE", "NOCACHE", "NO_CACHE",
      "CONFIG_NOCACHE", "PRIVATE_NOSTORE", "NOTCACHEABLE", "NOT_CACHEABLE", "HITPASS",
      "HIT_FOR_PASS", "TUNNEL", "SYNTH", "REDIRECT", "LAMBDAGENERATEDRESPONSE",
      "FUNCTIONGENERATEDRESPONSE", "GENERATEDRESPONSE":
      return .pass
    case "ERROR", "TCP_DENIED", "TCP_COOKIE_DENY", "LIMITEXCEEDED", "CAPACITYEXCEEDED", "DENIED":
      return .error
    default:
      // TCP_MEM_HIT, TCP_IMS_HIT, TCP_NEGATIVE_HIT, TCP_REMOTE_HIT and makes to come.
      if word.hasSuffix("_HIT") { return .hit }
      if word.hasSuffix("_MISS") { return .miss }
      return nil
    }
  }
}
