// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// Options of several verbs of cert.
enum CertOptions {
  static let domain = Option<[String]>(
    "domain", letter: "d", value: "name", repeatable: true,
    "a name it is for: shop.example, *.shop.example, an address; several by commas"
  ) { (text) throws(ValueError) in
    var names: [String] = []
    for part in text.split(separator: ",") {
      do throws(NameError) {
        names.append(try CertifiedName(String(part)).text)
      } catch {
        throw ValueError(
          text.contains(",") ? "holds \"\(part)\", which \(error.problem)" : error.problem,
          hint: error.hint)
      }
    }
    if names.isEmpty { throw ValueError("is empty", hint: "write it as shop.example") }
    return names
  }
  static let key = Option<KeyType>.choice(
    "key", default: "p256", "kind of the certificate's key")

  /// Each once, in the order given.
  static func domains(_ parsed: ParsedArguments) -> [String] {
    var domains: [String] = []
    for domain in parsed.values(domain).flatMap({ $0 }) where !domains.contains(domain) {
      domains.append(domain)
    }
    return domains
  }
}
