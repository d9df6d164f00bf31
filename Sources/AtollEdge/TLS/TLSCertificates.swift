// SPDX-License-Identifier: Apache-2.0
import AtollCore
import CTLS

/// The certificates that an edge shows, by the names they are for; immutable, like the configuration
/// beside it. Handshakes under way end with those they began with.
package final class TLSCertificates: Sendable {
  /// A certificate that cannot be used, and why.
  package struct Refusal: Equatable, Sendable {
    package var name: String
    package var reason: String

    package init(name: String, reason: String) {
      self.name = name
      self.reason = reason
    }
  }

  package let refused: [Refusal]
  package var isEmpty: Bool { fallback == nil }
  /// Begins every connection; it has no certificate of its own.
  let front: TLSContext
  /// For viewers that name no host, as those do that know only an address.
  let fallback: CertificateContext?
  private let preferred: ServerNames<CertificateContext>
  private let natural: ServerNames<CertificateContext>
  private let challenges: [String: CertificateContext]

  /// Of several certificates for a name those count that prefer it, then those that bear it as it is,
  /// then those with a wildcard for it; of several with keys of one type the one that expires last.
  /// - Parameter certificates: the first one is shown to viewers that name no host.
  package init(
    _ certificates: [ServedCertificate], challenges: [ServedChallenge] = [], policy: TLSPolicy
  ) throws(TLSError) {
    var builder = Builder(policy: policy)
    for certificate in certificates { builder.read(certificate) }
    front = try TLSContext(policy: policy)
    TLSHandshake.prepare(front)
    var natural: [String: [Int]] = [:]
    var preferred: [String: [Int]] = [:]
    for (index, material) in builder.materials.enumerated() {
      for name in material.names { natural[name, default: []].append(index) }
      for host in material.preferredHosts where material.covers(host) {
        preferred[host, default: []].append(index)
      }
    }
    self.natural = try builder.table(natural)
    self.preferred = try builder.table(preferred)
    fallback = builder.materials.isEmpty ? nil : try builder.context(for: builder.peers(of: 0))
    var challengeContexts: [String: CertificateContext] = [:]
    for challenge in challenges {
      let served = ServedCertificate(
        name: challenge.domain, chainPEM: challenge.certificatePEM, keyPEM: challenge.keyPEM)
      if let index = builder.read(served) {
        challengeContexts[serverName(challenge.domain)] = try builder.context(for: [index])
      }
    }
    self.challenges = challengeContexts
    refused = builder.refused
  }

  /// - Parameter host: as `serverName` writes it.
  func context(for host: String) -> CertificateContext? {
    preferred.value(for: host) ?? natural.value(for: host)
  }

  func challenge(for host: String) -> CertificateContext? { challenges[host] }
}

package enum TLSError: Error, Equatable, Sendable {
  /// OpenSSL's own words.
  case failed(String)

  package var message: String {
    switch self {
    case .failed(let reason): "TLS cannot be set up: \(reason)"
    }
  }

  static func last() -> TLSError { .failed(lastReason()) }

  /// Why the last call failed; forgets it.
  static func lastReason() -> String {
    let error = ERR_peek_last_error()
    ERR_clear_error()
    guard error != 0, let text = ERR_reason_error_string(error) else { return "out of memory" }
    return String(cString: text)
  }
}

/// An SSL_CTX with what all connections of viewers have in common.
final class TLSContext: @unchecked Sendable {
  let context: OpaquePointer

