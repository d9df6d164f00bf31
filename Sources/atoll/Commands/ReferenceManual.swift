// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What Amazon's references say, item by item, and what atoll does: as there, or otherwise and why.
enum ReferenceManual {
  static let introduction = """
    Every limit, default and status code of Amazon CloudFront and Amazon Lightsail distributions. \
    Where an entry says no more than a value, atoll does as they do; else it says what differs and \
    why. The key in parentheses changes it.
    """

  static let sections = [
    names, methods, requests, protocols, keys, codings, lifetimes, validation, ranges, collapsing,
    originRequests, connections, groups, errors, statuses, responses, viewers, upgrades, purges,
    plans, quotas, policies, absent,
  ]

  private static let names = Section(
    "Names, paths and documents",
    [
      .terms([
        Term(
          "name", "2 to 255 letters, digits, \".\", \"-\" and \"_\", a letter or digit at both ends"
        ),
        Term("tags", "at most 50, key 1 to 128 characters, value at most 256"),
        Term("comment", "absent: tags say as much"),
        Term(
          "path pattern",
          "at most 255 characters of letters, digits and _ - . * $ / ~ \" ' @ : + &; * and ?"),
        Term("order", "first match, the default last; Lightsail's trailing / is everything below"),
        Term(
          "root object",
          "for / alone, every method, at most 255 characters (rootObject). A bad name is refused when "
            + "it is configured, so no viewer meets the 400 that CloudFront answers"),
        Term("index document", "ours: also for directories below the root (indexDocument)"),
        Term("origin path", "a leading and no trailing slash; at most 1024 characters"),
        Term(
          "default domain",
          "<id>.<base domain>, and <name>.<base domain> beside it: below atoll.localhost unless "
            + "atoll domain base sets another. Assigned when it is made, and kept"),
        Term(
          "alternate domain names",
          "domains, attached with atoll domain: lower case, at most 100, each to one distribution, with a certificate that covers it, self-signed ones included. *. at the start matches at any depth, the most specific wins. Hosts that no distribution claims get the only one, or that of atoll serve --default-distribution; detached domains get 403"
        ),
        Term(
          "status",
          "absent: a command returns when every running edge serves the change, and atoll show tells which do"
        ),
        Term("URL identity", "kept as received: /dir and /dir/ differ, case counts"),
        Term("Content-Type", "never guessed"),
        Term("price class, comment, WAF", "absent: they belong to Amazon's network"),
        Term("delete", "at any time: a distribution need not be disabled first"),
        Term("default root object in a file", "DefaultRootObject of CloudFront is rootObject here"),
      ])
    ])

  private static let methods = Section(
    "Methods and sizes",
    [
      .terms([
        Term(
          "allowed methods",
          "GET,HEAD or GET,HEAD,OPTIONS or all seven, the default; others get 405 with Allow (their status is not documented)"
        ),
        Term("cached methods", "GET and HEAD, OPTIONS when chosen, under a key of its own"),
        Term(
          "GET with a body", "403 where GET is cached; forwarded where the behavior is dont-cache"),
        Term(
          "request head",
          "20,480 bytes, and the connection closes; 431 (RFC 6585) where Amazon answers 413, which is for bodies (RFC 9110 section 15.5.14)"
        ),
        Term(
          "URL",
          "8,192 bytes, and the connection closes; 414 (RFC 9110 section 15.5.15) where Amazon answers 413"
        ),
        Term("log", "requests over these limits are logged: Amazon leaves them out"),
        Term(
          "largest object",
          "what --memory and the share of one object allow; larger ones are passed on uncached, where Amazon ends them with an error over 30 GB (Lightsail 20 GB)"
        ),
        Term(
          "unsafe methods",
          "invalidate what is stored for their URL (RFC 9111 section 4.4); Amazon keeps it"),
      ])
    ])

