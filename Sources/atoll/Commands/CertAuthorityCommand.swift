// SPDX-License-Identifier: Apache-2.0
import AtollCore

enum CertAuthorityCommand: Command {
  static let definition = CommandDefinition(
    name: "cert authority", summary: "print the root of the store's own authority",
    description: [
      """
      The root's certificate goes to stdout as PEM, and how to trust it to stderr. It is made on \
      the first use, for ten years, and signs what atoll cert create --local asks for, and the \
      certificates of the distributions' default domains. Whoever can read the store's directory \
      authority/ can make certificates that its believers accept: keep it as you keep your keys.
      """
    ],
    options: [CommonOptions.json.definition],
    examples: [
      Example("atoll cert authority > atoll-ca.pem", "keep the root in a file"),
      Example(
        "atoll cert authority -q | sudo tee /usr/local/share/ca-certificates/atoll.crt && "
          + "sudo update-ca-certificates", "trust it on Debian and Ubuntu"),
    ],
    details: [
      Section(
        "Trusting it",
        [
          .paragraph("With the root in the file atoll-ca.pem, and on the machines of the viewers:"),
          .terms(TrustGuide.steps("atoll-ca.pem").map { Term($0.place, $0.how) }),
        ])
    ],
    seeAlso: ["cert create", "serve"])

  static func run(_ parsed: ParsedArguments, console: Console) throws {
    let workspace = try Workspace.open(parsed)
    let store = workspace.certificates.store
    let root = try LocalAuthority(store).root(now: Clock.now())
    let certificate = root.certificate
    let path = store.path(of: "certificate", in: LocalAuthority.key)
    if parsed[CommonOptions.json] {
      console.print(
        .result([
          "subject": .string(certificate.subject.text),
          "serial": .string(Digest.hex(certificate.serial)),
          "issued": .string(RFC3339.format(seconds: certificate.notBefore)),
          "expires": .string(RFC3339.format(seconds: certificate.notAfter)),
          "keyAlgorithm": .string(certificate.publicKey.algorithm.text),
          "fingerprint": .string(Digest.hex(certificate.fingerprint)),
          "pem": .string(certificate.pem), "path": .optional(path),
          "trust": .array(
            TrustGuide.steps(path ?? "atoll-ca.pem").map {
              ["place": .string($0.place), "how": .string($0.how)]
            }),
        ]))
      return
    }
    console.write(certificate.pem)
    console.note(
      "\(certificate.subject.shortText), until \(RFC3339.format(seconds: certificate.notAfter))")
    console.note("SHA-256 \(Digest.hex(certificate.fingerprint, separator: ":"))")
    if let path { console.note("it is in \(path)") }
    console.note("to trust it, on the machines of the viewers:")
    for step in TrustGuide.steps(path ?? "atoll-ca.pem") {
      console.note("  \(step.place): \(step.how)")
    }
  }
}

/// How the systems of viewers are brought to trust a root.
enum TrustGuide {
  static func steps(_ file: String) -> [(place: String, how: String)] {
    let name = shellWord(file)
    return [
      (
        "Debian, Ubuntu",
        "sudo install -m 644 \(name) /usr/local/share/ca-certificates/atoll.crt && "
          + "sudo update-ca-certificates"
      ),
      (
        "Fedora, RHEL",
        "sudo install -m 644 \(name) /etc/pki/ca-trust/source/anchors/atoll.pem && "
          + "sudo update-ca-trust"
      ),
      ("Arch", "sudo trust anchor --store \(name)"),
      (
        "macOS",
        "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain "
          + name
      ),
      ("Windows", "certutil -addstore -f ROOT \(name), as administrator"),
      (
        "Firefox",
        "Settings, Privacy & Security, Certificates, View Certificates, Authorities, Import"
      ),
      (
        "Chromium on Linux",
        "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n atoll -i \(name) (of libnss3-tools)"
      ),
      ("curl", "curl --cacert \(name) https://..."),
    ]
  }
}

/// As one word for a shell, which takes others apart.
func shellWord(_ text: String) -> String {
  let isPlain = text.utf8.allSatisfy { isAlphanumeric($0) || "/._-+".utf8.contains($0) }
  return isPlain ? text : "'\(text.replacing("'", with: "'\\''"))'"
}
