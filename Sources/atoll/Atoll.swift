// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CSystem
import Glibc

/// Picks a command, and turns an error into a message and an exit code.
@main
struct Atoll {
  static let version = "0.1.0"

  /// In the order of help and of the manual.
  static let commands: [any Command.Type] = [
    CreateCommand.self,
    UpdateCommand.self,
    ApplyCommand.self,
    ListCommand.self,
    ShowCommand.self,
    DeleteCommand.self,
    ServeCommand.self,
    PurgeCommand.self,
    TestCommand.self,
    CertCommand.self,
    DomainCommand.self,
    MetricsCommand.self,
    HelpCommand.self,
    CompleteCommand.self,
    GenerateCommand.self,
  ]

  static func main() {
    csystem_ignore_sigpipe()
    endOnInterrupt()
    let code = run(Array(CommandLine.arguments.dropFirst()), environment: readEnvironment())
    exit(code.rawValue)
  }

  /// Nothing to tidy up: the store is whole at any moment. A shell that runs a job in the background
  /// has interrupts ignored, and they stay so.
  private static func endOnInterrupt() {
    var action = sigaction()
    sigaction(SIGINT, nil, &action)
    // SIG_DFL is the null handler.
    guard action.__sigaction_handler.sa_handler == nil else { return }
    signal(SIGINT) { _ in _exit(ExitCode.interrupted.rawValue) }
  }

  static func run(_ words: [String], environment: [String: String]) -> ExitCode {
    var console = Console(
      color: colorBeforeParsing(words, environment), environment: environment)
    do {
      guard let invocation = try Invocation(words) else {
        console.write(Help.overview())
        return .done
      }
      switch invocation {
      case .version:
        console.print("atoll \(version)")
      case .overview(let isShort):
        console.write(Help.overview(isShort: isShort))
      case .command(let command, let rest):
        let definition = command.definition
        let parsed = try Parser.parse(rest, for: definition, environment: environment)
        console = Console(
          color: parsed[CommonOptions.color] ?? .auto, quiet: parsed[CommonOptions.quiet],
          environment: environment)
        if parsed[CommonOptions.help] {
          console.write(Help.text(of: definition, isShort: rest.contains("-h")))
        } else {
          try command.run(parsed, console: console)
        }
      }
      return .done
    } catch {
      return report(error, on: console)
    }
  }

  /// All of them, each group followed by its verbs.
  static var everyCommand: [any Command.Type] {
    commands.flatMap { [$0] + (($0 as? any CommandGroup.Type)?.verbs ?? []) }
  }

  /// `show`, `cert`, `cert show`.
  static func command(named name: String) -> (any Command.Type)? {
    everyCommand.first { $0.definition.name == name }
  }

  /// A command line that cannot be parsed is told in the color it asked for.
  private static func colorBeforeParsing(
    _ words: [String], _ environment: [String: String]
  ) -> ColorChoice {
    let option = CommonOptions.color.definition
    var text = option.environmentName.flatMap { environment[$0] } ?? ""
    for (index, word) in words.prefix(while: { $0 != "--" }).enumerated() {
      if word.hasPrefix(option.spelling + "=") {
        text = String(word.dropFirst(option.spelling.count + 1))
      } else if word == option.spelling, index + 1 < words.count {
        text = words[index + 1]
      }
    }
    return ColorChoice(rawValue: text) ?? .auto
  }

  private static func report(_ error: any Error, on console: Console) -> ExitCode {
    switch error {
    case let error as CommandError:
      for problem in error.problems { console.error(problem.message, hint: problem.hint) }
      for warning in error.warnings { console.warn(warning) }
      return error.code
    case let error as ConfigError:
      for problem in error.problems { console.error(problem.message, hint: problem.hint) }
      return .usage
    case let error as StoreError:
      console.error(error.message, hint: error.hint)
      return .failed
    case let error as CertificateError:
      console.error(error.message, hint: error.hint)
      return .failed
    default:
      console.error("\(error)")
      return .failed
    }
  }

  private static func readEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    return variables
  }
}
