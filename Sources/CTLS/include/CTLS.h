// SPDX-License-Identifier: Apache-2.0
// OpenSSL, with its macros as functions, and a BIO that knows when a socket has been drained.
#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>

#include "peer.h"

/// What an SSL reads from and writes to: a non-blocking socket.
///
/// A receive that brought less than it had room for has drained the socket, and the next one would
/// only be told so: it is left out until `drained` is cleared.
typedef struct ctls_wire {
  int descriptor;
  bool drained;
  /// The peer has ended its side.
  bool ended;
  /// Nothing may be sent before what is kept elsewhere.
  bool blocked;
  /// The first byte that came; 0 before.
  uint8_t first;
  /// Bytes received since the owner has cleared this; the connection fails beyond the limit. No limit
  /// when that is 0.
  size_t received;
  size_t limit;
  /// errno of the last call that failed for good; 0 when none did.
  int error;
  /// Messages of TLS itself that have come since the owner has cleared this, and how many may: with
  /// one more nothing further is read, and the connection is `flooded`.
  uint32_t messages;
  uint32_t allowed;
  bool flooded;
  /// Where sealed records are put together for one send; null: each is sent by itself.
  unsigned char *gather;
  size_t gathered;
  size_t room;
} ctls_wire;

/// Gives `ssl` the wire for both directions; the wire outlives it.
int ctls_attach(SSL *ssl, ctls_wire *wire);
/// Has the wire count what comes beside data once the handshake is done: key updates, tickets
/// (RFC 8446 section 4.6), alerts, and what is answered with alerts.
void ctls_count_messages(SSL *ssl);

static inline void ctls_free(void *memory) { OPENSSL_free(memory); }

/// Writes what asks a responder for the status of a certificate (RFC 6960 section 4.1); all
/// certificates in DER. Returns its bytes; 0 when it cannot be made.
int ctls_status_request(
    const uint8_t *leaf, size_t leafCount, const uint8_t *issuer, size_t issuerCount,
    uint8_t *request, size_t capacity);

enum {
  CTLS_STATUS_GOOD,
  CTLS_STATUS_REVOKED,
  CTLS_STATUS_UNKNOWN,
  /// The responder says that it has no answer.
  CTLS_STATUS_REFUSED,
  /// The signature is nobody's who may say so.
  CTLS_STATUS_FORGED,
  CTLS_STATUS_UNREADABLE,
};

/// Reads and verifies what a responder answered (RFC 6960 section 4.2). The times are in seconds
/// since 1970, 0 where they are not told.
int ctls_status_read(
    const uint8_t *response, size_t count, const uint8_t *leaf, size_t leafCount,
    const uint8_t *issuer, size_t issuerCount, int64_t *thisUpdate, int64_t *nextUpdate);

static inline long ctls_set_minimum_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version);
}
static inline long ctls_set_maximum_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_max_proto_version(context, version);
}
static inline long ctls_set_mode(SSL_CTX *context, long mode) {
  return SSL_CTX_set_mode(context, mode);
}
static inline void ctls_set_plain_options(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}
/// An end without a close_notify is read as one, and is no error that breaks the connection off.
static inline void ctls_take_any_end(SSL_CTX *context) {
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
}
/// The server's order of ciphers counts, but for a client that would rather have ChaCha20.
static inline void ctls_set_own_order(SSL *ssl) {
  SSL_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
}
static inline void ctls_set_read_ahead(SSL_CTX *context, int on) {
  SSL_CTX_set_read_ahead(context, on);
}
static inline long ctls_set_session_cache_mode(SSL_CTX *context, long mode) {
  return SSL_CTX_set_session_cache_mode(context, mode);
}
static inline long ctls_set_server_name(SSL *ssl, const char *name) {
  return SSL_set_tlsext_host_name(ssl, (char *)name);
}
static inline long ctls_set_servername_callback(
    SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
  return SSL_CTX_set_tlsext_servername_callback(context, callback);
}
static inline long ctls_set_status_callback(
    SSL_CTX *context, int (*callback)(SSL *, void *), void *argument) {
  SSL_CTX_set_tlsext_status_cb(context, callback);
  return SSL_CTX_set_tlsext_status_arg(context, argument);
}
/// OpenSSL frees `bytes`, which OPENSSL_malloc gave.
static inline long ctls_set_status_response(SSL *ssl, unsigned char *bytes, long count) {
  return SSL_set_tlsext_status_ocsp_resp(ssl, bytes, count);
}
static inline long ctls_set_groups(SSL_CTX *context, const char *names) {
  return SSL_CTX_set1_groups_list(context, names);
}
static inline long ctls_ask_status(SSL *ssl) {
  return SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
}
static inline long ctls_status_response(SSL *ssl, const unsigned char **bytes) {
  return SSL_get_tlsext_status_ocsp_resp(ssl, bytes);
}
static inline long ctls_set_signatures(SSL_CTX *context, const char *names) {
  return SSL_CTX_set1_sigalgs_list(context, names);
}
static inline long ctls_negotiated_group(SSL *ssl) { return SSL_get_negotiated_group(ssl); }
/// Whether a part of a record is held: bytes of it, or its header alone, whose body is awaited ("RB").
static inline bool ctls_holds_record(const SSL *ssl) {
  return SSL_has_pending(ssl) || SSL_rstate_string(ssl)[1] == 'B';
}
static inline void *ctls_malloc(size_t count) { return OPENSSL_malloc(count); }
static inline int ctls_error_reason(unsigned long error) { return ERR_GET_REASON(error); }

/// Leaf, key and issuers for one type of key.
int ctls_use_identity(
    SSL_CTX *context, X509 *leaf, EVP_PKEY *key, X509 *const *issuers, int count);

/// Calls `found` with each subjectAltName (RFC 5280 §4.2.1.6) that is a DNS name (`isAddress` false)
/// or an IP address of 4 or 16 bytes.
void ctls_each_name(
    const X509 *certificate, void *owner,
    void (*found)(void *owner, bool isAddress, const unsigned char *bytes, int count));

/// What tickets (RFC 5077 §4, RFC 8446 §4.6.1) are sealed with.
typedef struct ctls_ticket_key {
  uint8_t name[16];
  uint8_t secret[32];
  uint8_t mac[32];
  /// Seconds since 1970.
  int64_t born;
} ctls_ticket_key;

/// A new one; 0 without randomness.
int ctls_make_ticket_key(ctls_ticket_key *key, int64_t now);
bool ctls_is_ticket_key(const ctls_ticket_key *key, const uint8_t *name);
void ctls_forget_ticket_key(ctls_ticket_key *key);
/// Sets a ticket's cipher and MAC up; sealing writes `name` and `iv`. 0 on failure.
int ctls_use_ticket_key(
    const ctls_ticket_key *key, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal);
