// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Files that describe distributions; a dash is standard input.
enum SpecFile {
  static func read(_ file: String) throws -> [DistributionDraft] {
    try DistributionFile.decode(bytes(of: file), source: file == "-" ? "stdin" : file)
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

  private static func bytes(of file: String) throws(CommandError) -> [UInt8] {
    let descriptor = file == "-" ? 0 : open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(file) }
    defer { if descriptor != 0 { close(descriptor) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(file) }
      if count == 0 { return bytes }
      bytes += buffer.prefix(count)
      guard bytes.count <= ConfigLimits.file else {
        throw .usage(
          "\"\(file)\" is larger than \(Quantity.size(ConfigLimits.file))",
          hint: "split it into several files")
      }
    }
  }

  private static func failure(_ file: String) -> CommandError {
    .usage(
      "cannot read \"\(file)\": \(String(cString: csystem_error_text(errno)))",
      hint: "name a JSON file, or - for stdin")
  }
}
