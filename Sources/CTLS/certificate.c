// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <string.h>

#include "CTLS.h"

int ctls_use_identity(
    SSL_CTX *context, X509 *leaf, EVP_PKEY *key, X509 *const *issuers, int count) {
  STACK_OF(X509) *chain = sk_X509_new_null();
  if (!chain) return 0;
  int result = 1;
  for (int index = 0; index < count && result == 1; index++) {
    if (!sk_X509_push(chain, issuers[index])) result = 0;
  }
  if (result == 1) result = SSL_CTX_use_cert_and_key(context, leaf, key, chain, 1);
  sk_X509_free(chain);
  return result;
}

void ctls_each_name(
    const X509 *certificate, void *owner,
    void (*found)(void *owner, bool isAddress, const unsigned char *bytes, int count)) {
  GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  if (!names) return;
  for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const ASN1_STRING *text = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    found(owner, name->type == GEN_IPADD, ASN1_STRING_get0_data(text), ASN1_STRING_length(text));
  }
  GENERAL_NAMES_free(names);
}

int ctls_make_ticket_key(ctls_ticket_key *key, int64_t now) {
  key->born = now;
  return RAND_bytes(key->name, sizeof key->name) == 1
      && RAND_priv_bytes(key->secret, sizeof key->secret) == 1
      && RAND_priv_bytes(key->mac, sizeof key->mac) == 1;
}

bool ctls_is_ticket_key(const ctls_ticket_key *key, const uint8_t *name) {
  return memcmp(key->name, name, sizeof key->name) == 0;
}

void ctls_forget_ticket_key(ctls_ticket_key *key) { OPENSSL_cleanse(key, sizeof *key); }

// Looked up once: by name it costs more than sealing the ticket does.
static EVP_CIPHER *ticket_cipher;

static void fetch_ticket_cipher(void) {
  ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
}

int ctls_use_ticket_key(
    const ctls_ticket_key *key, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, fetch_ticket_cipher);
  if (!ticket_cipher) return 0;
  if (seal) {
    memcpy(name, key->name, sizeof key->name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher)) != 1) return 0;
  }
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
    OSSL_PARAM_construct_end(),
  };
  return EVP_CipherInit_ex(cipher, ticket_cipher, NULL, key->secret, iv, seal) == 1
      && EVP_MAC_init(mac, key->mac, sizeof key->mac, parameters) == 1;
}
