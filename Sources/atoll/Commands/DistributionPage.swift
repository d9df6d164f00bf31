// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What atoll-distribution(5) says beside the tables of keys and of references.
enum DistributionPage {
  static let file = "atoll-distribution.5"
  static let summary = "the file that describes a distribution"

  static let description = [
    """
    A distribution is a site that the edges serve. atoll apply, create --file and update --file \
    read files that describe one: a JSON object with the keys below, a list of such objects, or an \
    object with the list under distributions. atoll show --json prints one.
    """,
    """
    What a file leaves out comes from its preset; update --file leaves it as it is, unless the file \
    is what show --json printed, which is whole. Parts of an object that are left out are filled \
    in the same way, lists are taken as they are, and null takes an optional part away. An unknown \
    key, a wrong type or a value out of range is refused with its place and a remedy, and nothing \
    is changed.
    """,
    """
    Durations are seconds, sizes are bytes. CloudFormation's forms are read, too: \
    AWS::Lightsail::Distribution and AWS::CloudFront::Distribution, alone or in a template, and \
    what aws cloudfront get-distribution-config prints. What of these cannot be reproduced is \
    refused, never dropped.
    """,
  ]

  static let sections = [SettingsManual.presets, SettingsManual.overrides]

  static let examples: [(purpose: String, lines: [String])] = [
    (
      "A shop whose images come from another host, with pages for errors:",
      [
        "{", "  \"name\": \"shop\",", "  \"preset\": \"static\",",
        "  \"origin\": {", "    \"url\": \"http://10.0.0.7:3000\",",
        "    \"targets\": [\"http://10.0.0.8:3000\"],",
        "    \"healthCheck\": {\"path\": \"/healthz\"}", "  },",
        "  \"origins\": {\"images\": \"http://10.0.0.9:9000\"},",
        "  \"errors\": {", "    \"responses\": [{\"status\": 404, \"page\": \"/404.html\"}]",
        "  },", "  \"behaviors\": [", "    {", "      \"path\": \"/img/*\",",
        "      \"behavior\": \"cache\",", "      \"origin\": \"images\",",
        "      \"ttl\": {\"default\": 604800}", "    },",
        "    {\"path\": \"/cart/*\", \"behavior\": \"dont-cache\"}", "  ],",
        "  \"settings\": {",
        "    \"compression\": {\"codings\": [\"gzip\", \"br\"]},",
        "    \"responseHeaders\": {\"security\": \"standard\"}", "  }", "}",
      ]
    )
  ]
}
