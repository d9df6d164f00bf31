// SPDX-License-Identifier: Apache-2.0
import CSystem
import Glibc

/// Why a name has no addresses.
package enum ResolveError: String, Error, Equatable, Sendable {
  /// The name servers say that there is none.
  case unknownName = "the name does not exist"
  case noAddress = "the name has no address"
  /// No name server answered in time, or it asked to try again.
  case noAnswer = "no name server answered"
  case failed = "the lookup failed"
}

/// The system's way from names to addresses.
package enum NameService {
  package typealias Answer = Result<[SocketAddress], ResolveError>

  /// RFC 6761 §6.3: the loopback's, whatever a name server would say.
  package static func isLocal(_ host: String) -> Bool {
    host == "localhost" || host.hasSuffix(".localhost")
  }

  package static let loopback = [
    SocketAddress(host: "127.0.0.1", port: 0)!, SocketAddress(host: "::1", port: 0)!,
  ]

  /// Blocks, without a deadline.
  /// - Parameter flags: for getaddrinfo, such as `AI_ADDRCONFIG`.
  package static func lookUp(_ host: String, flags: Int32 = 0) -> Answer {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = flags
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else { return .failure(error(ofCode: code)) }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var next = list
    while let entry = next {
      if let address = entry.pointee.ai_addr {
        let address = SocketAddress(address, length: entry.pointee.ai_addrlen)
        if !found.contains(address) { found.append(address) }
      }
      next = entry.pointee.ai_next
    }
    return found.isEmpty ? .failure(.noAddress) : .success(found)
  }

  private static func error(ofCode code: Int32) -> ResolveError {
    // glibc's EAI_NODATA and EAI_ADDRFAMILY need _GNU_SOURCE, which the importer does not have.
    switch code {
    case EAI_NONAME: .unknownName
    case -5, -9: .noAddress
    case EAI_AGAIN: .noAnswer
    default: .failed
    }
  }
}
