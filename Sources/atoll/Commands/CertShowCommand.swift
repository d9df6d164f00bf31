// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CertShowCommand: Command {
  private static let pem = Option.flag(
    "pem", excludes: ["json"], "print the chain itself, as PEM")

  static let definition = CommandDefinition(
    name: "cert show", summary: "show a certificate in full",
    description: [
      """
      Its names, issuer, serial number, algorithms, dates and fingerprint, where a CA looks for \
      the proof of its domains, how it is renewed, and the distributions that use it. The private \
      key is never shown.
      """
    ],
    arguments: [
      ArgumentDefinition("name", "the certificate to show", completes: .certificate)
    ],
    options: [CommonOptions.json.definition, pem.definition],
    examples: [
      Example("atoll cert show shop", "read it"),
      Example("atoll cert show shop --pem | openssl x509 -noout -text", "see all that is in it"),
    ],
    seeAlso: ["cert list", "show"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let certificate = try workspace.certificate(parsed.arguments[0])
    if parsed[pem] {
      guard let chain = certificate.chain else {
        throw CommandError.failed(
          "the certificate \"\(certificate.name)\" is not issued yet",
          hint: "see atoll cert show \(certificate.name)")
      }
      console.write(chain)
      return
    }
    let view = CertificateView(certificate, in: try .init(workspace))
    if parsed[CommonOptions.json] {
      console.print(.result(["certificate": view.json(isFull: true)]))
    } else {
      console.write(view.details().text(console))
    }
    if let flaw = view.flaw { console.warn(flaw.message, hint: flaw.hint) }
  }
}
