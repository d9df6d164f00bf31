// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Where all printing goes: the result to stdout, everything about it to stderr.
final class Console: Sendable {
  enum Stream: Int32, Sendable { case output = 1, error = 2 }

  enum Style: String, Sendable {
    case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", blue = "34", cyan = "36"
  }

  let isQuiet: Bool
  private let colorsOutput: Bool
  private let colorsError: Bool

  init(color: ColorChoice = .auto, quiet: Bool = false, environment: [String: String] = [:]) {
    isQuiet = quiet
    switch color {
    case .always:
      colorsOutput = true
      colorsError = true
    case .never:
      colorsOutput = false
      colorsError = false
    case .auto:
      let allowed =
        (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
      colorsOutput = allowed && isatty(Stream.output.rawValue) == 1
      colorsError = allowed && isatty(Stream.error.rawValue) == 1
    }
  }

  /// Someone can be asked.
  var isInteractive: Bool { isatty(0) == 1 && isatty(Stream.error.rawValue) == 1 }

  /// Columns of the terminal behind stdout, 80 without one.
  var width: Int {
    var size = winsize()
    guard ioctl(Stream.output.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return 80
    }
    return Int(size.ws_col)
  }

  /// A line of the result.
  func print(_ line: String = "") {
    write(line + "\n")
  }

  /// Part of the result, as it is.
  func write(_ text: String) {
    send(text, to: .output)
  }

  func write(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { send($0, to: .output) }
  }

  /// One JSON document, the whole result.
  func print(_ json: JSON) {
    write(json.document)
  }

  /// The confirmation of a change: part of the result for people, nothing when quiet.
  func confirm(_ line: String) {
    if !isQuiet { print(line) }
  }

  /// About the result: progress, what an edge answered.
  func note(_ line: String) {
    if !isQuiet { send("atoll: \(Console.printable(line))\n", to: .error) }
  }

  /// What a person has to copy: alone on its line, quiet or not.
  func instruct(_ line: String) {
    send(Console.printable(line) + "\n", to: .error)
  }

  func warn(_ message: String, hint: String? = nil) {
    report("warning", .yellow, message, hint: hint)
  }

  func warn(_ error: ConfigError) {
    for problem in error.problems { warn(problem.message, hint: problem.hint) }
  }

  func error(_ message: String, hint: String? = nil) {
    report("error", .red, message, hint: hint)
  }

  /// The answer to a question at a terminal; false when it is not yes.
  func asks(_ question: String) -> Bool {
    send("\(question) [y/N] ", to: .error)
    return readLine().map { ["y", "yes"].contains($0.lowercased()) } ?? false
  }

  func styled(_ text: String, _ style: Style, on stream: Stream = .output) -> String {
    let colors = stream == .output ? colorsOutput : colorsError
    return colors ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  private func report(_ word: String, _ style: Style, _ message: String, hint: String?) {
    var text = "atoll: \(styled("\(word):", style, on: .error)) \(Console.printable(message))\n"
    if let hint {
      text += "atoll: \(styled("hint:", .cyan, on: .error)) \(Console.printable(hint))\n"
    }
    send(text, to: .error)
  }

  /// Messages quote what others wrote: control characters in it must not drive the terminal, nor
  /// a line break make a second message.
  static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.isControl) else { return text }
    return text.unicodeScalars.map { $0.isControl ? $0.escaped : String($0) }.joined()
  }

  private func send(_ text: String, to stream: Stream) {
    var text = text
    text.withUTF8 { send(UnsafeRawBufferPointer($0), to: stream) }
  }

  private func send(_ bytes: UnsafeRawBufferPointer, to stream: Stream) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Glibc.write(
        stream.rawValue, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
      if count >= 0 {
        rest = rest.dropFirst(count)
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: waitUntilWritable(stream)
      // Nobody reads any longer: no fault of ours, nor of theirs.
      case EPIPE where stream == .output: exit(ExitCode.done.rawValue)
      default:
        // A full disk under stdout loses the result; stderr has nowhere to complain to.
        guard stream == .output else { return }
        error("stdout: \(String(cString: csystem_error_text(errno)))")
        exit(ExitCode.failed.rawValue)
      }
    }
  }

  private func waitUntilWritable(_ stream: Stream) {
    var waiting = pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)
    _ = poll(&waiting, 1, -1)
  }
}
