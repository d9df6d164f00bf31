// SPDX-License-Identifier: Apache-2.0
#include "scan.h"

#define DIGITS ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, \
               ['7'] = 1, ['8'] = 1, ['9'] = 1
#define UPPER ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, \
              ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, \
              ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, \
              ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1
#define LOWER ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, \
              ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, \
              ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, \
              ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1

const uint8_t csystem_token_table[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
    ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1,  ['~'] = 1,
    DIGITS,    UPPER,    LOWER,
};

#define FIELD(first, last, text, number) \
  [CSYSTEM_FIELD_INDEX(sizeof text - 1, first, last)] = {text, number, sizeof text - 1}

const csystem_field csystem_fields[256] = {
    FIELD('a', 't', "accept", 1),
    FIELD('a', 't', "accept-charset", 2),
    FIELD('a', 'g', "accept-encoding", 3),
    FIELD('a', 'e', "accept-language", 4),
    FIELD('a', 'e', "age", 5),
    FIELD('a', 'n', "authorization", 6),
    FIELD('c', 'l', "cache-control", 7),
    FIELD('c', 's', "cache-status", 8),
    FIELD('c', 'g', "cache-tag", 9),
    FIELD('c', 'l', "cdn-cache-control", 10),
    FIELD('c', 'n', "connection", 11),
    FIELD('c', 'g', "content-encoding", 12),
    FIELD('c', 'h', "content-length", 13),
    FIELD('c', 'n', "content-location", 14),
    FIELD('c', 'e', "content-range", 15),
    FIELD('c', 'e', "content-type", 16),
    FIELD('c', 'e', "cookie", 17),
    FIELD('d', 'e', "date", 18),
    FIELD('e', 'g', "etag", 19),
    FIELD('e', 't', "expect", 20),
    FIELD('e', 's', "expires", 21),
    FIELD('f', 'd', "forwarded", 22),
    FIELD('f', 'm', "from", 23),
    FIELD('h', 't', "host", 24),
    FIELD('i', 'h', "if-match", 25),
    FIELD('i', 'e', "if-modified-since", 26),
    FIELD('i', 'h', "if-none-match", 27),
    FIELD('i', 'e', "if-range", 28),
    FIELD('i', 'e', "if-unmodified-since", 29),
    FIELD('k', 'e', "keep-alive", 30),
    FIELD('l', 'd', "last-modified", 31),
    FIELD('l', 'n', "location", 32),
    FIELD('m', 's', "max-forwards", 33),
    FIELD('o', 'n', "origin", 34),
    FIELD('p', 'a', "pragma", 35),
    FIELD('p', 'e', "proxy-authenticate", 36),
    FIELD('p', 'n', "proxy-authorization", 37),
    FIELD('p', 'n', "proxy-connection", 38),
    FIELD('r', 'e', "range", 39),
    FIELD('r', 'r', "referer", 40),
    FIELD('s', 'r', "server", 41),
    FIELD('s', 'e', "set-cookie", 42),
    FIELD('s', 'y', "surrogate-key", 43),
    FIELD('t', 'e', "te", 44),
    FIELD('t', 'r', "trailer", 45),
    FIELD('t', 'g', "transfer-encoding", 46),
    FIELD('u', 'e', "upgrade", 47),
    FIELD('u', 't', "user-agent", 48),
    FIELD('v', 'y', "vary", 49),
    FIELD('v', 'a', "via", 50),
    FIELD('x', 'e', "x-cache", 51),
    FIELD('x', 'r', "x-forwarded-for", 52),
    FIELD('x', 't', "x-forwarded-host", 53),
    FIELD('x', 'o', "x-forwarded-proto", 54),
    FIELD('x', 'p', "x-real-ip", 55),
    FIELD('x', 'd', "x-request-id", 56),
    FIELD('a', 'l', "atoll-cdn-cache-control", 57),
    FIELD('p', 'o', "proxy-authentication-info", 58),
};
