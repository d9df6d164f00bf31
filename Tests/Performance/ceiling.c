// SPDX-License-Identifier: Apache-2.0
// The ceiling of the edge's design: a bare epoll loop that answers every request head with one fixed
// response. It parses nothing, keeps nothing and logs nothing; what it costs is what the kernel asks
// for one receive and one send, and no server of this kind can cost less.
//
// Usage: ceiling <port>. One worker; ends at SIGTERM.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { bodySize = 1024, eventCount = 256, headLimit = 16384 };

// The fields that a cache sends with a hit.
static const char head[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "ETag: \"5f3a2b1c-400\"\r\n"
    "Cache-Control: public, max-age=86400\r\n"
    "Via: 1.1 atoll\r\n"
    "Age: 12\r\n"
    "X-Cache: Hit from atoll\r\n"
    "Cache-Status: atoll; hit; ttl=86388\r\n"
    "X-Request-Id: 0123456789abcdef0123456789abcdef\r\n"
    "Content-Length: 1024\r\n\r\n";

// How much of "\r\n\r\n" a connection's bytes ended with; a head may come in pieces.
static unsigned char matched[1 << 16];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: ceiling <port>\n");
    return 2;
  }
  static char response[sizeof head - 1 + bodySize];
  memcpy(response, head, sizeof head - 1);
  memset(response + sizeof head - 1, 'x', bodySize);

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) fail("socket");
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(arguments[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(listener, 1024) != 0) fail("listen");
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);

  static struct epoll_event events[eventCount];
  static char request[headLimit];
  for (;;) {
    int ready = epoll_wait(epoll, events, eventCount, -1);
    for (int i = 0; i < ready; i++) {
      int connection = events[i].data.fd;
      if (connection == listener) {
        connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (connection < 0) continue;
        if (connection >= (int)sizeof matched) {
          close(connection);
          continue;
        }
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        matched[connection] = 0;
        event.events = EPOLLIN | EPOLLRDHUP;
        event.data.fd = connection;
        epoll_ctl(epoll, EPOLL_CTL_ADD, connection, &event);
        continue;
      }
      ssize_t length = recv(connection, request, sizeof request, 0);
      if (length < 0 && errno == EAGAIN) continue;
      if (length <= 0) {
        close(connection);
        continue;
      }
      // The common case is one whole head, whose end is all that is looked at.
      if (matched[connection] == 0 && length >= 4 &&
          memcmp(request + length - 4, "\r\n\r\n", 4) == 0) {
        if (send(connection, response, sizeof response, MSG_NOSIGNAL) != (ssize_t)sizeof response)
          close(connection);
        continue;
      }
      unsigned char state = matched[connection];
      for (ssize_t at = 0; at < length; at++) {
        state = request[at] == "\r\n\r\n"[state] ? state + 1 : request[at] == '\r';
        if (state < 4) continue;
        state = 0;
        if (send(connection, response, sizeof response, MSG_NOSIGNAL) !=
            (ssize_t)sizeof response) {
          close(connection);
          break;
        }
      }
      matched[connection] = state;
    }
  }
}