  init(policy: TLSPolicy) throws(TLSError) {
    guard let context = SSL_CTX_new(TLS_server_method()) else { throw .last() }
    self.context = context
    guard ctls_set_minimum_version(context, policy.minimumVersion) == 1,
      SSL_CTX_set_cipher_list(context, TLSPolicy.ciphers) == 1,
      SSL_CTX_set_ciphersuites(context, TLSPolicy.suites) == 1,
      ctls_set_groups(context, TLSPolicy.groups) == 1
    else { throw .last() }
    // Neither compression nor renegotiation: both have hurt more than they helped.
    ctls_set_plain_options(context)
    ctls_take_any_end(context)
    _ = ctls_set_mode(
      context,
      Int(SSL_MODE_ENABLE_PARTIAL_WRITE) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        | Int(SSL_MODE_RELEASE_BUFFERS))
    ctls_set_read_ahead(context, 1)
    // Tickets hold what a resumption needs; nothing is kept for it here. One is enough: a viewer that
    // opens several connections at once shares what the first one got.
    _ = ctls_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
    SSL_CTX_set_num_tickets(context, 1)
    SSL_CTX_set_timeout(context, Int(TicketKeys.lifetime))
    let owner: StaticString = "atoll"
    SSL_CTX_set_session_id_context(
      context, owner.utf8Start, UInt32(owner.utf8CodeUnitCount))
    TLSHandshake.prepareChosen(context)
  }

  deinit { SSL_CTX_free(context) }
}

/// One certificate, or one for each type of key, ready to be shown.
final class CertificateContext: @unchecked Sendable {
  let context: TLSContext
  let identity: TLSIdentity
  /// By the address of the certificate that they are about.
  private let staples: [(leaf: OpaquePointer, response: [UInt8])]

  fileprivate init(_ materials: [CertificateMaterial], policy: TLSPolicy) throws(TLSError) {
    context = try TLSContext(policy: policy)
    var names = ServerNames<Bool>()
    var staples: [(OpaquePointer, [UInt8])] = []
    for material in materials {
      var issuers = material.issuers.map { Optional($0) }
      let count = Int32(issuers.count)
      guard
        ctls_use_identity(context.context, material.leaf, material.key, &issuers, count) == 1
      else { throw .last() }
      for name in material.names { names[name] = true }
      if let response = material.ocsp { staples.append((material.leaf, response)) }
    }
    identity = TLSIdentity(names)
    self.staples = staples
    if !staples.isEmpty {
      _ = ctls_set_status_callback(
        context.context,
        { ssl, owner in
          Unmanaged<CertificateContext>.fromOpaque(owner!).takeUnretainedValue().staple(ssl!)
        }, Unmanaged.passUnretained(self).toOpaque())
    }
  }

  /// Adds the OCSP response of the certificate that was chosen (RFC 6066 §8).
  private func staple(_ ssl: OpaquePointer) -> Int32 {
    guard let leaf = SSL_get_certificate(ssl),
      let response = staples.first(where: { $0.leaf == leaf })?.response,
      let copy = ctls_malloc(response.count)
    else { return SSL_TLSEXT_ERR_NOACK }
    response.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    _ = ctls_set_status_response(
      ssl, copy.assumingMemoryBound(to: UInt8.self), response.count)
    return SSL_TLSEXT_ERR_OK
  }
}

/// The hosts that a connection's certificates are for.
final class TLSIdentity: Sendable {
  private let names: ServerNames<Bool>

  init(_ names: ServerNames<Bool>) { self.names = names }

  func covers(_ host: String) -> Bool { names.value(for: host) != nil }
}

/// A certificate as OpenSSL has it.
private final class CertificateMaterial {
  let leaf: OpaquePointer
  let issuers: [OpaquePointer]
  let key: OpaquePointer
  /// OpenSSL's number of the key's type: a context has one certificate of each.
  let keyType: Int32
  let names: [String]
  let preferredHosts: [String]
  let notAfter: Int64
  let ocsp: [UInt8]?