  private static let requests = Section(
    "Request header",
    [
      .terms([
        Term("X-Forwarded-For", "the viewer's address appended, or set"),
        Term(
          "X-Forwarded-Proto, X-Real-IP",
          "a viewer's never arrive. X-Forwarded-Proto is the edge's own where the origin needs it, believed of trustedProxies"
        ),
        Term(
          "User-Agent",
          "replaced by the product's name unless chosen, in Lightsail's presets; preset origin forwards it"
        ),
        Term("Host", "the origin's, unless Host is chosen (hostHeader)"),
        Term(
          "removed unless chosen",
          "Accept, Accept-Charset, Accept-Language, Referer, Cookie, X-HTTP-Method-Override; preset origin forwards them"
        ),
        Term(
          "Authorization",
          "not sent with GET and HEAD unless chosen; OPTIONS where cached; sent with the others. Preset origin sends it, and stores by RFC 9111 section 3.5"
        ),
        Term(
          "always removed",
          "Proxy-*, X-Edge-*, hop-by-hop fields and what Connection names; Upgrade but for upgrades; TE but for \"trailers\", Trailer but for what atoll-serve(1) passes"
        ),
        Term("Expect", "answered by the edge (RFC 9110 section 10.1.1), where Amazon removes it"),
        Term(
          "Max-Forwards",
          "counted down (RFC 9110 section 7.6.2), where Amazon passes it on unchanged"),
        Term("Transfer-Encoding", "framed anew: it ends at each hop (RFC 9112 section 6.1)"),
        Term("request id", "X-Request-Id instead of X-Amz-Cf-Id"),
        Term(
          "CloudFront-* headers",
          "made by the edge where a behavior asks for them; a viewer's own never arrive. Viewer-JA3-Fingerprint is absent: as TLS clients shuffle their extensions it tells little"
        ),
      ])
    ])

  private static let protocols = Section(
    "Viewer protocol",
    [
      .terms([
        Term("allow-all", "served; one copy serves http and https unless the scheme is in the key"),
        Term(
          "redirect-to-https",
          "301 for GET and HEAD, 307 for the others with HTTP/1.1, 403 below HTTP/1.1"),
        Term("https-only", "403"),
      ])
    ])

  private static let keys = Section(
    "Cache key",
    [
      .terms([
        Term(
          "default",
          "distribution and path; GET and HEAD share; OPTIONS has its own. Preset origin adds the query, the viewer's host and the scheme"
        ),
        Term(
          "headers",
          "none or listed, name in any case, value as it is; Vary selects besides (see there)"),
        Term(
          "cookies, query strings",
          "none, all, listed, all except; names with * and ? everywhere, where CloudFront's policies have none"
        ),
        Term("query order", "counts, unless sorted (key.sortQuery, ours); only & separates"),
        Term(
          "never in a key",
          "Cache-Control, Connection, Content-Length, Cookie (has its own), Max-Forwards, Pragma, Proxy-*, Request-Range, TE, Trailer, Transfer-Encoding, Upgrade, X-Amz-Cf-Id, X-Edge-*, X-Forwarded-Proto, X-Real-IP, CloudFront-Viewer-Address, -ASN, -TLS, -JA3-Fingerprint"
        ),
        Term(
          "legacy: all headers",
          "turns caching off there; here Vary selects among them (forwardedHeaders all)"),
        Term(
          "legacy: forward all, key on listed",
          "forwardedQueryStrings with the list and originRequest.queryStrings all"),
        Term(
          "limits",
          "64 names in a list, each at most 128 characters; CloudFront's are 10 names and 1,024 bytes in all, the account's quotas"
        ),
      ])
    ])

