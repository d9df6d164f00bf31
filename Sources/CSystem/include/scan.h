// SPDX-License-Identifier: Apache-2.0
// Byte scanners of the HTTP head parser. Swift's SIMD types compile to scalar
// code for these, so they are C; `static inline` lets Swift inline them.
#ifndef ATOLL_SCAN_H
#define ATOLL_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// The first byte in [from, end) that may not stand inside a field value:
/// a control character other than HTAB (CR and LF included) or DEL; `end` if none.
static inline const uint8_t *csystem_scan_value(const uint8_t *from, const uint8_t *end) {
#if defined(__SSE2__)
  const __m128i tab = _mm_set1_epi8(0x09), del = _mm_set1_epi8(0x7f);
  const __m128i lastControl = _mm_set1_epi8(0x1f);
  while (end - from >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    // Unsigned b <= 0x1f, as max(b, 0x1f) == 0x1f.
    __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, lastControl), lastControl);
    control = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), control);
    int mask = _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(bytes, del)));
    if (mask != 0) return from + __builtin_ctz((unsigned)mask);
    from += 16;
  }
#endif
  while (from < end && ((*from >= 0x20 && *from != 0x7f) || *from == 0x09)) from++;
  return from;
}

/// The first byte in [from, end) that may not stand in a request target:
/// a control character, SP, DEL or a byte above 0x7e; `end` if none.
static inline const uint8_t *csystem_scan_target(const uint8_t *from, const uint8_t *end) {
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f);
  while (end - from >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    // As signed bytes everything above 0x7f is negative, so one comparison
    // with SP finds controls, SP and high bytes.
    __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, del), _mm_cmpgt_epi8(bytes, space));
    int mask = _mm_movemask_epi8(good) ^ 0xffff;
    if (mask != 0) return from + __builtin_ctz((unsigned)mask);
    from += 16;
  }
#endif
  while (from < end && *from > 0x20 && *from < 0x7f) from++;
  return from;
}

/// tchar of RFC 9110 §5.6.2, one byte per character: 1 when it may stand in a token.
extern const uint8_t csystem_token_table[256];

/// The first byte in [from, end) that is no tchar; `end` if none.
static inline const uint8_t *csystem_scan_token(const uint8_t *from, const uint8_t *end) {
  while (from < end && csystem_token_table[*from]) from++;
  return from;
}

/// Whether `length` bytes at `a`, lower-cased as ASCII, equal the lower-case bytes at `lower`.
static inline int csystem_equals_lowercased(const uint8_t *a, const uint8_t *lower, size_t length) {
  for (size_t i = 0; i < length; i++) {
    uint8_t c = a[i];
    if (c >= 'A' && c <= 'Z') c |= 0x20;
    if (c != lower[i]) return 0;
  }
  return 1;
}

#endif
