// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// `atoll cert`: the certificates of the store.
enum CertCommand: CommandGroup {
  static let verbs: [any Command.Type] = [
    CertEnsureCommand.self, CertCreateCommand.self, CertImportCommand.self, CertListCommand.self,
    CertShowCommand.self, CertRenewCommand.self, CertDeleteCommand.self, CertAuthorityCommand.self,
  ]

  static let definition = CommandDefinition(
    name: "cert", summary: "keep certificates for the distributions' domains",
    description: [
      """
      A certificate has a name in the store, the domains it is for, a chain and a private key. \
      Running edges take a new one over at once, without losing a connection, and choose for each \
      viewer the one that covers the domain asked for. The commands that change something wait \
      until they say so.
      """,
      """
      A certificate comes from a CA that speaks ACME, such as Let's Encrypt (ensure), is made by \
      the store's own authority, whose root viewers have to trust first (create), or is imported \
      from files. The edges renew all but the imported ones, after two thirds of their life.
      """,
    ],
    examples: [
      Example(
        "atoll cert ensure shop --domain shop.example",
        "have a certificate that every browser believes, and keep it"),
      Example("atoll cert list", "every certificate with its state, domains and expiry"),
      Example("atoll cert show shop", "one in full, and where it is used"),
    ],
    details: [
      Section(
        "Status",
        [
          .terms(
            CertificateStatus.allCases.map { Term($0.text, meaning(of: $0)) })
        ]),
      Section(
        "Files",
        [
          .paragraph(
            """
            In the store, certificates/<name>/ has certificate.pem (the chain, the certificate \
            first), key.pem and certificate.json. Other programs may read them; the directory is \
            replaced in one step, so that both files always belong together. Keys are for their \
            owner alone, and no command prints them.
            """),
          .paragraph(
            """
            Where certificate.json can't be read any more, import, ensure and create with the \
            certificate's name put another in its place, in use or not.
            """),
        ]),
    ],
    exitCodes: [.done, .failed, .usage, .unconfirmed, .interrupted],
    seeAlso: ["domain", "serve", "show"], verbs: verbs.map { $0.definition })

  private static func meaning(of status: CertificateStatus) -> String {
    switch status {
    case .pendingValidation: "it is asked for, and the CA has not issued it yet"
    case .validationTimedOut: "it was not issued within 72 hours"
    case .valid: "it can be used now"
    case .notYetValid: "its time has not begun"
    case .expired: "its time is over"
    case .damaged:
      "a file of it can't be read, or the key is not the certificate's: edges that run show what "
        + "they had before, and others nothing of it"
    }
  }
}
