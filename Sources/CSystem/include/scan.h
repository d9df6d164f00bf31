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

/// ASCII letters of eight bytes in lower case.
static inline uint64_t csystem_lowercased(uint64_t bytes) {
  const uint64_t each = 0x0101010101010101;
  uint64_t low = bytes & each * 0x7f;
  // The high bit of a byte is set when it is at least 'A', and above 'Z'.
  uint64_t fromA = low + each * (0x80 - 'A'), aboveZ = low + each * (0x7f - 'Z');
  return bytes | (((fromA ^ aboveZ) & ~bytes & each * 0x80) >> 2);
}

static inline uint64_t csystem_load8(const uint8_t *from) {
  uint64_t bytes;
  memcpy(&bytes, from, 8);
  return bytes;
}

static inline uint32_t csystem_load4(const uint8_t *from) {
  uint32_t bytes;
  memcpy(&bytes, from, 4);
  return bytes;
}

/// Whether `length` bytes at `a`, lower-cased as ASCII, equal the lower-case bytes at `lower`.
static inline int csystem_equals_lowercased(const uint8_t *a, const uint8_t *lower, size_t length) {
  if (length >= 8) {
    for (size_t i = 0; i + 8 < length; i += 8)
      if (csystem_lowercased(csystem_load8(a + i)) != csystem_load8(lower + i)) return 0;
    // The last eight, some of them perhaps for the second time.
    a += length - 8;
    return csystem_lowercased(csystem_load8(a)) == csystem_load8(lower + length - 8);
  }
  if (length >= 4) {
    uint64_t both = (uint64_t)csystem_load4(a) << 32 | csystem_load4(a + length - 4);
    return csystem_lowercased(both) ==
           ((uint64_t)csystem_load4(lower) << 32 | csystem_load4(lower + length - 4));
  }
  for (size_t i = 0; i < length; i++)
    if ((uint8_t)csystem_lowercased(a[i]) != lower[i]) return 0;
  return 1;
}

/// A field name that the edge knows; `known` is the raw value of Swift's KnownField.
typedef struct {
  uint8_t name[30];
  uint8_t known;
  uint8_t length;
} csystem_field;

/// Every known name at the index that its length and its first and last letter give: the factors
/// were searched so that no two share one (a test looks each of them up). They are multiples of 8,
/// so that the bit between upper and lower case falls out.
extern const csystem_field csystem_fields[256];
#define CSYSTEM_FIELD_INDEX(length, first, last) \
  (((unsigned)(length) + (unsigned)(first) * 72 + (unsigned)(last) * 176) & 255)

/// KnownField's raw value for a field name, 0 for those not known.
static inline uint8_t csystem_known_field(const uint8_t *name, size_t length) {
  if (length == 0) return 0;
  const csystem_field *field =
      &csystem_fields[CSYSTEM_FIELD_INDEX(length, name[0], name[length - 1])];
  if (field->length != length || !csystem_equals_lowercased(name, field->name, length)) return 0;
  return field->known;
}

/// One field line, in distances from its first byte.
typedef struct {
  ptrdiff_t nameLength;
  ptrdiff_t value;
  /// Without trailing white space.
  ptrdiff_t valueEnd;
  /// Where the next line begins.
  ptrdiff_t next;
  /// KnownField's raw value.
  ptrdiff_t known;
} csystem_line;

#define CSYSTEM_INLINE static inline __attribute__((always_inline))

#if defined(__SSE2__)
/// How many letters and dashes `lowered` (bytes | 0x20) begins with, 16 for all.
CSYSTEM_INLINE unsigned csystem_count_name_bytes(__m128i bytes, __m128i lowered) {
  // Setting 0x20 turns no byte but a letter into a letter; the dash is compared before that.
  const __m128i letters = _mm_set1_epi8('z' - 'a');
  __m128i letter = _mm_sub_epi8(lowered, _mm_set1_epi8('a'));
  letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, letters), letter);
  __m128i good = _mm_or_si128(letter, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
  return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(good));
}

/// How many bytes of both are the same from the start, 16 for all.
CSYSTEM_INLINE unsigned csystem_count_same(__m128i a, const uint8_t *b) {
  __m128i same = _mm_cmpeq_epi8(a, _mm_loadu_si128((const __m128i *)b));
  return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(same));
}
#endif

