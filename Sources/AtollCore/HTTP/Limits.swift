// SPDX-License-Identifier: Apache-2.0

/// Everything that a stranger can make grow, with its limit; `man atoll-serve` prints this table.
package enum Limits {
  /// Request line and field lines of one request, in bytes.
  package static let requestHead = 20_480
  /// Request target, in bytes.
  package static let target = 8_192
  /// Field lines in one head, and in one trailer section.
  package static let headerCount = 128
  /// Status line and field lines of an origin's response, in bytes.
  package static let responseHead = 32_768
  /// Chunk size line with its extensions, in bytes.
  package static let chunkLine = 1_024
  /// Field lines behind a body, in bytes; those of HTTP/2 count 32 bytes more each.
  package static let trailers = 8_192
  /// Bytes read of a request that nobody will answer, so that its viewer gets to the last response.
  package static let lingering = 1 << 20
  /// Seconds a connection may stay idle between two requests.
  package static let idleTimeout = 60
  /// Seconds from the first byte of a head to its last.
  package static let headTimeout = 10
  /// Seconds that a TLS handshake may take.
  package static let handshakeTimeout = 10
  /// Microseconds of a loop's turn after which no further handshake begins in it.
  package static let handshakeTurn: Int64 = 2_000
  /// Key updates, alerts and tickets of TLS that a peer may send on one connection: so many at once,
  /// and so many per second from then on. RFC 8446 §5.5 asks for a new key after hundreds of
  /// gigabytes.
  package static let tlsMessages = Rate(burst: 32, perSecond: 1)
  /// Seconds without a byte of body moving in either direction.
  package static let bodyTimeout = 30
  /// Requests on one viewer connection.
  package static let requestsPerConnection = 100_000
  /// Connections of one loop to one target of an origin at once.
  package static let originConnections = 512
  /// Requests of one loop that wait for a connection to a target.
  package static let waitingForOrigin = 4_096
  /// Idle connections of one loop kept per target.
  package static let idleOriginConnections = 64
  /// Addresses kept of one name of an origin.
  package static let addresses = 16
  /// Targets of one origin that one request is taken to, one after the other.
  package static let targetsPerRequest = 8
  /// Requests of all loops at once to a target that fails them, when there is no other.
  package static let lastResortRequests = 64
  /// Bytes of a response that are read for its connection's sake alone, when its request has gone to
  /// the next origin.
  package static let drainedResponse = 65_536
  /// Entries under one key that differ by Vary.
  package static let variantsPerKey = 100
  /// Field names in one response's Vary, beyond which it is treated as "*": nobody varies on that
  /// many, and each costs time on every lookup.
  package static let varyNames = 32
  /// Keys remembered whose response could not be stored.
  package static let unstorableKeys = 65_536
  /// URLs waiting to be looked for among all keys after unsafe requests.
  package static let invalidations = 1_024
  /// Exchanges that may wait for one fill.
  package static let waitersPerFill = 100_000
  /// Bytes of an uncached body that the edge holds between origin and viewer.
  package static let relayWindow = 65_536
  /// Largest share of the cache's memory that one object may take, as a divisor.
  package static let objectShare = 8
  /// Bytes of a file of certificates or of a key that an origin's TLS settings name.
  package static let originTLSFile = 1 << 20
  /// Milliseconds for which sessions of an origin are resumed before its certificate is looked at
  /// again.
  package static let originSessionLife: Int64 = 3_600_000
  /// Bytes of an error page that is read from a file.
  package static let errorPageFile = 262_144
  /// Bodies that wait for their compression or are being compressed.
  package static let compressions = 256
  /// Largest share of the memory that those bodies may hold, and the encoders beside it, as a
  /// divisor.
  package static let compressionShare = 8
  /// Names on one certificate, as CAs allow.
  package static let certificateNames = 100
  /// Bytes of one answer of a CA.
  package static let acmeResponse = 1 << 20
  /// Times that a CA may refuse a nonce of its own before a request is given up.
  package static let acmeBadNonces = 32
  /// Times that a request to a CA is repeated after a lost connection or a status of 5xx.
  package static let acmeRetries = 4
  /// Seconds that a CA has to check the proofs, and again to issue the certificate.
  package static let acmeValidation = 600
  /// Seconds that a CA may ask to be left alone for; of more, so many are kept.
  package static let acmePatience = 30 * 86_400
  /// Seconds that one call of a DNS hook may take.
  package static let dnsHookTime = 120
  /// Interim (1xx) responses before a final one.
  package static let interimResponses = 16
  /// Seconds that upgraded connections have left when the edge drains.
  package static let upgradeGrace = 3
  /// Ranges of one request; with more the request gets the whole (RFC 9110 §14.2).
  package static let ranges = 16
  /// Bytes that a range may lie ahead of a fill and still wait for it rather than be asked for on
  /// its own.
  package static let fillReach = 4 << 20
  /// Slices looked up before a response that is put together of slices begins: of a larger one it
  /// is not known whether all is stored.
  package static let slicesCounted = 1_024
  /// Bytes of what a CA's responder says about a certificate's status.
  package static let statusResponse = 65_536
  /// Bytes of the token of a CA's challenge; RFC 8555 §8.1 asks for 22 at least.
  package static let challengeToken = 128
  /// URLs remembered per edge whose origin answers ranges in its own way.
  package static let rangeHabits = 4_096
  /// Requests of one HTTP/2 connection at once.
  package static let concurrentStreams = 128
  /// Frames that continue one head of HTTP/2.
  package static let continuations = 8
  /// What the fields of one HTTP/2 head may decode to, 32 bytes for each field included, and the bytes
  /// that stand for them; more than `requestHead`, which is answered, ends the connection.
  package static let decodedHeaderList = 81_920
  /// Bytes of a request's body that an HTTP/2 viewer may send ahead of the origin.
  package static let streamWindow = 262_144
  /// Bytes of all bodies of one connection that may be sent ahead when those of all connections take
  /// their share.
  package static let connectionWindow = 1 << 20
  /// Largest share of the memory that bodies of HTTP/2 requests take before those of one connection
  /// hold each other back, as a divisor.
  package static let bodyShare = 16
  /// Acknowledgments that wait for an HTTP/2 viewer that does not read.
  package static let acknowledgments = 1_000
  /// Frames that wait for an HTTP/2 viewer that does not read, before no more of its own are read.
  package static let queuedFrames = 512
  /// Bytes of a response of HTTP/2 that have to move in each `bodyTimeout`, unless it ends.
  package static let streamProgress = 1_024
  /// Bytes of HTTP/2 that are put together before they are sent.
  package static let outputBatch = 65_536
  /// Bytes that heads may add to them.
  package static let outputHeads = concurrentStreams * responseHead + outputBatch
  /// Aliases (CNAME) from a name to what it stands for in DNS.
  package static let aliases = 16
}