  private static let codings = Section(
    "Accept-Encoding and compression",
    [
      .terms([
        Term(
          "normalized",
          "to br,gzip or one of them or identity, as key.codings allows; q-values count (RFC 9110 section 12.5.3), on which CloudFront is silent"
        ),
        Term("HTTP/1.0", "no Accept-Encoding is sent"),
        Term(
          "conditions",
          "status 200, 403 or 404; a Content-Length of 1,000 to 10,000,000 bytes (minimumSize, maximumSize); no Content-Encoding; a type of CloudFront's list (types)"
        ),
        Term("no-transform", "is heeded (RFC 9110 section 7.7); CloudFront is silent"),
        Term("preference", "Brotli where the viewer likes both alike"),
        Term("viewers", "with HTTP/1.1; HTTP/1.0 gets the plain copy"),
        Term("Accept-Encoding among forwardedHeaders", "turns compression at the edge off"),
        Term(
          "stored before",
          "also what was stored plain is compressed from then on; CloudFront's stays plain until it expires"
        ),
        Term("ETag", "weakened; Vary names Accept-Encoding"),
        Term("best effort", "the plain copy is served until the compressed one is ready"),
      ])
    ])

  private static let lifetimes = Section(
    "Lifetimes",
    [
      .terms([
        Term(
          "default TTL",
          "86,400 seconds; none in preset origin: RFC 9111's heuristics (ttl.default)"),
        Term(
          "minimum, maximum TTL",
          "0 and 31,536,000 seconds; at most 2,147,483,647, where CloudFront takes 100 years of max-age"
        ),
        Term("precedence", "s-maxage, max-age, Expires; CDN-Cache-Control before them (RFC 9213)"),
        Term(
          "default for any 2xx and 3xx",
          "for heuristically cacheable statuses only (RFC 9110 section 15.1): 302 and 307 need a lifetime of their own"
        ),
        Term(
          "no-store, private, no-cache with a minimum TTL",
          "stored there; here only with overridesOrigin, as it may leak private pages (RFC 9111 section 5.2.2)"
        ),
        Term("received Age", "subtracted (RFC 9111 section 4.2.3)"),
        Term(
          "viewers' Cache-Control",
          "cannot force a fetch; preset origin heeds it (requestDirectives)"),
        Term(
          "all TTLs 0", "turns collapsing and compression off there; here behavior dont-cache does"),
        Term(
          "Vary",
          "selects a variant (RFC 9111 section 4.1), where CloudFront never does; at most 100 variants of a key"
        ),
        Term("Vary: *", "not stored; CloudFront stores it with a minimum TTL"),
        Term(
          "Set-Cookie",
          "removed where no cookies are forwarded. Else stored only with a lifetime of the origin's own, where CloudFront stores and replays it with any"
        ),
        Term(
          "stale on 5xx or no answer",
          "served, for at most a day (staleIfError), unless must-revalidate, proxy-revalidate, s-maxage or no-cache forbid it (RFC 9111 section 4.2.4); CloudFront's has no end"
        ),
        Term(
          "stale-while-revalidate, stale-if-error",
          "heeded (RFC 5861), as CloudFront does since 2023"),
        Term("max TTL and Set-Cookie in no-cache=\"Set-Cookie\"", "stored without the cookies"),
      ])
    ])

  private static let validation = Section(
    "Validation",
    [
      .terms([
        Term(
          "origin",
          "If-None-Match and If-Modified-Since; never If-Match, which means something else (RFC 9110 section 13.1.1)"
        ),
        Term("with cookies forwarded", "conditions are sent, too; CloudFront sends none"),
        Term(
          "viewer's conditions", "answered from the cache, in the order of RFC 9110 section 13.2.2"),
        Term("redirects", "stored and passed on, never followed"),
      ])
    ])

  private static let ranges = Section(
    "Ranges",
    [
      .terms([
        Term("stored", "206 from the cache, several ranges as multipart/byteranges"),
        Term(
          "not stored",
          "fetched in aligned slices of 1 MiB (sliceSize), where CloudFront widens the range as it likes"
        ),
        Term("origin without ranges", "the whole is stored; the viewer gets its part"),
        Term(
          "several ranges",
          "at most 16; two that overlap become one; with more of either, the whole"),
        Term("416", "never stored"),
        Term("parts of an object over 30 GB", "are slices like any other"),
      ])
    ])

