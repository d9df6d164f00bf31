// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the manual says of proofs, hooks, accounts and failures.
enum IssueManual {
  static let sections = [hook, manual, renewal, accounts, failures]

  private static let hook = Section(
    "DNS hooks",
    [
      .paragraph(
        """
        The command of --dns-hook is run by /bin/sh once for each record, with two words and two \
        values at its end: present or cleanup, the record's name, its value. It reads nothing, and \
        has \(Limits.dnsHookTime) seconds; exit code 0 says that it has done it, any other that it \
        has not, and what it printed is told. cleanup comes also after a failure and an interrupt, \
        and for records whose creation failed. The edges that renew run it, too, wherever they were \
        started: name files by their full paths. There may be several records of one name at a time: \
        add one, remove that one.
        """),
      .terms([
        Term("ACME_ACTION", "present or cleanup"),
        Term("ACME_DOMAIN", "the domain that is proven, without the *. of a wildcard"),
        Term(
          "ACME_RECORD",
          "the name of the TXT record: _acme-challenge below the domain, or where a CNAME there "
            + "leads, so that another zone can be kept for this"),
        Term("ACME_VALUE", "its value"),
        Term("ACME_ZONE", "the zone that holds the record, where it was found"),
        Term("ACME_SERVER", "the server that the zone is changed at, where it was found"),
      ]),
      .paragraph(
        """
        Afterwards every name server of the zone is asked until all have the record, for as long \
        as --dns-timeout says, and only then the CA is told. With nsupdate, of BIND and others \
        that take RFC 2136:
        """),
      .code([
        "#!/bin/sh",
        "case $1 in",
        "  present) change=\"add $2. 60 TXT $3\" ;;",
        "  cleanup) change=\"del $2. TXT $3\" ;;",
        "esac",
        "nsupdate -k /etc/atoll/dns.key <<END",
        "server ${ACME_SERVER:-localhost}",
        "update $change",
        "send",
        "END",
      ]),
    ])

  private static let manual = Section(
    "DNS by hand",
    [
      .paragraph(
        """
        Without a hook the records are printed as a zone file has them, and this waits until the \
        name servers have them: on a terminal, or anywhere with --wait. A certificate that needs a \
        person can't be renewed by an edge.
        """)
    ])

  private static let renewal = Section(
    "Renewal",
    [
      .paragraph(
        """
        A certificate is due at two thirds of its life, or when the CA says (RFC 9773); the moment \
        is spread so that not all fall due at once. Running edges renew it then, one edge of the \
        store at a time. After tries that failed the next one waits a minute, then longer, up to a \
        day, and as long as the CA asks for; --now tries at once. How the domains are proven is \
        kept of the last cert ensure: --http, --validation-port, --dns-hook, --dns-server and \
        --dns-timeout need not be repeated. What cert renew is given holds for that run alone.
        """)
    ])

  private static let accounts = Section(
    "Accounts",
    [
      .paragraph(
        """
        The store keeps one account for each CA, with a key of its own, which its owner alone can \
        read. A CA that wants an account you have with it already hands out a key and its secret: \
        --eab-key-id and --eab-hmac-file, which are needed once. The CA's roots are verified with \
        the system's, or with --acme-ca.
        """)
    ])

  private static let failures = Section(
    "Failures",
    [
      .paragraph(
        """
        What a CA refuses is told in its words, with what to do about it. A failed order changes \
        nothing that is served. Other domains or keys count from the moment that their certificate \
        is there; until then the ones before stay.
        """)
    ])
}
