// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "resolve.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

static unsigned read16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint32_t read32(const uint8_t *p) { return (uint32_t)read16(p) << 16 | read16(p + 2); }

// By hand, since ns_parserr lives in libresolv and this little needs no second library.
int64_t csystem_answer_ttl(const uint8_t *answer, int length) {
  if (length < 12) return -1;
  const uint8_t *at = answer + 12, *end = answer + length;
  for (unsigned left = read16(answer + 4); left > 0; left--) {
    int skipped = dn_skipname(at, end);
    if (skipped < 0 || end - at < skipped + 4) return -1;
    at += skipped + 4;
  }
  int64_t smallest = -1;
  for (unsigned left = read16(answer + 6); left > 0; left--) {
    int skipped = dn_skipname(at, end);
    if (skipped < 0 || end - at < skipped + 10) break;
    at += skipped;
    unsigned type = read16(at), data = read16(at + 8);
    // RFC 2181 §8: a value with the top bit set counts as zero.
    int64_t ttl = read32(at + 4) & 0x80000000u ? 0 : (int64_t)read32(at + 4);
    if (end - at < (long)data + 10) break;
    at += data + 10;
    if (type != ns_t_a && type != ns_t_aaaa && type != ns_t_cname) continue;
    if (smallest < 0 || ttl < smallest) smallest = ttl;
  }
  return smallest;
}

int64_t csystem_record_ttl(const char *name, int ipv6) {
  struct __res_state state;
  memset(&state, 0, sizeof state);
  if (res_ninit(&state) != 0) return -1;
  // Only a refinement: one second and one attempt per server must do.
  state.retrans = 1;
  state.retry = 1;
  uint8_t answer[4096];
  // The search list applies as it does in getaddrinfo.
  int length = res_nsearch(&state, name, ns_c_in, ipv6 ? ns_t_aaaa : ns_t_a, answer, sizeof answer);
  res_nclose(&state);
  if (length > (int)sizeof answer) length = sizeof answer;
  return csystem_answer_ttl(answer, length);
}