  private static let collapsing = Section(
    "Collapsing",
    [
      .terms([
        Term(
          "same key under way",
          "one request to the origin, fed to all as it arrives; also where cookies are forwarded, as they are in the key"
        ),
        Term(
          "not storable after all",
          "the others go on their own at once, where CloudFront's wait for the first response"),
      ])
    ])

  private static let originRequests = Section(
    "Origin requests",
    [
      .terms([
        Term(
          "custom headers",
          "at most 10; name 256, value 1,783, all 10,240 characters; replace the viewer's"),
        Term(
          "forbidden ones",
          "Cache-Control, Connection, Content-Length, Cookie, Host (hostHeader), If-*, Max-Forwards, Pragma, Proxy-*, Range, Request-Range, TE, Trailer, Transfer-Encoding, Upgrade, Via, X-Amz-*, X-Edge-*, X-Real-Ip; CloudFront-* and Keep-Alive, too"
        ),
        Term(
          "policy",
          "originRequest: none, all, listed, all except; what is in the key is always sent"),
        Term(
          "AllViewer and Authorization",
          "stored only as RFC 9111 section 3.5 allows, where CloudFront shares one user's reply"),
        Term("signed queries", "absent, as signed URLs are"),
      ])
    ])

  private static let connections = Section(
    "Connections to the origin",
    [
      .terms([
        Term("attempts", "3, 1 to 3"),
        Term("connect timeout", "10 s, 1 to 10"),
        Term("response timeout", "30 s, 1 to 120, to the first byte and between packets"),
        Term("keep-alive", "5 s, 1 to 120"),
        Term("ports", "any, where CloudFront allows 80, 443 and 1024 to 65535"),
        Term("match-viewer", "httpsPort: over http at the URL's port, over https at this one"),
        Term(
          "TLS to the origin",
          "1.2 and 1.3; a minimum of 1.3 if wanted, where CloudFront goes down to SSLv3"),
        Term(
          "origin certificate",
          "in date, whole chain, for the host asked or the name that Host is set to; the system's "
            + "authorities, or a file of others, where CloudFront takes Mozilla's alone; else 502"),
        Term("client certificate", "tls.certificate and tls.key; unsupported there"),
        Term("retries", "GET and HEAD up to the attempts; other methods never"),
        Term(
          "more than one 100-continue",
          "passed on like any 1xx, at most 16; an error there, but RFC 9110 section 15.2 allows several"
        ),
        Term(
          "truncated",
          "never stored, an unframed body that breaks off included, which CloudFront stores"),
        Term("viewer leaves early", "the fill goes on where it pays; Amazon's drops it"),
        Term(
          "load balancer",
          "several targets, checks on a path (default /), sticky by a cookie for a day by default"),
      ])
    ])

  private static let groups = Section(
    "Origin groups",
    [
      .terms([
        Term("members", "2 to 5; two there"),
        Term("methods", "GET, HEAD and OPTIONS"),
        Term(
          "statuses",
          "among 400, 403, 404, 416, 500, 502, 503, 504, and 429 since it asks to go elsewhere; default 500, 502, 503, 504"
        ),
        Term(
          "memory",
          "a target that keeps failing is left alone for a while (ejection), where CloudFront tries the first each time"
        ),
      ])
    ])

  private static let errors = Section(
    "Errors",
    [
      .terms([
        Term(
          "error TTL",
          "10 s in Lightsail's presets; by the origin's headers in preset origin, as RFC 9111 has it (errors.minimumTTL)"
        ),
        Term(
          "stored with an error TTL",
          "404, 414, 500, 501, 502, 503, 504; 400, 403, 405, 412, 415 with a lifetime of their own"),
        Term("no-store on an error", "is heeded; CloudFront stores it all the same"),
        Term("expired copy and 5xx", "the copy; and 4xx: the error"),
        Term(
          "error pages",
          "for 400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504; new status 200 or one of these; from a path of the distribution, or a file (ours)"
        ),
        Term("page of another behavior", "fetched through the first that matches its path"),
        Term("page that is not there", "the viewer gets the status of its own response"),
      ])
    ])

