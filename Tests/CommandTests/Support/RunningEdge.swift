// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization
import TestSupport

@testable import atoll

/// `atoll serve` as a process, listening and ready; killed when the test forgets to end it.
final class RunningEdge: Sendable {
  let process: RunningAtoll
  /// The first address it printed, `127.0.0.1:40123` or `unix:/path`.
  let address: String
  /// The first address with TLS; empty without `--https`.
  let secureAddress: String
  let home: TemporaryDirectory
  private let hasEnded = Atomic(false)

  init(_ arguments: [String], home: TemporaryDirectory = TemporaryDirectory()) throws {
    self.home = home
    let listens = arguments.contains("--http")
    let process = RunningAtoll(
      ["serve"] + arguments + (listens ? [] : ["--http", "127.0.0.1:0"]) + ["--threads", "2"],
      env: ["ATOLL_HOME": home.path + "/store"])
    self.process = process
    let marker = "atoll: listening on "
    let tlsMarker = ", https"
    let speaksTLS = arguments.contains("--https")
    var found: String?
    var foundSecure: String?
    try wait(for: "the edge to listen; it said: \(process.complained)") {
      // A line that is not finished yet names half an address.
      let lines = process.complained.split(separator: "\n", omittingEmptySubsequences: false)
      let addresses = lines.dropLast().filter { $0.hasPrefix(marker) }.map {
        String($0.dropFirst(marker.count))
      }
      found = addresses.first { !$0.hasSuffix(tlsMarker) }
      foundSecure = addresses.first { $0.hasSuffix(tlsMarker) }
        .map { String($0.dropLast(tlsMarker.count)) }
      return found != nil && (foundSecure != nil || !speaksTLS)
    }
    address = found ?? ""
    secureAddress = foundSecure ?? ""
  }

  deinit {
    // The number of a process that was waited for may be another's by now.
    if hasEnded.load(ordering: .relaxed) { return }
    kill(process.pid, SIGKILL)
    _ = process.wait()
  }

  var url: String { "http://\(address)" }

  /// The port of its first address with TLS.
  var securePort: Substring { secureAddress[(secureAddress.lastIndex(of: ":")!)...].dropFirst() }

  /// Runs a command on the edge's store.
  @discardableResult
  func atoll(_ arguments: String..., stdin: String = "") -> Finished {
    runAtoll(arguments, env: ["ATOLL_HOME": home.path + "/store"], stdin: stdin)
  }

  /// The verdict that one request gets, with its reason.
  func verdict(_ path: String, host: String? = nil, headers: [String] = []) -> String {
    let more = (host.map { ["Host: \($0)"] } ?? []) + headers
    let result = runAtoll(
      ["test", "--count", "1"] + more.flatMap { ["-H", $0] } + [url + path])
    let lines = result.stdout.split(separator: "\n")
    guard lines.count > 1 else { return result.stderr }
    return lines[1].split(separator: " ", omittingEmptySubsequences: false).dropFirst(4)
      .joined(separator: " ").prefixBeforeGap
  }

  /// Ends it as an administrator does.
  func end() -> Finished {
    kill(process.pid, SIGTERM)
    let finished = process.wait()
    hasEnded.store(true, ordering: .relaxed)
    return finished
  }
}

extension String {
  /// `200  miss, stored` of `200  miss, stored  ttl 1m  6 B`.
  fileprivate var prefixBeforeGap: String {
    let parts = split(separator: " ", omittingEmptySubsequences: false)
    var words: [Substring] = []
    var gaps = 0
    for part in parts {
      if part.isEmpty { gaps += 1 }
      if gaps == 2 { break }
      if !part.isEmpty { words.append(part) }
    }
    return words.joined(separator: " ")
  }
}

struct NeverHappened: Error, CustomStringConvertible {
  let description: String
}

/// Looks every few milliseconds, for at most a minute: machines that run tests are busy.
func wait(for what: @autoclosure () -> String, until isTrue: () throws -> Bool) throws {
  for _ in 0..<12_000 {
    if try isTrue() { return }
    usleep(5_000)
  }
  throw NeverHappened(description: "waited in vain for \(what())")
}
