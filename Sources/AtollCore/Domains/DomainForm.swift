// SPDX-License-Identifier: Apache-2.0

extension ValueForm where Value == [AttachedDomain] {
  /// An object of certificates by domain; a list of domains, and one certificate for a list of
  /// certificates, are read, too.
  static let domains = ValueForm(
    kind: "object of lists of certificates", range: "at most \(ConfigLimits.domains)",
    value: { node, path, reader in
      if case .array = node.value {
        return reader.strings(node, path, example: "www.shop.example")?.map {
          AttachedDomain(name: $0)
        }
      }
      guard
        let list = reader.object(node, path, example: "{\"www.shop.example\": [\"shop\"]}")
      else { return nil }
      var domains: [AttachedDomain] = []
      for member in list {
        let place = "\(path).\(member.key)"
        var domain = AttachedDomain(name: member.key)
        switch member.node.value {
        case .null: break
        case .string(let name): domain.certificates = [name]
        default:
          domain.certificates = reader.strings(member.node, place, example: "shop") ?? []
        }
        domains.append(domain)
      }
      return domains
    },
    write: { domains, writer in
      writer.object { writer in
        for domain in domains { writer.member(domain.name, domain.certificates) }
      }
    },
    check: { domains, path, problems in
      checkList(
        domains.map(\.name), path, most: ConfigLimits.domains, fold: { $0 }, flaw: domainFlaw,
        &problems)
      for domain in domains {
        checkList(
          domain.certificates, "\(path).\(domain.name)", most: ConfigLimits.domainCertificates,
          fold: { $0 }, flaw: certificateNameFlaw, &problems)
      }
    },
    words: { domains in
      domains.isEmpty ? "none" : domains.map(\.words).joined(separator: ", ")
    })
}

extension AttachedDomain {
  /// `www.shop.example with the certificate "shop"`.
  package var words: String {
    certificates.isEmpty ? name : "\(name) with the \(certificateWords)"
  }

  package var certificateWords: String {
    certificates.count == 1
      ? "certificate \(quoted(certificates[0]))"
      : "certificates \(listed(certificates.map { quoted($0) }, "and"))"
  }
}

/// A name that a certificate of the store may have.
func certificateNameFlaw(_ name: String) -> Flaw? {
  let bytes = name.utf8
  guard let first = bytes.first, let last = bytes.last, bytes.count <= 255,
    isAlphanumeric(first), isAlphanumeric(last),
    bytes.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) })
  else {
    return (
      "is no name of a certificate", "write the name that atoll cert list shows"
    )
  }
  return nil
}

/// Of the default domain: assigned, so only a file edited by hand has anything else there.
@Sendable func defaultDomainFlaw(_ name: String) -> Flaw? {
  if let flaw = hostFlaw(name) { return (flaw, "remove it: default domains are assigned") }
  if name != name.lowercased() { return ("holds capitals", "write \(name.lowercased())") }
  return nil
}
