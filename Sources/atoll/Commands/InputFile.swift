// SPDX-License-Identifier: Apache-2.0
import AtollCore
import Glibc

/// Files that a command line names; a dash is standard input.
enum InputFile {
  /// - Parameter limit: bytes; nobody has larger ones but by mistake.
  /// - Parameter hint: what to name instead of what cannot be read.
  static func read(_ file: String, limit: Int, hint: String) throws(CommandError) -> [UInt8] {
    let descriptor = file == "-" ? 0 : open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(file, hint) }
    defer { if descriptor != 0 { close(descriptor) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(file, hint) }
      if count == 0 { return bytes }
      bytes += buffer.prefix(count)
      guard bytes.count <= limit else {
        throw .usage(
          "\"\(file)\" is larger than \(Quantity.size(limit))",
          hint: "check that it is the right one")
      }
    }
  }

  private static func failure(_ file: String, _ hint: String) -> CommandError {
    .usage("cannot read \"\(file)\": \(errorText(errno))", hint: hint)
  }
}

/// A file of authorities to believe.
enum TrustFile {
  /// One that can't be used is the command line's fault, whatever comes of the rest.
  static func check(_ file: String, of option: OptionDefinition) throws(CommandError) {
    do throws(FileTrouble) {
      _ = try TrustStore.open(.file(file))
    } catch {
      throw .usage("--\(option.name): the file \"\(file)\" \(error.what)", hint: error.hint)
    }
  }
}
