// SPDX-License-Identifier: Apache-2.0
// What getaddrinfo does not tell: how long its answer holds.
#ifndef ATOLL_RESOLVE_H
#define ATOLL_RESOLVE_H

#include <stdint.h>

/// Asks the name servers for `name`'s A (`ipv6` 0) or AAAA records and returns the smallest time to
/// live among the records that lead to them, in seconds; -1 when there is none to be had.
/// Blocks for a few seconds at most.
int64_t csystem_record_ttl(const char *name, int ipv6);

/// The smallest time to live in a DNS answer, or -1; apart for its tests.
int64_t csystem_answer_ttl(const uint8_t *answer, int length);

#endif