  private static let statuses = Section(
    "Statuses of the edge",
    [
      .terms([
        Term("400", "a request that cannot be read; bad field-level encryption does not occur"),
        Term(
          "403",
          "country refused; disabled distribution; https needed; missing or bad signatures do not occur"
        ),
        Term("405", "method not allowed"),
        Term("414, 431", "see Methods and sizes"),
        Term(
          "408, 417, 501, 505",
          "ours: a request that does not arrive in time, an Expect other than 100-continue, an unknown transfer coding, a version that is not HTTP/1"
        ),
        Term("421", "a host that no distribution claims (RFC 9110 section 15.5.20)"),
        Term("500", "never of our own making; Lambda@Edge's does not occur"),
        Term("502", "the origin's name is unknown, it refused, or answered nonsense"),
        Term("503", "the edge is overloaded or ends"),
        Term("504", "the origin did not answer in time; only-if-cached without a copy"),
        Term("508", "ours: the origin leads back to this edge (RFC 8586)"),
        Term("301, 307", "see Viewer protocol"),
      ])
    ])

  private static let responses = Section(
    "Response header",
    [
      .terms([
        Term("Via", "appended to (RFC 9110 section 7.6.3), where CloudFront replaces it"),
        Term(
          "X-Cache", "Hit, Miss, RefreshHit and Error from atoll; Cache-Status (RFC 9211) says more"
        ),
        Term("X-Amz-Cf-Pop", "absent: there are no locations to name"),
        Term("Age", "on every response from the cache"),
        Term("Server, Date", "the origin's; the edge's own where they are removed"),
        Term(
          "Vary", "as the origin sends it: names that CloudFront strips matter to caches behind us"),
        Term(
          "removed",
          "Upgrade, hop-by-hop fields, and what Connection names; Trailer but for what atoll-serve(1) passes"
        ),
        Term("policy order", "first remove, then set; applies to hits and misses"),
        Term("headers set", "at most 10, value 1,783; override, if-absent, and append (ours)"),
        Term(
          "not removable",
          "Connection, Content-Encoding, Content-Length, Expect, Host, Keep-Alive, Proxy-*, Trailer, Transfer-Encoding, Upgrade, Via, Warning, X-Accel-*, X-Amz-Cf-*, X-Cache, X-Edge-*, X-Forwarded-Proto, X-Real-Ip; Age, Cache-Status and Content-Range, too"
        ),
        Term(
          "security headers",
          "standard is SecurityHeadersPolicy; Content-Security-Policy at most 1,783 characters"),
        Term(
          "CORS",
          "origins *, exact, or with *. at the front, and a port or :*; added to cross-origin requests alone; credentials not together with *, which no browser takes"
        ),
        Term(
          "Server-Timing",
          "0 to 100 percent with four decimals; Pragma: server-timing always, also at 0"),
      ])
    ])

  private static let viewers = Section(
    "Viewers",
    [
      .terms([
        Term("countries", "allow or block, ISO 3166-1; unknown ones are served; 403"),
        Term("trusted proxies", "ours: who is believed about the viewer (trustedProxies)"),
        Term(
          "certificates",
          "Lightsail's statuses, and not yet valid; any number of names, where Lightsail has 10; RSA from 2048 bits and ECDSA on P-256, P-384 and P-521; one in use is kept (atoll cert)"
        ),
        Term("HTTP/2", "as theirs, and in the clear for viewers that begin with it"),
        Term("HTTP/3", "absent in this version"),
        Term(
          "signed URLs and cookies, field-level encryption, functions",
          "absent: they need keys and code at the edge, which this version does not hold"),
        Term("origin access control", "absent: there are no buckets of ours to sign for"),
      ])
    ])

  private static let upgrades = Section(
    "WebSocket",
    [
      .terms([
        Term("upgrade", "on every behavior; closed after 10 minutes of silence (upgradeTimeout)")
      ])
    ])

