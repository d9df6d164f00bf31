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
