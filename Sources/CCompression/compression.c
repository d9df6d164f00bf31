// SPDX-License-Identifier: Apache-2.0
#include "CCompression.h"

#include <brotli/encode.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct ccompression_encoder {
  int coding;
  size_t held, peak;
  z_stream gzip;
  BrotliEncoderState *brotli;
};

// Bits of Brotli's window: half a megabyte. Its default takes 27 MB for a body of 5 MB and makes
// that a tenth smaller; this one stays below 8 MB, and bodies below half a megabyte, which most are,
// come out the same.
enum { largest_window = 19 };

// Every block tells its size in the 16 bytes before it, which keeps the alignment of malloc.
enum { prefix = 16 };

static void *counted_allocate(void *opaque, size_t size) {
  ccompression_encoder *encoder = opaque;
  char *block = malloc(size + prefix);
  if (!block) return NULL;
  memcpy(block, &size, sizeof size);
  encoder->held += size;
  if (encoder->held > encoder->peak) encoder->peak = encoder->held;
  return block + prefix;
}

static void counted_free(void *opaque, void *address) {
  if (!address) return;
  ccompression_encoder *encoder = opaque;
  char *block = (char *)address - prefix;
  size_t size;
  memcpy(&size, block, sizeof size);
  encoder->held -= size;
  free(block);
}

static voidpf gzip_allocate(voidpf opaque, uInt items, uInt size) {
  return counted_allocate(opaque, (size_t)items * size);
}

static int begin_gzip(ccompression_encoder *encoder, int level) {
  encoder->gzip.zalloc = gzip_allocate;
  encoder->gzip.zfree = counted_free;
  encoder->gzip.opaque = encoder;
  // 15: the whole window; 16 more: the gzip format rather than zlib's.
  return deflateInit2(&encoder->gzip, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

static int begin_brotli(ccompression_encoder *encoder, int level, size_t length) {
  BrotliEncoderState *state = BrotliEncoderCreateInstance(counted_allocate, counted_free, encoder);
  if (!state) return 0;
  encoder->brotli = state;
  // A window no larger than the body: what it holds is allocated whole.
  uint32_t window = BROTLI_MIN_WINDOW_BITS;
  while (window < largest_window && ((size_t)1 << window) - 16 < length) window++;
  BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)level);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, window);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT,
                            length > UINT32_MAX ? UINT32_MAX : (uint32_t)length);
  return 1;
}

ccompression_encoder *ccompression_make(int coding, int level, size_t length) {
  ccompression_encoder *encoder = calloc(1, sizeof *encoder);
  if (!encoder) return NULL;
  encoder->coding = coding;
  int ready = coding == ccompression_gzip ? begin_gzip(encoder, level)
                                          : begin_brotli(encoder, level, length);
  if (ready) return encoder;
  free(encoder);
  return NULL;
}

static int run_gzip(z_stream *stream, const uint8_t **input, size_t *input_left, uint8_t **output,
                    size_t *output_left) {
  // zlib counts in 32 bits.
  for (;;) {
    uInt in = *input_left > UINT_MAX ? UINT_MAX : (uInt)*input_left;
    uInt out = *output_left > UINT_MAX ? UINT_MAX : (uInt)*output_left;
    stream->next_in = (Bytef *)*input;
    stream->avail_in = in;
    stream->next_out = *output;
    stream->avail_out = out;
    int result = deflate(stream, in == *input_left ? Z_FINISH : Z_NO_FLUSH);
    *input = stream->next_in;
    *input_left -= in - stream->avail_in;
    *output = stream->next_out;
    *output_left -= out - stream->avail_out;
    if (result == Z_STREAM_END) return ccompression_done;
    if (result != Z_OK && result != Z_BUF_ERROR) return ccompression_failed;
    if (*output_left == 0) return ccompression_full;
  }
}

int ccompression_run(ccompression_encoder *encoder, const uint8_t **input, size_t *input_left,
                     uint8_t **output, size_t *output_left) {
  if (*output_left == 0) return ccompression_full;
  if (encoder->coding == ccompression_gzip)
    return run_gzip(&encoder->gzip, input, input_left, output, output_left);
  if (!BrotliEncoderCompressStream(encoder->brotli, BROTLI_OPERATION_FINISH, input_left, input,
                                   output_left, output, NULL))
    return ccompression_failed;
  return BrotliEncoderIsFinished(encoder->brotli) ? ccompression_done : ccompression_full;
}

size_t ccompression_peak(const ccompression_encoder *encoder) { return encoder->peak; }

void ccompression_free(ccompression_encoder *encoder) {
  if (!encoder) return;
  if (encoder->coding == ccompression_gzip)
    deflateEnd(&encoder->gzip);
  else
    BrotliEncoderDestroyInstance(encoder->brotli);
  free(encoder);
}
