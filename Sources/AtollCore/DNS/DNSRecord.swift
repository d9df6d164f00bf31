// SPDX-License-Identifier: Apache-2.0

/// What is asked for: the types that the commands know (RFC 1035 §3.2.2, RFC 3596, RFC 8659).
package enum DNSRecordType: UInt16, Sendable, CaseIterable {
  case a = 1
  case ns = 2
  case cname = 5
  case soa = 6
  case mx = 15
  case txt = 16
  case aaaa = 28
  case caa = 257

  /// As zone files call it.
  package var name: String { "\(self)".uppercased() }
}

/// One resource record.
package struct DNSRecord: Equatable, Sendable {
  package var name: DNSName
  /// Seconds that it may be kept.
  package var lifetime: UInt32
  package var data: DNSData

  package init(name: DNSName, lifetime: UInt32, data: DNSData) {
    self.name = name
    self.lifetime = lifetime
    self.data = data
  }
}

package enum DNSData: Equatable, Sendable {
  case a(IPAddress)
  case aaaa(IPAddress)
  case ns(DNSName)
  case cname(DNSName)
  case soa(primary: DNSName, mailbox: DNSName, serial: UInt32, minimum: UInt32)
  case mx(preference: UInt16, DNSName)
  /// Its strings put together, as who looks for a value wants them (RFC 7208 §3.3).
  case txt([UInt8])
  case caa(isCritical: Bool, tag: String, value: [UInt8])
  case other(type: UInt16, [UInt8])

  package var type: UInt16 {
    switch self {
    case .a: DNSRecordType.a.rawValue
    case .aaaa: DNSRecordType.aaaa.rawValue
    case .ns: DNSRecordType.ns.rawValue
    case .cname: DNSRecordType.cname.rawValue
    case .soa: DNSRecordType.soa.rawValue
    case .mx: DNSRecordType.mx.rawValue
    case .txt: DNSRecordType.txt.rawValue
    case .caa: DNSRecordType.caa.rawValue
    case .other(let type, _): type
    }
  }

  /// Of A and AAAA.
  package var address: IPAddress? {
    switch self {
    case .a(let address), .aaaa(let address): address
    default: nil
    }
  }
}
