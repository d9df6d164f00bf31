// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// Writes man pages and completions; `make docs` calls it.
enum GenerateCommand: Command {
  static let definition = CommandDefinition(
    name: "__generate", summary: "write man pages and completions",
    arguments: [
      ArgumentDefinition("directory", "where man/ and completions/ are", completes: .directory)
    ],
    isHidden: true)

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let root = parsed.argument(0) ?? "."
    for (folder, files) in [("man", ManPage.all()), ("completions", Completions.all())] {
      let directory = "\(root)/\(folder)"
      guard mkdir(directory, 0o755) == 0 || errno == EEXIST else {
        throw failure("cannot make", directory)
      }
      for file in files { try write(file.text, to: "\(directory)/\(file.name)") }
    }
  }

  private static func write(_ text: String, to path: String) throws(CommandError) {
    guard let file = fopen(path, "w") else { throw failure("cannot write", path) }
    var text = text
    let written = text.withUTF8 { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
    guard fclose(file) == 0, written else { throw failure("cannot write", path) }
  }

  private static func failure(_ what: String, _ path: String) -> CommandError {
    .failed("\(what) \"\(path)\": \(String(cString: csystem_error_text(errno)))")
  }
}
