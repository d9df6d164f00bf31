// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// `atoll domain`: the names that distributions answer for.
enum DomainCommand: CommandGroup {
  static let verbs: [any Command.Type] = [
    DomainAttachCommand.self, DomainDetachCommand.self, DomainListCommand.self,
    DomainRecordsCommand.self, DomainCheckCommand.self, DomainBaseCommand.self,
  ]

  static let definition = CommandDefinition(
    name: "domain", summary: "keep the domains that distributions answer for",
    description: [
      """
      Every distribution has a default domain, <id>.<base domain>, assigned when it is made and \
      kept for life, and answers under <name>.<base domain>, too. Domains of your own are attached \
      to it: each to one distribution, with a certificate that covers it. *.shop.example stands \
      for everything below shop.example; where several fit, the most specific decides.
      """,
      """
      What is detached gets 403 from then on. A domain that no distribution ever had gets 421, \
      unless one answers for every host, see serve.
      """,
      """
      Names are written as in DNS: of one with letters beyond ASCII its A-label, such as \
      xn--bcher-kva.example, which the error message tells.
      """,
    ],
    examples: [
      Example(
        "atoll domain attach shop shop.example www.shop.example",
        "serve both with the certificate that covers them"),
      Example(
        "atoll domain records shop --ip 203.0.113.5", "print what to add to the zone's file"),
      Example("atoll domain check shop", "see whether DNS, certificate and edge agree"),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["cert", "create", "serve"], pages: ["atoll-distribution(5)"],
    verbs: verbs.map { $0.definition })

  static let distribution = ArgumentDefinition(
    "distribution", "the distribution that answers", completes: .distribution)

  /// The domains of a command line in their normal form, each once.
  static func domains(_ texts: some Sequence<String>) throws(CommandError) -> [String] {
    var domains: [String] = []
    var problems: [CommandError.Problem] = []
    for text in texts {
      let domain = normalizedDomain(text)
      if let flaw = domainFlaw(domain) {
        problems.append(.init(message: "\"\(text)\" \(flaw.what)", hint: flaw.hint))
      } else if !domains.contains(domain) {
        domains.append(domain)
      }
    }
    if !problems.isEmpty { throw CommandError(problems, code: .usage) }
    return domains
  }
}
