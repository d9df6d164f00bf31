// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Why the store refused or failed; in words for people through `message` and `hint`.
package enum StoreError: Error, Equatable, Sendable {
  /// A write asked for a revision that is not there: 0 stands for no value, on either side.
  case conflict(key: String, expected: UInt64, found: UInt64)
  case badKey(String)
  /// Another process kept the lock for so many seconds.
  case busy(place: String, seconds: Int)
  case full(place: String)
  case denied(action: String, place: String)
  case failed(action: String, place: String, why: String)
  /// A value that this program wrote once but can't read.
  case damaged(key: String, why: String)
  /// No environment variable tells where the store is.
  case noHome
  /// A hold whose key another process holds.
  case held(String)

  static func system(_ error: Int32, _ action: String, _ place: String) -> StoreError {
    switch error {
    case ENOSPC, EDQUOT: .full(place: place)
    case EACCES, EPERM: .denied(action: action, place: place)
    default: .failed(action: action, place: place, why: errorText(error))
    }
  }

  /// The same of a place that was told relative to a directory.
  func below(_ directory: String) -> StoreError {
    func whole(_ place: String) -> String {
      place.hasPrefix("/") ? place : "\(directory)/\(place)"
    }
    switch self {
    case .full(let place): return .full(place: whole(place))
    case .denied(let action, let place): return .denied(action: action, place: whole(place))
    case .failed(let action, let place, let why):
      return .failed(action: action, place: whole(place), why: why)
    default: return self
    }
  }

  package var message: String {
    switch self {
    case .conflict(let key, 0, _): "\(thing(key)) exists already"
    case .conflict(let key, _, 0): "\(thing(key)) was deleted meanwhile"
    case .conflict(let key, let expected, let found):
      "\(thing(key)) was changed meanwhile: it is at revision \(found), not \(expected)"
    case .badKey(let key): "\(quoted(key)) is no key of the store"
    case .busy(let place, let seconds):
      "the store \(quoted(place)) was locked by another process for \(seconds) s"
    case .full(let place): "no space is left for \(quoted(place))"
    case .denied(let action, let place): "may not \(action) \(quoted(place))"
    case .failed(let action, let place, let why): "could not \(action) \(quoted(place)): \(why)"
    case .damaged(let key, let why): "\(thing(key)) is damaged: \(why)"
    case .noHome: "nothing tells where the store is"
    case .held(let key): "\(thing(key)) is held by another process"
    }
  }

  package var hint: String {
    switch self {
    case .conflict(let key, 0, _):
      key.hasPrefix(Catalog.prefix) ? "update it, or choose another name" : "read it again"
    case .conflict(_, _, 0): "list what there is"
    case .conflict: "look at it again and repeat the change"
    case .badKey: "use letters, digits, \".\", \"-\" and \"_\""
    case .busy: "end the process that holds the lock, and repeat"
    case .full: "free some space and repeat: nothing was changed"
    case .denied: "run it as the store's owner, or set ATOLL_HOME to a directory of yours"
    case .failed: "check the directory, or set ATOLL_HOME to another"
    case .damaged(let key, _):
      replacement(key).map { "\($0), or restore it from a backup" }
        ?? "restore it from a backup, or delete it"
    case .noHome: "set ATOLL_HOME to the directory to use"
    case .held: "end that process first"
    }
  }

  /// How a certificate that may be in use, and so can't be deleted, is had anew; nil for other keys.
  private func replacement(_ key: String) -> String? {
    guard key.hasPrefix(CertificateCatalog.prefix) else { return nil }
    let name = key.dropFirst(CertificateCatalog.prefix.utf8.count)
    // That one edges make whenever it is missing; by other names no command writes any.
    guard name != DefaultCertificate.name, CertificateCatalog.flaw(inName: String(name)) == nil
    else { return nil }
    return "put another in its place with atoll cert import \(name) <file>..., "
      + "atoll cert ensure \(name) --domain <name>... or atoll cert create \(name) --local"
  }

  /// `distributions/shop` is the distribution "shop" for people.
  private func thing(_ key: String) -> String {
    let parts = key.split(separator: "/", maxSplits: 1)
    guard parts.count == 2 else { return "the entry \(quoted(key))" }
    switch parts[0] {
    case "distributions": return "the distribution \(quoted(parts[1]))"
    case "purges": return "the purge record \(quoted(parts[1]))"
    case "secrets": return "the secret \(quoted(parts[1]))"
    case "certificates": return "the certificate \(quoted(parts[1]))"
    case "authority": return "the local authority"
    case "accounts": return "the account \(quoted(parts[1]))"
    case "answering": return "the turn to answer \(parts[1])"
    case "issuing": return "the order for \(quoted(parts[1]))"
    case "edges": return "the edge \(quoted(parts[1]))"
    case "challenges": return "the challenge \(quoted(parts[1]))"
    case "transfer": return "the transfer of \(quoted(parts[1]))"
    default: return "the entry \(quoted(key))"
    }
  }
}
