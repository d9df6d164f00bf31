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
      "Certificates",
      [
        .paragraph(
          "Viewers who speak TLS are shown the store's certificates, each for the names on it; where "
            + "several are for one name, the one that atoll domain attach named. What a command or "
            + "a renewal changes is in use from the next handshake on, and open connections stay. A "
            + "certificate that is damaged, or has another's key, leaves its former version in use: "
            + "atoll show and the log tell why."),
        .paragraph(
          "Default domains (<name>.atoll.localhost and <id>.atoll.localhost, or below the store's "
            + "base domain), localhost and 127.0.0.1 work from the first start: the edge has the "
            + "store's own authority issue a certificate \"\(DefaultCertificate.name)\" for them. "
            + "atoll cert authority tells how to trust it. Where the store can't be written, one "
            + "that signs itself takes its place."),
        .paragraph(
          "One edge of a store renews what is due, on a thread of its own: certificates of ACME "
            + "servers at two thirds of their lifetime, spread a little, or when the CA says (ARI); "
            + "those of the store's own authority after 60 of their 90 days. A renewal that fails "
            + "is told in the log and tried again, later each time; what is in use is not touched. "
            + "Imported certificates are yours to renew: atoll cert import. From 14 days before its "
            + "end the log warns of a certificate once a day, earlier than that of none, and for "
            + "those that live for days only when a quarter of their time is left; atoll metrics "
            + "tells the end of each."),
        .paragraph(
          "Challenges of a CA (ACME http-01 and tls-alpn-01) that a command or a renewal has posted "
            + "in the store are answered before all redirects and distributions. Where a certificate "
            + "names an OCSP responder, its answer is fetched, verified and shown along with it "
            + "(stapling), and renewed in the middle of its time."),
        .paragraph(
          "Who is redirected to https from a port of the edge's own gets to the edge's own port for "
            + "TLS; from any other port, which something before the edge has mapped, to the usual "
            + "one, 443."),
      ]),
    Section(
      "Origins",
      [
        .paragraph(
          "An origin may have several targets, which share its requests in turn, by the fewest "
            + "requests under way (of all loops of this edge), or by a hash of the cache key: then "
            + "a URL keeps its target, and only the URLs of a target that leaves move."),
        .paragraph(
          "A target whose requests fail one after the other (refused, without an answer in time, "
            + "broken off, or answered with 502, 503 or 504) is ejected: it gets no requests for a "
            + "while, which doubles with each time up to 5 minutes. Then a single request that can "
            + "be repeated tries it; the others stay away until that one is answered, and after it "
            + "the target gets a tenth of its share at first, all of it "
            + "\(Quantity.duration(Int(TargetHealth.ramp / 1000))) later. Health checks take a "
            + "target out and bring it back apart from that. When every target of an origin is "
            + "down they are asked all the same, as the checks may be wrong about them; but "
            + "those that fail requests get no more than \(Limits.lastResortRequests) at once, and "
            + "the rest are answered with 503 (or what is stored), so that an origin that is back "
            + "is not buried at once."),
        .paragraph(
          "What could not be sent goes to the next address, then to the next target. After "
            + "something was sent, only safe methods without a body are sent again: at once when a "
            + "kept connection turns out closed, to another target when a new one is closed "
            + "without an answer; and after silence for GET and HEAD as often as the origin's "
            + "attempts say."),
        .paragraph(
          "The members of an origin group are asked in their order, for GET, HEAD and OPTIONS: the "
            + "next one when a member cannot be reached, keeps silent, sends no readable head, or "
            + "answers with one of the chosen statuses. Each request begins with the first; a "
            + "member is passed over only while every target of it is known to be down. The last "
            + "member's answer is the viewer's, unless a stored response may stand in for it."),
        .paragraph(
          "A sticky session's cookie is set with responses that are not stored, when the viewer "
            + "has none or its target is down. Its value is a hash under a secret that the edges of "
            + "a store share. A response that may be stored bears no cookie: others on its way "
            + "might store both."),
      ]),
    Section(
      "HTTPS",
      [
        .paragraph(
          "Viewers who speak TLS are shown the certificate for the name that they ask for: one that "
            + "a domain was attached with before others, the name itself before a wildcard, and of "
            + "two with keys of one type the one that expires last; certificates with RSA and ECDSA "
            + "keys stand side by side. Who names no host gets the first. A name without certificate "
            + "ends the handshake with the alert unrecognized_name; a request for a host that is not "
            + "on the certificate of its connection is answered with 421. Certificates that change "
            + "are taken over at once, and connections go on with what they were shown."),
        .terms([
          Term(
            "modern",
            "TLS 1.3 alone: every browser since 2019. Mozilla's configuration of that name"),
          Term(
            "intermediate",
            "TLS 1.2 as well, with ECDHE and AES-GCM or ChaCha20-Poly1305. Mozilla's, without its "
              + "finite-field groups"),
        ]),
        .paragraph(
          "Among groups (X25519, P-256, P-384) the viewer chooses, and among TLS 1.2's ciphers; of "
            + "TLS 1.3's the first of AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305 that the viewer "
            + "offers is taken, and ChaCha20 for one that has it first. Sessions are resumed by "
            + "ticket for a day, under the name that they began with; the keys of tickets are made "
            + "in memory, change every 12 hours, are shared by all loops and end with the process. An "
            + "OCSP response is stapled where the certificate has one. Neither renegotiation nor "
            + "compression nor early data is spoken. A request in the clear on such a port is answered "
            + "with 400 and a hint."),
      ]),
    Section(
      "Where viewers are",
      [
        .paragraph(
          """
          --geo-database opens a file in MaxMind's format: GeoLite2-Country, GeoLite2-City, or one of \
          another maker. A distribution with a geo restriction, with the country in its keys, or \
          that sends its origin one of the CloudFront-Viewer headers about a place is refused \
          without it: what was served before stays in use, and atoll show tells why.
          """)
      ]),
    Section(
      "HTTP/2",
      [
        .paragraph(
          """
          A viewer that begins with HTTP/2 (prior knowledge, as curl --http2-prior-knowledge) gets \
          it on every address in the clear. What is served, stored and logged is the same as over \
          HTTP/1.1. Responses go by their priority (RFC 9218), WebSocket passes in a stream (RFC \
          8441), CONNECT to elsewhere is refused. Who floods \
          the edge with frames, withdraws requests as fast as it sends them, or takes no response, \
          loses its stream or its connection; atoll metrics tells how often and why.
          """)
      ]),
    Section(
      "Trailers",
      [
        .paragraph(
          """
          Fields behind a chunked body, or behind the last data of HTTP/2, go on in both directions. \
          A viewer gets those of a response when it says TE: trailers, which the origin is then \
          told, too, and when it reads the response as it comes from the origin: alone, or together \
          with others who asked for the same. What is stored has none, so hits, ranges, compressed \
          forms, error pages and answers to HEAD have none. The origin gets those of a request \
          whose length is not known before. Fields that have to be known before the body never pass \
          behind it: those that frame, route or authenticate a message, change a request, control a \
          cache or say how to read the content (RFC 9110 section 6.5.1); nor does what Connection \
          names or the settings remove, replace or do not forward. Trailer names the others. With a \
          trailer section that is malformed, too large or broken off, a response is incomplete and \
          is not stored, and a request gets 400.
          """)
      ]),
    Section(
      "Access log",
      [
        .paragraph(
          """
          Each request leaves a line when it ends. Its status is the one that was sent, 0 when \
          none was; how the request ended and why stands in cache and reason, or before the \
          request's id in a combined line, in the words of atoll metrics. A response that was cut \
          short has the status that it began with, the bytes that went out, error, and as reason:
          """),
        .terms([
          Term("slow-reader", "the viewer did not take it in time"),
          Term(
            "request-timeout, bad-request",
            "meanwhile the viewer let the body of its request stall, or broke it off"),
          Term("origin-closed, origin-timeout, origin-bad-response", "the origin broke off"),
        ]),
        .paragraph(
          "A viewer that leaves by itself is no error: the line tells how many bytes it has got."),
      ]),
    Section(
      "Limits",
      [
        .paragraph("What viewers and origins can make grow ends here:"),
        .terms([
          Term(Quantity.size(Limits.requestHead), "request line and header fields; 431 beyond"),
          Term(Quantity.size(Limits.target), "the request's URL; 414 beyond"),
          Term(
            "\(Limits.headerCount)",
            "header fields of one message; 431 beyond. As many of its trailers"),
          Term(Quantity.size(Limits.responseHead), "head of an origin's response; 502 beyond"),
          Term(Quantity.size(Limits.chunkLine), "a chunk's size line with its extensions"),
          Term(
            Quantity.size(Limits.trailers),
            "trailers of one message; with HTTP/2 32 bytes more for each, and its connection ends "
              + "beyond"),
          Term(Quantity.duration(Limits.idleTimeout), "between two requests of a connection"),
          Term(Quantity.duration(Limits.headTimeout), "for a request's head to arrive; 408 beyond"),
          Term(Quantity.duration(Limits.handshakeTimeout), "for a TLS handshake"),
          Term(
            "\(Limits.handshakeTurn / 1000) ms",
            "of TLS handshakes in one turn of a loop; the others wait for the next one"),
          Term(
            "\(Limits.tlsMessages.burst)",
            "new keys and alerts that one connection over TLS may send at once, and "
              + "\(Limits.tlsMessages.perSecond) each second; it ends beyond"),
          Term(Quantity.duration(Limits.bodyTimeout), "without a byte of a body moving"),
          Term(
            Quantity.size(Limits.lingering),
            "read of a request that is refused, before it is cut off"),
          Term("\(Limits.requestsPerConnection)", "requests on one connection"),
          Term(
            "\(Limits.concurrentStreams)",
            "requests at once on one connection of HTTP/2; more are refused, and may be sent again"),
          Term(
            Quantity.size(Limits.decodedHeaderList),
            "fields of one request of HTTP/2, 32 bytes more for each; its connection ends beyond"),
          Term(
            "\(Limits.continuations)", "frames that continue a head; the connection ends beyond"),
          Term(
            Quantity.size(Limits.streamWindow),
            "of a body that an HTTP/2 viewer sends ahead of the origin; "
              + "\(Quantity.size(Limits.connectionWindow)) of all bodies of one connection, once "
              + "those of all take a \(Limits.bodyShare)th of the memory"),
          Term(
            Quantity.size(Limits.streamProgress),
            "of a response that an HTTP/2 viewer has to take in "
              + "\(Quantity.duration(Limits.bodyTimeout)); its stream is cancelled"),
          Term(
            "\(Limits.acknowledgments)",
            "acknowledgments that wait for an HTTP/2 viewer; its connection ends beyond"),
          Term(
            "\(Limits.queuedFrames)",
            "frames that wait for an HTTP/2 viewer that does not read; of its own no more are read"),
          Term(
            Quantity.size(Limits.outputBatch), "put together for an HTTP/2 viewer before it is sent"
          ),
          Term(Quantity.size(Limits.outputHeads), "the same with the heads of all its streams"),
          Term("\(Limits.originConnections)", "connections of one loop to one target of an origin"),
          Term("\(Limits.idleOriginConnections)", "of these, idle ones that are kept"),
          Term("\(Limits.waitingForOrigin)", "requests of one loop that wait for one; 503 beyond"),
          Term("\(Limits.addresses)", "addresses of one name"),
          Term("\(Limits.aliases)", "aliases (CNAME) that the commands follow from one name"),
          Term("\(Limits.targetsPerRequest)", "targets of one origin that a request is taken to"),
          Term(
            "\(Limits.lastResortRequests)",
            "requests at once to a target that fails them, when there is no other; 503 beyond"),
          Term(
            Quantity.size(Limits.drainedResponse),
            "read of a response that is not used, to keep its connection"),
          Term("\(Limits.variantsPerKey)", "entries of one URL that differ by Vary"),
          Term("\(Limits.varyNames)", "names in one Vary; with more it counts as *"),
          Term(
            "\(Limits.unstorableKeys)",
            "URLs of which is remembered that they are not stored, so that nobody waits for them"),
          Term(
            "\(Limits.invalidations)",
            "URLs that wait to be removed after unsafe requests; others live out their time"),
          Term("\(Limits.waitersPerFill)", "viewers that wait for one fetch"),
          Term(
            "1/\(Limits.objectShare) of --memory", "the largest response that is stored"),
          Term(
            "\(Limits.compressions)",
            "responses that wait for their compression, with no more bytes than "
              + "1/\(Limits.compressionShare) of --memory; others are compressed when they are asked for again"
          ),
          Term(Quantity.size(Limits.relayWindow), "held of a response that is not stored"),
          Term(Quantity.size(Limits.errorPageFile), "an error page that is read from a file"),
          Term(
            Quantity.size(Limits.originTLSFile),
            "a file of certificates or of a key for TLS to origins"),
          Term(
            Quantity.duration(Int(Limits.originSessionLife / 1000)),
            "resuming an origin's TLS sessions before its certificate is looked at again"),
          Term("\(Limits.interimResponses)", "interim (1xx) responses before a final one"),
          Term("\(Limits.ranges)", "ranges of one request; with more it gets the whole"),
          Term(
            Quantity.size(Limits.fillReach),
            "ahead of a fetch that a range still waits for it, not asked for on its own"),
          Term(
            "\(Limits.slicesCounted)",
            "slices looked up before a response of slices begins, to say whether all are stored"),
          Term(
            "\(Limits.rangeHabits)", "URLs of which is remembered how their origin takes ranges"),
          Term(
            Quantity.size(Limits.statusResponse),
            "what a CA's responder says about a certificate's status (OCSP)"),
          Term(
            "\(Limits.challengeToken)", "characters of the token of a CA's challenge (ACME)"),
          Term("\(Limits.certificateNames)", "names on one certificate"),
          Term(Quantity.size(Limits.acmeResponse), "one answer of a CA"),
          Term(
            "\(Limits.acmeBadNonces)",
            "nonces of its own that a CA may refuse before a request to it is given up"),
          Term(
            "\(Limits.acmeRetries)",
            "times that a request to a CA is repeated after a lost connection or a status of 5xx"),
          Term(
            Quantity.duration(Limits.acmeValidation),
            "for a CA to check the proofs, and again to issue"),
          Term(
            Quantity.duration(Limits.acmePatience), "that a CA may ask to be left alone for"),
          Term(Quantity.duration(Limits.dnsHookTime), "for one call of a DNS hook"),
          Term(
            Quantity.duration(Limits.upgradeGrace), "left to upgraded connections by a drain"),
        ]),
      ]),
  ]
}