  init(_ certificate: ServedCertificate) throws(TLSError) {
    var chain = try Self.readChain(certificate.chainPEM)
    do throws(TLSError) {
      key = try Self.readKey(certificate.keyPEM)
    } catch {
      for certificate in chain { X509_free(certificate) }
      throw error
    }
    leaf = chain.removeFirst()
    issuers = chain
    keyType = EVP_PKEY_get_base_id(key)
    notAfter = ctls_certificate_not_after(leaf)
    ocsp = certificate.ocsp
    preferredHosts = certificate.preferredHosts.map { serverName($0) }
    final class Names { var all: [String] = [] }
    let names = Names()
    ctls_each_name(
      leaf, Unmanaged.passUnretained(names).toOpaque(),
      { owner, isAddress, bytes, count in
        let names = Unmanaged<Names>.fromOpaque(owner!).takeUnretainedValue()
        let text = UnsafeBufferPointer(start: bytes, count: Int(count))
        if !isAddress {
          names.all.append(serverName(text))
        } else if count == 4 {
          names.all.append(serverName(IPAddress(ipv4: text.reduce(0) { $0 << 8 | UInt32($1) })))
        } else if count == 16 {
          names.all.append(
            serverName(
              IPAddress(
                high: text[..<8].reduce(0) { $0 << 8 | UInt64($1) },
                low: text[8...].reduce(0) { $0 << 8 | UInt64($1) })))
        }
      })
    self.names = names.all
    if X509_check_private_key(leaf, key) != 1 {
      ERR_clear_error()
      throw .failed("the key is not the certificate's")
    }
  }

  deinit {
    X509_free(leaf)
    for issuer in issuers { X509_free(issuer) }
    EVP_PKEY_free(key)
  }

  func covers(_ host: String) -> Bool {
    var own = ServerNames<Bool>()
    for name in names { own[name] = true }
    return own[host] != nil || own.value(for: host) != nil
  }

  private static func readChain(_ pem: String) throws(TLSError) -> [OpaquePointer] {
    var chain: [OpaquePointer] = []
    withBIO(pem) { bio in
      while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { chain.append(certificate) }
    }
    ERR_clear_error()
    if chain.isEmpty { throw .failed("there is no certificate in it") }
    return chain
  }

  private static func readKey(_ pem: String) throws(TLSError) -> OpaquePointer {
    var key: OpaquePointer?
    // Without a callback OpenSSL would ask the terminal for the passphrase of an encrypted key.
    withBIO(pem) { key = PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
    ERR_clear_error()
    guard let key else { throw .failed("its key cannot be read") }
    return key
  }

  private static func withBIO(_ text: String, _ body: (OpaquePointer) -> Void) {
    var text = text
    text.withUTF8 { bytes in
      guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else {
        return
      }
      body(bio)
      BIO_free(bio)
    }
  }
}

/// Puts certificates together that are for the same names.
private struct Builder {
  let policy: TLSPolicy
  var materials: [CertificateMaterial] = []
  var refused: [TLSCertificates.Refusal] = []
  private var contexts: [[Int]: CertificateContext] = [:]

  init(policy: TLSPolicy) { self.policy = policy }

  @discardableResult
  mutating func read(_ certificate: ServedCertificate) -> Int? {
    do throws(TLSError) {
      let material = try CertificateMaterial(certificate)
      // OpenSSL may refuse it still: too weak a key, for one.
      contexts[[materials.count]] = try CertificateContext([material], policy: policy)
      materials.append(material)
      return materials.count - 1
    } catch {
      switch error {
      case .failed(let reason):
        refused.append(TLSCertificates.Refusal(name: certificate.name, reason: reason))
      }
      return nil
    }
  }

  /// Of certificates for one name, the last to expire of each type of key, in their order.
  private func best(_ indices: [Int]) -> [Int] {
    var chosen: [Int32: Int] = [:]
    for index in indices {
      let type = materials[index].keyType
      if let other = chosen[type], materials[other].notAfter >= materials[index].notAfter {
        continue
      }
      chosen[type] = index
    }
    return chosen.values.sorted()
  }

  /// The certificate and, with keys of other types, those for all the same names.
  func peers(of index: Int) -> [Int] {
    let names = Set(materials[index].names)
    return best(materials.indices.filter { $0 == index || Set(materials[$0].names) == names })
  }

  mutating func context(for indices: [Int]) throws(TLSError) -> CertificateContext {
    if let context = contexts[indices] { return context }
    let context = try CertificateContext(indices.map { materials[$0] }, policy: policy)
    contexts[indices] = context
    return context
  }

  mutating func table(_ entries: [String: [Int]]) throws(TLSError)
    -> ServerNames<CertificateContext>
  {
    var table = ServerNames<CertificateContext>()
    for (name, indices) in entries { table[name] = try context(for: best(indices)) }
    return table
  }
}
