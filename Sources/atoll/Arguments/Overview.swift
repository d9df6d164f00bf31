// SPDX-License-Identifier: Apache-2.0

/// What is said of atoll as a whole: the head of `atoll --help` and of atoll(1).
enum Overview {
  static let summary = "run a content delivery network on machines of your own"

  static let description = [
    """
    A distribution is a site: an origin, and rules that say which of its responses are cached and \
    for how long. An edge is a running atoll serve: it answers viewers from its cache and asks the \
    origin for what it lacks.
    """,
    """
    Commands that change a distribution edit the store, a directory of plain files. Running edges \
    watch it and take a change over between two requests; the command waits until they say so.
    """,
  ]

  static let version = Option.flag(
    "version", letter: "V", readsEnvironment: false, group: CommonOptions.commonGroup,
    "print the version")

  static let examples = [
    Example(
      "atoll serve http://localhost:3000", "cache a site on port 8080, nothing else to set up"),
    Example("atoll create shop --origin http://localhost:3000", "make a distribution that lasts"),
    Example("atoll test http://localhost:8080/", "say whether a page is cached, and why not"),
    Example("atoll purge shop '/img/*'", "forget what was cached below /img/"),
  ]

  static let environment = Section(
    "Environment",
    [
      .paragraph(
        """
        Every option --some-name can be set as ATOLL_SOME_NAME; the option wins. A flag is set by \
        1 and unset by 0; the values of a repeatable option are separated by commas, unless its \
        manual says otherwise.
        """),
      .terms([
        Term("ATOLL_HOME", "the store"),
        Term("NO_COLOR", "no color, when set to anything"),
      ]),
    ])

  static let files = Section(
    "Files",
    [
      .paragraph(
        "In the store, which is $ATOLL_HOME, else /var/lib/atoll for root, else "
          + "$XDG_DATA_HOME/atoll, else ~/.local/share/atoll:"),
      .terms([
        Term("distributions/", "one file per distribution"),
        Term("certificates/", "a directory per certificate, with its chain and key"),
        Term("authority/", "the store's own certificate authority"),
        Term("accounts/", "the accounts with other authorities, with their keys"),
        Term("purges/", "the purge journal"),
        Term("secrets/", "what the edges make the cookies of sticky sessions with"),
        Term("edges/", "what each running edge has applied"),
        Term("run/", "the running edges' administration sockets"),
      ]),
    ])
}
