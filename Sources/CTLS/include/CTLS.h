// SPDX-License-Identifier: Apache-2.0
// OpenSSL, with its macros as functions, and a BIO that knows when a socket has been drained.
#pragma once
#include <openssl/bio.h>
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
  /// errno of the last call that failed for good; 0 when none did.
  int error;
} ctls_wire;

/// Gives `ssl` the wire for both directions; the wire outlives it.
int ctls_attach(SSL *ssl, ctls_wire *wire);

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
static inline void ctls_set_read_ahead(SSL_CTX *context, int on) {
  SSL_CTX_set_read_ahead(context, on);
}
static inline long ctls_set_session_cache_mode(SSL_CTX *context, long mode) {
  return SSL_CTX_set_session_cache_mode(context, mode);
}
static inline long ctls_set_server_name(SSL *ssl, const char *name) {
  return SSL_set_tlsext_host_name(ssl, (char *)name);
}
