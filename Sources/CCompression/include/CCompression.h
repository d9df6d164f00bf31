// SPDX-License-Identifier: Apache-2.0
// One narrow door to zlib and Brotli: both encoders behind the same three calls, so that neither
// library's macros and types reach Swift.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { ccompression_gzip = 0, ccompression_brotli = 1 };
enum { ccompression_done = 0, ccompression_full = 1, ccompression_failed = -1 };

typedef struct ccompression_encoder ccompression_encoder;

/// An encoder for `length` bytes; NULL without memory.
ccompression_encoder *ccompression_make(int coding, int level, size_t length);

/// Reads from `*input` and writes to `*output`, moving both on. `done`: everything is written;
/// `full`: there is more to come and the output is used up.
int ccompression_run(ccompression_encoder *encoder, const uint8_t **input, size_t *input_left,
                     uint8_t **output, size_t *output_left);

/// The most memory that it has held, in bytes.
size_t ccompression_peak(const ccompression_encoder *encoder);

void ccompression_free(ccompression_encoder *encoder);
