// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a domain to be attached, as the end of a sentence that begins with it, and
/// the fix; nil when nothing is.
package func domainFlaw(_ name: String) -> (what: String, hint: String)? {
  if name.isEmpty { return ("names no domain", "write a name such as www.shop.example") }
  if name.contains("://") || name.contains("/") {
    return ("is a URL", "write the host name alone")
  }
  if isIPv4(name) || isIPv6(name) || name.hasPrefix("[") {
    return (
      "is an address",
      "attach a name; under an address the only distribution, or serve --default-distribution's, answers"
    )
  }
  if name.contains(":") { return ("has a port", "write the name alone: every port answers for it") }
  if !name.utf8.allSatisfy({ $0 < 0x80 }) {
    return (
      "is not written as in DNS",
      asciiForm(of: name).map { "write its A-label: \($0)" }
        ?? "write its A-label, which begins with xn--"
    )
  }
  if name.hasSuffix(".") { return ("ends with a dot", "write \(name.dropLast())") }
  var rest = name[...]
  if rest.hasPrefix("*.") {
    rest = rest.dropFirst(2)
    if !rest.contains(".") {
      return ("stands for a whole top-level domain", "write it like *.shop.example")
    }
  }
  if rest.contains("*") {
    return ("has a * other than for its whole first label", "write it like *.shop.example")
  }
  if rest.contains("_") { return ("holds a _, which no host name has", "choose another name") }
  if let flaw = hostFlaw(String(rest)) { return (flaw, "write a name such as www.shop.example") }
  if name.utf8.count > 253 { return ("is longer than 253 characters", "choose a shorter name") }
  if name != name.lowercased() { return ("holds capitals", "write \(name.lowercased())") }
  // RFC 3696 §2: a last label of digits would make it an address.
  if rest.split(separator: ".").last?.utf8.allSatisfy(isDigit) ?? true {
    return ("ends in a number", "write a name such as www.shop.example")
  }
  if rest == Distribution.standardBase || rest.hasSuffix(".\(Distribution.standardBase)") {
    return (
      "is the distributions' own", "ask for it as it is: every distribution has its names there"
    )
  }
  return nil
}

/// A domain as it is attached, from what people write: capitals and the root's dot don't count.
package func normalizedDomain(_ text: String) -> String {
  let lower = text.utf8.allSatisfy { $0 < 0x80 } ? text.lowercased() : text
  return lower.hasSuffix(".") && lower.utf8.count > 1 ? String(lower.dropLast()) : lower
}

/// The name with A-labels for U-labels (RFC 5890 §2.3.2.1), for a hint: nil where the name would
/// have to be normalized first, which takes tables that are not here, or can't be one.
package func asciiForm(of name: String) -> String? {
  var labels: [String] = []
  for label in name.lowercased().split(separator: ".", omittingEmptySubsequences: false) {
    if label.utf8.allSatisfy({ $0 < 0x80 }) {
      labels.append(String(label))
      continue
    }
    guard let encoded = Punycode.label(label), encoded.utf8.count <= 63 else { return nil }
    labels.append(encoded)
  }
  return labels.joined(separator: ".")
}