/// The first byte in [from, end) that is neither letter, digit, dash nor dot; `end` if none. What
/// nearly all host names consist of, the rest is for the caller.
static inline const uint8_t *csystem_scan_host(const uint8_t *from, const uint8_t *end) {
#if defined(__SSE2__)
  const __m128i letters = _mm_set1_epi8('z' - 'a'), digits = _mm_set1_epi8('9' - '-');
  while (end - from >= 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    __m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, letters), letter);
    // Dash, dot, slash and digits are neighbors.
    __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('-'));
    digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, digits), digit);
    digit = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/')), digit);
    unsigned good = (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, digit));
    if (good != 0xffff) return from + __builtin_ctz(~good);
    from += 16;
  }
#endif
  while (from < end && ((uint8_t)((*from | 0x20) - 'a') < 26 || (uint8_t)(*from - '0') < 10 ||
                        *from == '-' || *from == '.'))
    from++;
  return from;
}

/// CRLF as a number in memory order, on the little-endian machines that have SSE2.
#define csystem_line_end 0x0a0d

/// Takes apart the field line at `at`, when it is as nearly all are: a name of at most 32 letters
/// and dashes, a colon, at most one space, a value of visible ASCII with spaces in between, CRLF,
/// and some bytes after that. False for any other line, right or wrong. A byte lies before `at`.
CSYSTEM_INLINE _Bool csystem_scan_line(const uint8_t *at, const uint8_t *end, csystem_line *line) {
#if defined(__SSE2__)
  const __m128i lower = _mm_set1_epi8(0x20);
  // A name vector, the colon, a space, a value vector and one more byte.
  if (__builtin_expect((uintptr_t)at > (uintptr_t)end - (16 + 1 + 1 + 16 + 1), 0)) return 0;
  __m128i bytes = _mm_loadu_si128((const __m128i *)at);
  __m128i head = _mm_or_si128(bytes, lower), tail = head;
  size_t length = csystem_count_name_bytes(bytes, head);
  // The colon may stand right behind the vector.
  if (__builtin_expect(at[length] != ':', 0)) {
    if (length < 16 || end - at < 32 + 1 + 1 + 16 + 1) return 0;
    bytes = _mm_loadu_si128((const __m128i *)(at + 16));
    tail = _mm_or_si128(bytes, lower);
    length = 16 + csystem_count_name_bytes(bytes, tail);
    if (at[length] != ':') return 0;
  }
  const uint8_t *value = at + length;
  // The second letter comes along in the upper byte, which the index leaves out.
  const csystem_field *field = &csystem_fields[CSYSTEM_FIELD_INDEX(
      length, _mm_extract_epi16(head, 0), value[-1])];
  size_t known = 0;
  if (field->length == length) {
    size_t same = csystem_count_same(head, field->name);
    if (__builtin_expect(same == 16 && length > 16, 0))
      same += csystem_count_same(tail, field->name + 16);
    if (same >= length) known = field->known;
  }
  // An entry without name matches the empty one.
  if (known == 0 && length == 0) return 0;
  value += value[1] == ' ' ? 2 : 1;
  if (__builtin_expect(*value <= ' ', 0)) return 0;
  // Keeps the loop on one pointer, which the optimizer would else rebuild from three registers.
  __asm__("" : "+r"(value));
  const uint8_t *stop = value;
  unsigned stops;
  for (;;) {
    // After adding one, all but 0x20...0x7e are the signed bytes below 0x21.
    bytes = _mm_add_epi8(_mm_loadu_si128((const __m128i *)stop), _mm_set1_epi8(1));
    stops = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21)));
    if (stops != 0) break;
    stop += 16;
    if (__builtin_expect(stop > end - 17, 0)) return 0;
  }
  stop += __builtin_ctz(stops);
  uint16_t pair;
  memcpy(&pair, stop, 2);
  if (__builtin_expect(pair != csystem_line_end || stop[-1] == ' ', 0)) return 0;
  line->nameLength = (ptrdiff_t)length;
  line->value = value - at;
  line->valueEnd = stop - at;
  line->next = stop + 2 - at;
  line->known = (ptrdiff_t)known;
  return 1;
#else
  return 0;
#endif
}

#endif
