// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Files that describe distributions; a dash is standard input.
enum SpecFile {
  static func read(_ file: String) throws -> [DistributionDraft] {
    try DistributionFile.decode(
      InputFile.read(file, limit: ConfigLimits.file, hint: "name a JSON file, or - for stdin"),
      source: file == "-" ? "stdin" : file)
  }

  /// The only distribution in a file, for the commands that make or change one.
  static func readOne(_ file: String) throws -> DistributionDraft {
    let drafts = try read(file)
    guard drafts.count == 1 else {
      throw CommandError.usage(
        "\(drafts[0].source): describes \(drafts.count) distributions",
        hint: "atoll apply reads files with several")
    }
    return drafts[0]
  }
}
