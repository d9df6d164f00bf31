// SPDX-License-Identifier: Apache-2.0

/// Every key of our own form, for the manual: atoll-distribution(5).
package enum DistributionManual {
  /// In the order of files.
  package static let entries: [ManualEntry] =
    identity + [preset] + Distribution.table[..<4].map(\.manual) + [origin]
    + Distribution.table[4...].map(\.manual) + [defaultBehavior, behaviors, settings, edges]

  private static let identity: [ManualEntry] = [
    ManualEntry(
      key: "schemaVersion", kind: "number", range: "1", default: "1", example: "1",
      summary: "The version of this form."),
    ManualEntry(
      key: "name", kind: "text",
      range: "2 to 255 letters, digits, \".\", \"-\" and \"_\", a letter or digit at both ends",
      default: "required", example: #""shop""#,
      summary:
        "Names it in commands, and in its host name below the base domain: <name>.atoll.localhost."),
    ManualEntry(
      key: "id", kind: "text", range: "\"d\" and 13 lower-case letters or digits",
      default: "assigned", example: #""d0123456789abc""#, summary: "Assigned once, and kept."),
    ManualEntry(
      key: "defaultDomain", kind: "domain", range: "", default: "assigned",
      example: #""d0123456789abc.atoll.localhost""#,
      summary: "Its id below the store's base domain: assigned at creation, and kept."),
    ManualEntry(
      key: "revision", kind: "number", range: "", default: "assigned", example: "3",
      summary: "Of the store's last write: an update from a file of an older revision is refused."),
    ManualEntry(
      key: "created", kind: "time", range: "", default: "assigned",
      example: #""2026-03-01T12:00:00Z""#, summary: "When it was made."),
    ManualEntry(
      key: "modified", kind: "time", range: "", default: "assigned",
      example: #""2026-03-01T12:00:00Z""#, summary: "When it was last changed."),
  ]

  private static let edges = ManualEntry(
    key: "edges", kind: "list", default: "none", example: "[]",
    summary: "What show --json tells of the running edges: read without effect.")

  private static let preset = ManualEntry(
    key: "preset", kind: ValueForm.choice(Preset.self).kind, range: "", default: "origin",
    example: #""static""#,
    summary:
      "What fills in all that the file does not say. A preset with a setting changed by hand "
      + "is called custom; what custom leaves out is as in origin.")

  private static let origin = ManualEntry(
    key: "origin", kind: "URL or object", range: "", default: "required",
    example: #""http://shop.example:8080/app""#,
    summary: "The origin of every behavior that names no other.",
    members: [
      ManualEntry(
        key: "url", kind: "URL",
        range: "http:// or https://, host, port, path of at most 1024 characters",
        default: "required", example: #""http://shop.example:8080/app""#,
        summary: "Where it is; the path is put before the viewer's.")
    ] + Origin.form.members.map(\.manual))

  private static let defaultBehavior = ManualEntry(
    key: "defaultBehavior", kind: ValueForm.choice(Caching.self).kind, range: "",
    default: "by preset", example: #""dont-cache""#,
    summary: "What happens to paths that no behavior names.")

  private static let behaviors = ManualEntry(
    key: "behaviors", kind: "list of objects", range: "at most \(ConfigLimits.behaviors)",
    default: "by preset",
    example: #"[{"path": "/img/*", "behavior": "cache", "ttl": {"default": 604800}}]"#,
    summary:
      "In the order of matching: the first whose path matches decides. Each may carry any key "
      + "of settings for itself; parts of an object that it leaves out are as in settings.",
    members: [
      ManualEntry(
        key: "path", kind: "pattern",
        range: "1 to \(ConfigLimits.pathLength) letters, digits and _ - . * $ / ~ \" ' @ : + & ?",
        default: "required", example: #""/img/*""#,
        summary: "* stands for any characters, ? for one, a slash at the end for everything below; "
          + "case counts, the slash at its start may be left out."),
      ManualEntry(
        key: "behavior", kind: ValueForm.choice(Caching.self).kind, range: "", default: "required",
        example: #""cache""#,
        summary: "Whether responses are cached. What is not cached is forwarded whole."),
    ])

  private static let settings = ManualEntry(
    key: "settings", kind: "object", range: "", default: "by preset",
    example: #"{"ttl": {"default": 3600}}"#,
    summary: "How requests are treated that no behavior names, and what behaviors start from.",
    members: BehaviorSettings.table.map(\.member.manual))
}