  private static let purges = Section(
    "Invalidation",
    [
      .terms([
        Term("path", "leading slash, case counts; * at the end alone; every variant goes"),
        Term("tags, soft purges", "ours"),
        Term(
          "limits",
          "none in progress: a purge is in force when the command returns, where Amazon allows 3,000 paths and 15 wildcards at once"
        ),
        Term("Lightsail's reset", "atoll purge --all"),
      ])
    ])

  private static let plans = Section(
    "Plans, metrics and logs",
    [
      .terms([
        Term(
          "plans",
          "small 50 GB, medium 200 GB, large 500 GB a month; unlimited is ours and the default. Warned at 80 and 100 percent; nothing is billed, and a plan changes at any time"
        ),
        Term("metrics", "see atoll-metrics(1)"),
        Term(
          "access log",
          "one line for each request, JSON or combined; WebSockets when they end. Amazon's file format is absent"
        ),
      ])
    ])

  private static let quotas = Section(
    "Quotas",
    [
      .terms([
        Term("behaviors", "100; 25 there, later 75"),
        Term("origins", "101; 25 there"),
        Term("origin groups", "50; 10 there"),
        Term(
          "requests and bits per second, distributions, policies",
          "what the machine bears: an account's quotas do not apply"),
      ])
    ])

  private static let policies = Section(
    "Managed policies",
    [
      .terms([
        Term(
          "CachingOptimized",
          "ttl 1, 86400, 31536000; key.codings [\"gzip\", \"br\"]; nothing forwarded"),
        Term("CachingOptimizedForUncompressedObjects", "the same with key.codings []"),
        Term("CachingDisabled", "behavior dont-cache"),
        Term(
          "Amplify",
          "ttl 2, 2, 600; forwardedHeaders [\"Authorization\", \"CloudFront-Viewer-Country\", \"Host\"]; cookies and query strings all"
        ),
        Term(
          "Elemental-MediaPackage",
          "forwardedHeaders [\"Origin\"]; forwardedQueryStrings [\"aws.manifestfilter\", \"start\", \"end\", \"m\"]"
        ),
        Term("AllViewer", "originRequest with headers, cookies and queryStrings all"),
        Term("AllViewerExceptHostHeader", "the same with headers {\"allExcept\": [\"Host\"]}"),
        Term(
          "AllViewerAndCloudFrontHeaders-2022-06",
          "refused: headers all are the viewer's alone; list those wanted, CloudFront-* headers among them"
        ),
        Term(
          "CORS-CustomOrigin, CORS-S3Origin",
          "originRequest.headers [\"Origin\"]; with Access-Control-Request-Headers and -Method"),
        Term(
          "Elemental-MediaTailor-PersonalizedManifests",
          "that of CORS-S3Origin with User-Agent and X-Forwarded-For; queryStrings all"),
        Term("UserAgentRefererHeaders", "originRequest.headers [\"User-Agent\", \"Referer\"]"),
        Term("SimpleCORS", "responseHeaders.cors {\"override\": false}"),
        Term(
          "CORS-With-Preflight", "responseHeaders.cors with every method and exposedHeaders [\"*\"]"
        ),
        Term("SecurityHeadersPolicy", "responseHeaders.security \"standard\""),
        Term(
          "CORS-and-SecurityHeadersPolicy, CORS-with-preflight-and-SecurityHeadersPolicy",
          "both settings together"),
      ])
    ])

  private static let absent = Section(
    "Absent",
    [
      .terms([
        Term("regional caches, Origin Shield", "absent: an edge asks the origin itself"),
        Term("continuous deployment", "absent: a second distribution serves to try"),
        Term("real-time logs, reports", "absent: the access log is written at once"),
        Term("alarms", "absent: what scrapes atoll metrics --prometheus has its own"),
        Term(
          "distributions in a row",
          "as many as the path needs, but no loop; Amazon's lately answers 403 beyond two"),
        Term(
          "later additions",
          "absent: gRPC, private origins, multi-tenant distributions, certificates of viewers"),
        Term("Smooth Streaming", "absent as such: its files are files"),
      ])
    ])
}
