// SPDX-License-Identifier: Apache-2.0

extension KeySettings {
  static let form = ValueForm<KeySettings>.object(
    usual: KeySettings(),
    [
      Member(
        "host", \.host, .bool, noun: "host in the key",
        default: "true in preset origin, else false",
        example: "true",
        "The viewer's Host. Where the origin gets its own name alone it only splits the cache."),
      Member(
        "scheme", \.scheme, .bool, noun: "scheme in the key", default: "false", example: "true",
        "http or https, as the viewer came; the origin gets CloudFront-Forwarded-Proto."),
      Member(
        "device", \.device, .bool, noun: "device in the key", default: "false", example: "true",
        "Desktop, mobile, tablet or television, by User-Agent; the origin gets the "
          + "CloudFront-Is-…-Viewer headers."),
      Member(
        "country", \.country, .bool, noun: "country in the key", default: "false", example: "true",
        "By the viewer's address, when the edge has a database of them; the origin gets "
          + "CloudFront-Viewer-Country."),
      Member(
        "sortQuery", \.sortsQuery, .bool, noun: "sorting of query parameters", default: "false",
        example: "true",
        "Query parameters in the order of their names, then of their values, in key and request."),
      Member(
        "dropQueryStrings", \.droppedQueryStrings,
        .texts(
          "list of names", example: "utm_*", most: ConfigLimits.listedNames,
          range: "at most \(ConfigLimits.listedNames)", flaw: queryFlaw),
        noun: "dropped query strings", default: "none", example: #"["tracking", "sid_*"]"#,
        "Query parameters that neither key nor origin gets, unless originRequest sends them; * and ? "
          + "stand for characters, \"tracking\" for the well-known parameters of campaigns (utm_*, gclid, "
          + "fbclid and others)."),
      Member(
        "codings", \.codings, .codings, noun: "codings in the key",
        default: #"["gzip", "br"] in preset origin, else ["gzip"]"#, example: #"["gzip", "br"]"#,
        "What Accept-Encoding is reduced to, in key and request; with an empty list it is a "
          + "header like any other, sent where it is forwarded."),
    ])
}

extension OriginRequestSettings {
  static let form = ValueForm<OriginRequestSettings>.object(
    usual: OriginRequestSettings(),
    [
      Member(
        "headers", \.headers, .names(.sentHeader), noun: "headers for the origin alone",
        default: "none", example: #"["Referer", "User-Agent"]"#,
        "Request headers that are sent besides those of the key."),
      Member(
        "cookies", \.cookies, .names(.cookie), noun: "cookies for the origin alone",
        default: "none",
        example: #"["consent"]"#, "Cookies that are sent besides those of the key."),
      Member(
        "queryStrings", \.queryStrings, .names(.query), noun: "query strings for the origin alone",
        default: "none", example: #""all""#,
        "Query parameters that are sent besides those of the key."),
    ])
}
