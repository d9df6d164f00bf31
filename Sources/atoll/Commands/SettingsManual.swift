// SPDX-License-Identifier: Apache-2.0

/// What the manuals of create, update and apply say about settings.
enum SettingsManual {
  static let sections = [presets, overrides, origins, values, files]

  static let presets = Section(
    "Presets",
    [
      .terms([
        Term("origin", "obey the origin's headers (RFC 9111); everything is forwarded"),
        Term("static", "cache everything, for a day unless the origin says otherwise"),
        Term("dynamic", "cache nothing but the overrides"),
        Term(
          "wordpress",
          "cache wp-includes/* and wp-content/*; forward Host and all query parameters"),
        Term(
          "spa",
          "as static, and /index.html with status 200 for every path that the origin lacks"),
      ]),
      .paragraph("With a setting changed by hand the preset is called custom."),
    ])

  static let overrides = Section(
    "Path overrides",
    [
      .paragraph(
        """
        The first override whose path matches decides; --default-behavior is for the rest. In a \
        path * stands for any characters and ? for one, a trailing slash for everything below, \
        and case counts. Put narrow paths before wide ones. Paths are compared as viewers send \
        them: percent-encoding, double slashes and dot segments are not resolved, so let the \
        origin's own headers protect what must never be stored.
        """),
      .paragraph(
        """
        After a space --cache-path and --dont-cache-path may give the path settings of its own: \
        default, min and max lifetimes, origin, and the other options of caching, key, forwarding \
        and responses by their names. What is left out is the distribution's, and =inherit makes \
        it so again. Words there are: \(PathSetting.names.joined(separator: ", ")).
        """),
      .code([
        "--cache-path '/img/* default=7d origin=images compress=none'",
        "--dont-cache-path '/api/ allowed-methods=all'",
      ]),
    ])

  static let origins = Section(
    "Origins",
    [
      .paragraph(
        """
        Several --origin share the load: --balance, --sticky, --eject and --health-check say how. \
        --named-origin adds origins for paths (origin=name after the path) and for groups; what \
        the options of the origin say of that one, words after its URL say of these: \
        \(OriginOptions.all.map(\.word).joined(separator: ", ")). An --origin-group asks its \
        members one after the other.
        """),
      .code([
        "--named-origin 'images=http://10.0.0.9:9000 host-header=viewer'",
        "--origin-group both=default,images:404,503 --use-origin both",
      ]),
    ])

  static let values = Section(
    "Values",
    [
      .terms([
        Term("durations", "seconds, or with a unit: 90, 90s, 15m, 1h30m, 7d, 2w"),
        Term(
          "names",
          "none, all, or names with commas, or all-except: and names; each one forwarded tells "
            + "cached responses apart"),
      ]),
      .paragraph(
        """
        An origin over TLS (https://) has to show a certificate that is valid now, from an \
        authority that the system of the edge trusts or --origin-ca names, and for the host that is \
        asked: the URL's, or what --host-header or --origin-server-name say. Else viewers get 502, \
        and the edge's log says what is wrong. --origin-insecure takes any certificate; the edge \
        warns of it at every start.
        """),
    ])

  static let files = Section(
    "Files",
    [
      .paragraph(
        """
        A file holds what atoll show --json prints, or the form of CloudFormation's Lightsail \
        distributions: DistributionName, Origin, DefaultCacheBehavior, CacheBehaviors, \
        CacheBehaviorSettings, BundleId, IsEnabled, Tags; or CloudFront's DistributionConfig. An unknown key is an error. \
        atoll-distribution(5) has every setting.
        """)
    ])
}
