// SPDX-License-Identifier: Apache-2.0

/// The name of a certificate's subject or issuer (RFC 5280 §4.1.2.4).
package struct DistinguishedName: Equatable, Sendable {
  /// As it stands in the certificate.
  package let encoding: [UInt8]
  /// `CN=R11, O=Let's Encrypt, C=US`: the most particular first, as RFC 4514 has it. Empty for a
  /// name without parts.
  package let text: String
  package let commonName: String?
  package let organization: String?

  init(_ element: DERElement) throws(DERError) {
    encoding = Array(element.encoding)
    var parts: [String] = []
    var commonName: String?
    var organization: String?
    var sets = DERReader(element)
    while !sets.isAtEnd {
      var set = DERReader(try sets.next(DERTag.set))
      var attributes: [String] = []
      while !set.isAtEnd {
        var attribute = DERReader(try set.next(DERTag.sequence))
        let type = try attribute.next(DERTag.object).object()
        let value = try attribute.next().text()
        try attribute.end()
        if type == ObjectID.commonName { commonName = value }
        if type == ObjectID.organization { organization = value }
        attributes.append("\(ObjectID.attributes[type] ?? type)=\(Self.escaped(value))")
      }
      parts.append(attributes.joined(separator: "+"))
    }
    text = parts.reversed().joined(separator: ", ")
    self.commonName = commonName
    self.organization = organization
  }

  /// What messages call it.
  package var shortText: String { commonName ?? organization ?? (text.isEmpty ? "no name" : text) }

  /// RFC 4514 §2.4; control characters are spelled out, since the text reaches terminals.
  private static func escaped(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars {
      if scalar.isControl {
        text += scalar.escaped
      } else {
        if ",+\"\\<>;".unicodeScalars.contains(scalar) { text += "\\" }
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// A name of these parts; nil ones are left out.
  static func encode(organization: String? = nil, commonName: String?) -> [UInt8] {
    func part(_ type: String, _ value: String?) -> [UInt8] {
      guard let value else { return [] }
      return DER.set(DER.sequence(DER.object(type), DER.utf8(value)))
    }
    return DER.sequence(
      part(ObjectID.organization, organization), part(ObjectID.commonName, commonName))
  }
}
