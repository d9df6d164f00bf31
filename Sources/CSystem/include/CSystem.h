// SPDX-License-Identifier: Apache-2.0
// The parts of Linux that Swift's Glibc module leaves out, and vector scanners.
#ifndef ATOLL_CSYSTEM_H
#define ATOLL_CSYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

// Wrappers: each needs _GNU_SOURCE, which must not reach Swift's importer.
int csystem_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);
int csystem_cpu_count(void);
/// Unlinked temporary file in memory; -1 and errno on failure.
int csystem_memfd(const char *name);
/// One arena, a fixed mmap threshold: what keeps the heap near what is in use.
void csystem_tune_malloc(void);
/// Sets an errno-free name for the calling thread (at most 15 bytes).
void csystem_name_thread(const char *name);
int csystem_errno(void);
/// A strerror that needs no lock; static text for every errno Linux has.
const char *csystem_error_text(int error);
/// Exchanges two paths in one step; -1 and errno on failure.
int csystem_exchange(const char *one, const char *other);
/// Ignores SIGPIPE for the process.
void csystem_ignore_sigpipe(void);

// Epoll's event is packed, which Swift imports, but its union is awkward to use.
static inline int csystem_epoll_control(int epoll, int operation, int descriptor, uint32_t events,
                                        uint64_t token) {
  struct epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return epoll_ctl(epoll, operation, descriptor, &event);
}
static inline uint64_t csystem_event_token(const struct epoll_event *event) {
  return event->data.u64;
}

#include "resolve.h"
#include "scan.h"

#endif
