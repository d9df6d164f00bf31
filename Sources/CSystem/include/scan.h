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
static inline const uint8_t *csystem_scan_value_slowly(const uint8_t *from, const uint8_t *end) {
  while (from < end && ((*from >= 0x20 && *from != 0x7f) || *from == 0x09)) from++;
  return from;
}

/// The same. At least 16 bytes before `end` must be readable, before `from` or after it.
static inline const uint8_t *csystem_scan_value(const uint8_t *from, const uint8_t *end) {
#if defined(__SSE2__)
  const __m128i one = _mm_set1_epi8(1), space = _mm_set1_epi8(0x20);
  for (;;) {
    unsigned bad;
    if (end - from >= 16) {
      // After adding one, 0x20...0x7e are the signed bytes above 0x20: DEL has
      // become -128, and what stops too early (HTAB, high bytes) is sorted out below.
      __m128i bytes = _mm_add_epi8(_mm_loadu_si128((const __m128i *)from), one);
      bad = (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(bytes, space)) ^ 0xffff;
      if (bad == 0) {
        from += 16;
        continue;
      }
    } else {
      __m128i bytes = _mm_add_epi8(_mm_loadu_si128((const __m128i *)(end - 16)), one);
      bad = (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(bytes, space)) ^ 0xffff;
      bad >>= 16 - (end - from);
      if (bad == 0) return end;
    }
    from += __builtin_ctz(bad);
    if (__builtin_expect(*from < 0x80 && *from != 0x09, 1)) return from;
    do from++;
    while (from < end && (*from >= 0x80 || *from == 0x09));
  }
#else
  return csystem_scan_value_slowly(from, end);
#endif
}

/// The first byte in [from, end) that may not stand in a request target or that equals `stop`
/// or `other`: a control character, SP, DEL or a byte above 0x7e; `end` if none.
static inline const uint8_t *csystem_scan_target(const uint8_t *from, const uint8_t *end,
                                                 uint8_t stop, uint8_t other) {
#if defined(__SSE2__)
  const __m128i one = _mm_set1_epi8(1), first = _mm_set1_epi8(0x21);
  const __m128i stops = _mm_set1_epi8((char)stop), others = _mm_set1_epi8((char)other);
  while (end - from >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    // After adding one, 0x21...0x7e are the signed bytes above 0x21.
    __m128i good = _mm_cmpgt_epi8(_mm_add_epi8(bytes, one), first);
    __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(bytes, stops), _mm_cmpeq_epi8(bytes, others));
    unsigned mask = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, good)) ^ 0xffff;
    if (mask != 0) return from + __builtin_ctz(mask);
    from += 16;
  }
#endif
  while (from < end && *from > 0x20 && *from < 0x7f && *from != stop && *from != other) from++;
  return from;
}

/// tchar of RFC 9110 §5.6.2, one byte per character: 1 when it may stand in a token.
extern const uint8_t csystem_token_table[256];

static inline int csystem_is_token_character(uint8_t byte) { return csystem_token_table[byte]; }

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

/// A field name that the edge knows; `known` is the raw value of Swift's KnownField.
typedef struct {
  uint8_t name[30];
  uint8_t known;
  uint8_t length;
} csystem_field;

/// Every known name at the index that its length and its first and last letter give: the factors
/// were searched so that no two share one (a test looks each of them up).
extern const csystem_field csystem_fields[256];
#define CSYSTEM_FIELD_INDEX(length, first, last) \
  (((unsigned)(length) * 16 + (unsigned)(first) * 87 + (unsigned)(last) * 5) & 255)

/// KnownField's raw value for a field name, 0 for those not known; `length` is at least 1.
static inline uint8_t csystem_known_field(const uint8_t *name, size_t length) {
  const csystem_field *field =
      &csystem_fields[CSYSTEM_FIELD_INDEX(length, name[0] | 0x20, name[length - 1] | 0x20)];
  if (field->length != length || !csystem_equals_lowercased(name, field->name, length)) return 0;
  return field->known;
}

typedef struct {
  uint32_t length;
  uint32_t known;
} csystem_name;

#define CSYSTEM_INLINE static inline __attribute__((always_inline))

/// The longest token at `from` and, when a colon follows it, the known field of that name.
static __attribute__((noinline, unused)) csystem_name csystem_scan_name_slowly(const uint8_t *from, const uint8_t *end) {
  size_t length = (size_t)(csystem_scan_token(from, end) - from);
  int known = length > 0 && from + length < end && from[length] == ':';
  csystem_name name = {(uint32_t)length, known ? csystem_known_field(from, length) : 0};
  return name;
}

/// The same.
CSYSTEM_INLINE csystem_name csystem_scan_name(const uint8_t *from, const uint8_t *end) {
#if defined(__SSE2__)
  const __m128i belowA = _mm_set1_epi8('a' - 1), aboveZ = _mm_set1_epi8('z' + 1);
  const __m128i dash = _mm_set1_epi8('-'), lower = _mm_set1_epi8(0x20);
  if (__builtin_expect(end - from >= 16, 1)) {
    // All known names consist of letters and dashes; anything else that is
    // no colon goes the slow way. Setting 0x20 turns no byte but a letter
    // into a letter, and the dash is compared before it.
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    __m128i head = _mm_or_si128(bytes, lower);
    __m128i good = _mm_or_si128(
        _mm_and_si128(_mm_cmpgt_epi8(head, belowA), _mm_cmplt_epi8(head, aboveZ)),
        _mm_cmpeq_epi8(bytes, dash));
    unsigned mask = (unsigned)_mm_movemask_epi8(good) ^ 0xffff;
    unsigned length, tail = 0;
    __m128i rest = head;
    if (__builtin_expect(mask != 0, 1)) {
      length = (unsigned)__builtin_ctz(mask);
      if (length == 0) return csystem_scan_name_slowly(from, end);
    } else {
      if (end - from < 32) return csystem_scan_name_slowly(from, end);
      bytes = _mm_loadu_si128((const __m128i *)(from + 16));
      rest = _mm_or_si128(bytes, lower);
      good = _mm_or_si128(
          _mm_and_si128(_mm_cmpgt_epi8(rest, belowA), _mm_cmplt_epi8(rest, aboveZ)),
          _mm_cmpeq_epi8(bytes, dash));
      mask = (unsigned)_mm_movemask_epi8(good) ^ 0xffff;
      if (mask == 0) return csystem_scan_name_slowly(from, end);
      tail = (unsigned)__builtin_ctz(mask);
      length = 16 + tail;
    }
    if (__builtin_expect(from[length] != ':', 0)) return csystem_scan_name_slowly(from, end);
    csystem_name name = {length, 0};
    const csystem_field *field =
        &csystem_fields[CSYSTEM_FIELD_INDEX(length, from[0] | 0x20, from[length - 1] | 0x20)];
    if (field->length != length) return name;
    unsigned same = (unsigned)_mm_movemask_epi8(
        _mm_cmpeq_epi8(head, _mm_loadu_si128((const __m128i *)field->name)));
    if (length > 16) {
      // No known name reaches the last two bytes, where `known` and `length` stand.
      unsigned more = (unsigned)_mm_movemask_epi8(
          _mm_cmpeq_epi8(rest, _mm_loadu_si128((const __m128i *)(field->name + 16))));
      if (same == 0xffff && (~more & ((1u << tail) - 1)) == 0) name.known = field->known;
    } else if ((~same & ((1u << length) - 1)) == 0) {
      name.known = field->known;
    }
    return name;
  }
#endif
  return csystem_scan_name_slowly(from, end);
}

#endif
