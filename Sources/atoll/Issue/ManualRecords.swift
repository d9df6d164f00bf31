// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Has a person create the records of dns-01: they are printed, and looked for until they are there.
struct ManualRecords: RecordKeeper {
  let console: Console

  func create(_ records: [ChallengeRecord]) {
    // Not a note, which --quiet would swallow: without it nothing can happen.
    console.warn(
      records.count == 1
        ? "create this DNS record; this goes on when it is there:"
        : "create these DNS records, all of them; this goes on when they are there:")
    for record in records { console.instruct(Self.line(record)) }
  }

  func remove(_ records: [ChallengeRecord]) {
    console.note(
      records.count == 1
        ? "the record \(records[0].name) can be removed now"
        : "the records can be removed now: \(listed(records.map(\.name.description), "and"))")
  }

  /// As zone files have it.
  static func line(_ record: ChallengeRecord) -> String {
    "\(record.name.absolute) 60 IN TXT \"\(record.value)\""
  }
}
