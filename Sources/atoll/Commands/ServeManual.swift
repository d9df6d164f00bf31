// SPDX-License-Identifier: Apache-2.0
import AtollCore

/// What the manual of `atoll serve` tells besides its options.
enum ServeManual {
  static let sections = [
    Section(
      "Signals",
      [
        .terms([
          Term(
            "SIGTERM, SIGINT",
            "stop accepting, finish what is under way within --drain-timeout, exit with 0; a second "
              + "one ends at once"),
          Term(
            "SIGHUP",
            "read the store again, reopen the access log and the GeoIP database; replace that by "
              + "renaming, never write into it"),
        ])
      ]),
    Section(
      "Limits",
      [
        .paragraph("What viewers and origins can make grow ends here:"),
        .terms([
          Term(Quantity.size(Limits.requestHead), "request line and header fields; 431 beyond"),
          Term(Quantity.size(Limits.target), "the request's URL; 414 beyond"),
          Term("\(Limits.headerCount)", "header fields of one message; 431 beyond"),
          Term(Quantity.size(Limits.responseHead), "head of an origin's response; 502 beyond"),
          Term(Quantity.size(Limits.chunkLine), "a chunk's size line with its extensions"),
          Term(Quantity.size(Limits.trailers), "trailers of a chunked body"),
          Term(Quantity.duration(Limits.idleTimeout), "between two requests of a connection"),
          Term(Quantity.duration(Limits.headTimeout), "for a request's head to arrive; 408 beyond"),
          Term(Quantity.duration(Limits.bodyTimeout), "without a byte of a body moving"),
          Term("\(Limits.requestsPerConnection)", "requests on one connection"),
          Term("\(Limits.originConnections)", "connections of one loop to one origin address"),
          Term("\(Limits.idleOriginConnections)", "of these, idle ones that are kept"),
          Term("\(Limits.variantsPerKey)", "entries of one URL that differ by Vary"),
          Term("\(Limits.waitersPerFill)", "viewers that wait for one fetch"),
          Term(
            "1/\(Limits.objectShare) of --memory", "the largest response that is stored"),
          Term(Quantity.size(Limits.relayWindow), "held of a response that is not stored"),
          Term("\(Limits.interimResponses)", "interim (1xx) responses before a final one"),
        ]),
      ]),
  ]
}
