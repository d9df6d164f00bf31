// SPDX-License-Identifier: Apache-2.0

/// Query parameters that advertisers, newsletters and analytics add to links: scripts in the page
/// read them, origins have no use for them, and each value would be an entry of its own.
package enum TrackingParameters {
  /// What stands for them all in `KeySettings.droppedQueryStrings`.
  package static let word = "tracking"

  package static let names = [
    // Campaigns: Google Analytics and those who copied it, Matomo, Adobe, HubSpot.
    "utm_*", "mtm_*", "pk_*", "piwik_*", "s_cid", "hsa_*", "_hsenc", "_hsmi", "hsCtaTracking",
    // Clicks: Google, Facebook, Instagram, Microsoft, Yahoo/Yandex, X, TikTok, LinkedIn, Pinterest,
    // Snapchat, Reddit, Impact, TradeDoubler, Olytics.
    "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid", "srsltid",
    "fbclid", "igsh", "igshid", "msclkid", "yclid", "ysclid", "_openstat", "twclid", "ttclid",
    "li_fat_id", "epik", "ScCid", "rdt_cid", "irclickid", "tduid", "oly_anon_id", "oly_enc_id",
    // Sessions passed between domains, and newsletters: Google, Mailchimp, Klaviyo, Vero, Marketo.
    "_ga", "_gl", "_gac", "mc_cid", "mc_eid", "_kx", "vero_id", "vero_conv", "mkt_tok",
    "wickedid",
  ]

  /// The names with the word replaced by what it stands for.
  package static func expanding(_ names: [String]) -> [String] {
    names.flatMap { $0 == word ? Self.names : [$0] }
  }
}
