// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "CTLS.h"

static int wire_read(BIO *bio, char *buffer, int size) {
  ctls_wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (wire->drained) {
    BIO_set_retry_read(bio);
    return -1;
  }
  // Records that carry nothing for the application, sent as fast as they are read, would hold up
  // everybody else.
  if (wire->limit && wire->received > wire->limit) {
    wire->error = EPROTO;
    return -1;
  }
  ssize_t count;
  do {
    count = recv(wire->descriptor, buffer, (size_t)size, 0);
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    if (!wire->first) wire->first = (uint8_t)buffer[0];
    if (count < size) wire->drained = true;
    wire->received += (size_t)count;
    return (int)count;
  }
  if (count == 0) {
    wire->ended = true;
    return 0;
  }
  if (errno == EAGAIN) {
    wire->drained = true;
    BIO_set_retry_read(bio);
  } else {
    wire->error = errno;
  }
  return -1;
}

static int wire_write(BIO *bio, const char *bytes, int size) {
  ctls_wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (wire->gather && (size_t)size <= wire->room - wire->gathered) {
    memcpy(wire->gather + wire->gathered, bytes, (size_t)size);
    wire->gathered += (size_t)size;
    return size;
  }
  if (wire->blocked || wire->gather) {
    BIO_set_retry_write(bio);
    return -1;
  }
  ssize_t count;
  do {
    count = send(wire->descriptor, bytes, (size_t)size, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) return (int)count;
  if (errno == EAGAIN) {
    BIO_set_retry_write(bio);
  } else {
    wire->error = errno;
  }
  return -1;
}

static long wire_control(BIO *bio, int command, long number, void *pointer) {
  (void)number;
  (void)pointer;
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return ((ctls_wire *)BIO_get_data(bio))->ended;
  return 0;
}

static void count_message(const SSL *ssl, int where, int value) {
  (void)value;
  if (where & SSL_CB_LOOP) {
    switch (SSL_get_state(ssl)) {
    case TLS_ST_SR_KEY_UPDATE: case TLS_ST_CR_KEY_UPDATE: case TLS_ST_CR_SESSION_TICKET: break;
    default: return;
    }
  } else if (!(where & SSL_CB_ALERT)) {
    return;
  }
  ctls_wire *wire = BIO_get_data(SSL_get_rbio(ssl));
  if (++wire->messages <= wire->allowed) return;
  wire->flooded = true;
  // There may be hundreds more in what was read ahead. As if the peer had ended, they are dropped.
  SSL_set_shutdown((SSL *)ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

void ctls_count_messages(SSL *ssl) { SSL_set_info_callback(ssl, count_message); }

static BIO_METHOD *method;

static void make_method(void) {
  method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
  if (!method) return;
  BIO_meth_set_read(method, wire_read);
  BIO_meth_set_write(method, wire_write);
  BIO_meth_set_ctrl(method, wire_control);
}

int ctls_attach(SSL *ssl, ctls_wire *wire) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_method);
  BIO *bio = method ? BIO_new(method) : NULL;
  if (!bio) return 0;
  BIO_set_data(bio, wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return 1;
}
