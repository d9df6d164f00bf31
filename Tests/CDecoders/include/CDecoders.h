// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The length of what a whole gzip or Brotli stream decodes to, -1 when it is none or `capacity`
/// does not hold it.
long cdecoders_gzip(const uint8_t *input, size_t length, uint8_t *output, size_t capacity);
long cdecoders_brotli(const uint8_t *input, size_t length, uint8_t *output, size_t capacity);
