// SPDX-License-Identifier: Apache-2.0
// What a client learns of the server it connects to.
#pragma once
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Filled during and after the handshake of the SSL that it is attached to.
typedef struct ctls_peer {
  /// X509_V_OK, or why the chain or the name was refused.
  int error;
  /// The server's certificate, and the one of its chain that `error` is about; each a reference.
  X509 *leaf;
  X509 *fault;
  /// The newest session that the server gave (RFC 8446 §4.6.1), a reference.
  SSL_SESSION *session;
} ctls_peer;

/// Has every SSL of this context fill its `ctls_peer`.
void ctls_watch_peers(SSL_CTX *context);
/// The peer outlives the SSL.
void ctls_attach_peer(SSL *ssl, ctls_peer *peer);
/// Gives up what the peer refers to.
void ctls_clear_peer(ctls_peer *peer);

/// Whom a certificate is for, one name or address to a line; the length, cut at `size`.
int ctls_certificate_names(X509 *certificate, char *buffer, int size);
/// The common name, else the organization, of whom the certificate is for or who issued it: UTF-8
/// without control characters; the length, cut at `size`.
int ctls_certificate_subject(X509 *certificate, char *buffer, int size);
int ctls_certificate_issuer(X509 *certificate, char *buffer, int size);
/// Seconds since 1970; 0 when there is no time, or none that can be read.
int64_t ctls_seconds(const ASN1_TIME *time);
int64_t ctls_certificate_not_before(X509 *certificate);
int64_t ctls_certificate_not_after(X509 *certificate);

/// Adds the certificates of a PEM text to the ones believed in; their number. `unreadable` counts
/// the ones that could not be parsed.
int ctls_trust_pem(X509_STORE *store, const uint8_t *text, size_t count, int *unreadable);

/// How `ctls_use_certificate` ended.
enum ctls_use {
  CTLS_USE_OK,
  CTLS_USE_NO_CERTIFICATE,
  CTLS_USE_NO_KEY,
  CTLS_USE_ENCRYPTED_KEY,
  CTLS_USE_MISMATCH,
};
/// Has the context prove who it is with a chain (leaf first) and its key, both PEM.
int ctls_use_certificate(SSL_CTX *context, const uint8_t *chain, size_t chain_count,
                         const uint8_t *key, size_t key_count);

static inline void ctls_set_verifies(SSL_CTX *context, bool verifies) {
  SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
}
