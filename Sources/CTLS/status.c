// SPDX-License-Identifier: Apache-2.0
// The status of certificates (RFC 6960), in DER on both sides.
#define _GNU_SOURCE
#include "CTLS.h"
#include <openssl/ocsp.h>

static X509 *certificate(const uint8_t *der, size_t count) {
  const unsigned char *at = der;
  return d2i_X509(NULL, &at, (long)count);
}

int ctls_status_request(
    const uint8_t *leaf, size_t leafCount, const uint8_t *issuer, size_t issuerCount,
    uint8_t *request, size_t capacity) {
  int count = 0;
  X509 *subject = certificate(leaf, leafCount);
  X509 *authority = certificate(issuer, issuerCount);
  OCSP_REQUEST *made = OCSP_REQUEST_new();
  if (subject && authority && made) {
    // SHA-1 names the issuer, as RFC 5019 section 2.1.1 has it; it protects nothing here.
    OCSP_CERTID *name = OCSP_cert_to_id(EVP_sha1(), subject, authority);
    if (name && !OCSP_request_add0_id(made, name)) OCSP_CERTID_free(name);
    int needed = i2d_OCSP_REQUEST(made, NULL);
    if (name && needed > 0 && (size_t)needed <= capacity) {
      unsigned char *at = request;
      count = i2d_OCSP_REQUEST(made, &at);
    }
  }
  OCSP_REQUEST_free(made);
  X509_free(authority);
  X509_free(subject);
  ERR_clear_error();
  return count;
}

/// Whether the issuer, or a responder that it has named, made the signature.
static bool isSigned(OCSP_BASICRESP *basic, X509 *authority) {
  X509_STORE *trusted = X509_STORE_new();
  STACK_OF(X509) *others = sk_X509_new_null();
  bool result = false;
  if (trusted && others && X509_STORE_add_cert(trusted, authority) &&
      sk_X509_push(others, authority)) {
    // The issuer is seldom a root itself.
    X509_STORE_set_flags(trusted, X509_V_FLAG_PARTIAL_CHAIN);
    result = OCSP_basic_verify(basic, others, trusted, OCSP_TRUSTOTHER) == 1;
  }
  sk_X509_free(others);
  X509_STORE_free(trusted);
  return result;
}

int ctls_status_read(
    const uint8_t *response, size_t count, const uint8_t *leaf, size_t leafCount,
    const uint8_t *issuer, size_t issuerCount, int64_t *thisUpdate, int64_t *nextUpdate) {
  int result = CTLS_STATUS_UNREADABLE;
  const unsigned char *at = response;
  OCSP_RESPONSE *read = d2i_OCSP_RESPONSE(NULL, &at, (long)count);
  X509 *subject = certificate(leaf, leafCount);
  X509 *authority = certificate(issuer, issuerCount);
  OCSP_BASICRESP *basic = NULL;
  OCSP_CERTID *name = NULL;
  if (!read || !subject || !authority) goto end;
  if (OCSP_response_status(read) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    result = CTLS_STATUS_REFUSED;
    goto end;
  }
  basic = OCSP_response_get1_basic(read);
  if (!basic) goto end;
  if (!isSigned(basic, authority)) {
    result = CTLS_STATUS_FORGED;
    goto end;
  }
  // The responder may name the issuer by another digest than it was asked with.
  int status = -1;
  ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
  const EVP_MD *digests[] = {EVP_sha1(), EVP_sha256()};
  for (int index = 0; index < 2 && status < 0; index++) {
    OCSP_CERTID_free(name);
    name = OCSP_cert_to_id(digests[index], subject, authority);
    if (!name || !OCSP_resp_find_status(basic, name, &status, NULL, NULL, &from, &until)) {
      status = -1;
    }
  }
  *thisUpdate = ctls_seconds(from);
  *nextUpdate = ctls_seconds(until);
  switch (status) {
  case V_OCSP_CERTSTATUS_GOOD: result = CTLS_STATUS_GOOD; break;
  case V_OCSP_CERTSTATUS_REVOKED: result = CTLS_STATUS_REVOKED; break;
  default: result = CTLS_STATUS_UNKNOWN; break;
  }
end:
  OCSP_CERTID_free(name);
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(read);
  X509_free(authority);
  X509_free(subject);
  ERR_clear_error();
  return result;
}
