// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

int csystem_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
  return accept4(listener, address, length, flags);
}

int csystem_cpu_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int)count : 1;
}

int csystem_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

void csystem_tune_malloc(void) {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

void csystem_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int csystem_errno(void) { return errno; }
const char *csystem_error_text(int error) {
  extern const char *strerrordesc_np(int);
  const char *text = strerrordesc_np(error);
  return text ? text : "unknown error";
}

int csystem_exchange(const char *one, const char *other) {
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

void csystem_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }
