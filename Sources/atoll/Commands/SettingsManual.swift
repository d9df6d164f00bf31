// SPDX-License-Identifier: Apache-2.0

/// What the manuals of create, update and apply say about settings.
enum SettingsManual {
  static let sections = [presets, overrides, values, files]

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
        --cache-path may give lifetimes of its own after a space: default, min and max. What it \
        leaves out is the distribution's.
        """),
      .code(["--cache-path '/img/* default=7d' --dont-cache-path '/api/'"]),
    ])

  static let values = Section(
    "Values",
    [
      .terms([
        Term("durations", "seconds, or with a unit: 90, 90s, 15m, 1h30m, 7d, 2w"),
        Term(
          "names",
          "none, all, or names with commas; each one forwarded tells cached responses apart"),
      ]),
      .paragraph(
        """
        Origins over TLS (https://) are not supported by this version; create, update and apply \
        refuse them.
        """),
    ])

  static let files = Section(
    "Files",
    [
      .paragraph(
        """
        A file holds what atoll show --json prints, or the form of CloudFormation's Lightsail \
        distributions: DistributionName, Origin, DefaultCacheBehavior, CacheBehaviors, \
        CacheBehaviorSettings, BundleId, IsEnabled, Tags. An unknown key is an error.
        """)
    ])
}
