// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CTLS.h"

#include <arpa/inet.h>
#include <limits.h>
#include <string.h>
#include <time.h>

static void keep(X509 **place, X509 *certificate) {
  X509_free(*place);
  *place = certificate;
  if (certificate) X509_up_ref(certificate);
}

/// Verifies as OpenSSL would by itself, and keeps what it takes to say why it failed.
static int verify(X509_STORE_CTX *chain, void *unused) {
  (void)unused;
  int result = X509_verify_cert(chain);
  SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
  ctls_peer *peer = ssl ? SSL_get_app_data(ssl) : NULL;
  if (peer) {
    int error = X509_STORE_CTX_get_error(chain);
    if (result <= 0 && error == X509_V_OK) error = X509_V_ERR_UNSPECIFIED;
    peer->error = error;
    keep(&peer->leaf, X509_STORE_CTX_get0_cert(chain));
    keep(&peer->fault, error == X509_V_OK ? NULL : X509_STORE_CTX_get_current_cert(chain));
  }
  return result > 0;
}

static int take_session(SSL *ssl, SSL_SESSION *session) {
  ctls_peer *peer = SSL_get_app_data(ssl);
  if (!peer) return 0;
  SSL_SESSION_free(peer->session);
  peer->session = session;
  return 1;
}

void ctls_watch_peers(SSL_CTX *context) {
  SSL_CTX_set_cert_verify_callback(context, verify, NULL);
  SSL_CTX_set_session_cache_mode(context,
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, take_session);
}

void ctls_attach_peer(SSL *ssl, ctls_peer *peer) { SSL_set_app_data(ssl, peer); }

void ctls_clear_peer(ctls_peer *peer) {
  X509_free(peer->leaf);
  X509_free(peer->fault);
  SSL_SESSION_free(peer->session);
  memset(peer, 0, sizeof *peer);
}

/// Copies what fits, without what could drive a terminal or end a line.
static int copy(const unsigned char *text, int length, char *buffer, int size) {
  int count = length < size ? length : size;
  for (int i = 0; i < count; i++) {
    buffer[i] = text[i] < 0x20 || text[i] == 0x7f ? '?' : (char)text[i];
  }
  return count > 0 ? count : 0;
}

int ctls_certificate_names(X509 *certificate, char *buffer, int size) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  int filled = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && filled < size; i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    int added = 0;
    if (name->type == GEN_DNS) {
      added = copy(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName),
                   buffer + filled, size - filled - 1);
    } else if (name->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN];
      int length = ASN1_STRING_length(name->d.iPAddress);
      int family = length == 4 ? AF_INET : length == 16 ? AF_INET6 : 0;
      if (family && inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text)) {
        added = copy((unsigned char *)text, (int)strlen(text), buffer + filled, size - filled - 1);
      }
    }
    if (added == 0) continue;
    filled += added;
    buffer[filled++] = '\n';
  }
  GENERAL_NAMES_free(names);
  return filled;
}

static int name_text(const X509_NAME *name, char *buffer, int size) {
  static const int kinds[] = {NID_commonName, NID_organizationName, NID_organizationalUnitName};
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
    int index = X509_NAME_get_index_by_NID(name, kinds[kind], -1);
    if (index < 0) continue;
    unsigned char *text = NULL;
    int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    int count = length > 0 ? copy(text, length, buffer, size) : 0;
    OPENSSL_free(text);
    if (count > 0) return count;
  }
  return 0;
}

int ctls_certificate_subject(X509 *certificate, char *buffer, int size) {
  return name_text(X509_get_subject_name(certificate), buffer, size);
}

int ctls_certificate_issuer(X509 *certificate, char *buffer, int size) {
  return name_text(X509_get_issuer_name(certificate), buffer, size);
}

int64_t ctls_seconds(const ASN1_TIME *time) {
  struct tm parts;
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return timegm(&parts);
}

int64_t ctls_certificate_not_before(X509 *certificate) {
  return ctls_seconds(X509_get0_notBefore(certificate));
}

int64_t ctls_certificate_not_after(X509 *certificate) {
  return ctls_seconds(X509_get0_notAfter(certificate));
}

int ctls_trust_pem(X509_STORE *store, const uint8_t *text, size_t count, int *unreadable) {
  *unreadable = 0;
  if (count > INT_MAX) return 0;
  BIO *bio = BIO_new_mem_buf(text, (int)count);
  if (!bio) return 0;
  int added = 0;
  ERR_clear_error();
  while (true) {
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (certificate) {
      if (X509_STORE_add_cert(store, certificate) == 1) added++;
      X509_free(certificate);
      continue;
    }
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    ERR_clear_error();
    if (reason == PEM_R_NO_START_LINE || BIO_eof(bio)) {
      if (reason != PEM_R_NO_START_LINE) (*unreadable)++;
      break;
    }
    (*unreadable)++;
  }
  BIO_free(bio);
  return added;
}

static bool read_chain(SSL_CTX *context, BIO *bio) {
  X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
  if (!leaf) return false;
  bool is_used = SSL_CTX_use_certificate(context, leaf) == 1;
  X509_free(leaf);
  SSL_CTX_clear_chain_certs(context);
  while (is_used) {
    X509 *issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (!issuer) break;
    if (SSL_CTX_add0_chain_cert(context, issuer) != 1) {
      X509_free(issuer);
      is_used = false;
    }
  }
  return is_used;
}

/// Asked for the passphrase of an encrypted key: there is none, and nobody to ask.
static int no_passphrase(char *buffer, int size, int writes, void *asked) {
  (void)buffer, (void)size, (void)writes;
  *(bool *)asked = true;
  return -1;
}

int ctls_use_certificate(SSL_CTX *context, const uint8_t *chain, size_t chain_count,
                         const uint8_t *key, size_t key_count) {
  if (chain_count > INT_MAX) return CTLS_USE_NO_CERTIFICATE;
  if (key_count > INT_MAX) return CTLS_USE_NO_KEY;
  int result = CTLS_USE_NO_CERTIFICATE;
  BIO *bio = BIO_new_mem_buf(chain, (int)chain_count);
  if (bio && read_chain(context, bio)) {
    BIO *key_bio = BIO_new_mem_buf(key, (int)key_count);
    bool is_encrypted = false;
    EVP_PKEY *pair =
        key_bio ? PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, &is_encrypted) : NULL;
    if (!pair) {
      result = is_encrypted ? CTLS_USE_ENCRYPTED_KEY : CTLS_USE_NO_KEY;
    } else if (SSL_CTX_use_PrivateKey(context, pair) != 1 ||
               SSL_CTX_check_private_key(context) != 1) {
      result = CTLS_USE_MISMATCH;
    } else {
      result = CTLS_USE_OK;
    }
    EVP_PKEY_free(pair);
    BIO_free(key_bio);
  }
  BIO_free(bio);
  ERR_clear_error();
  return result;
}
