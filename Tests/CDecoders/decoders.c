// SPDX-License-Identifier: Apache-2.0
#include "CDecoders.h"

#include <brotli/decode.h>
#include <zlib.h>

long cdecoders_gzip(const uint8_t *input, size_t length, uint8_t *output, size_t capacity) {
  z_stream stream = {0};
  stream.next_in = (Bytef *)input;
  stream.avail_in = (uInt)length;
  stream.next_out = output;
  stream.avail_out = (uInt)capacity;
  // 16: the gzip format and nothing else.
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return -1;
  int result = inflate(&stream, Z_FINISH);
  long written = (long)stream.total_out;
  int is_whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return is_whole ? written : -1;
}

long cdecoders_brotli(const uint8_t *input, size_t length, uint8_t *output, size_t capacity) {
  size_t written = capacity;
  if (BrotliDecoderDecompress(length, input, &written, output) != BROTLI_DECODER_RESULT_SUCCESS)
    return -1;
  return (long)written;
}
