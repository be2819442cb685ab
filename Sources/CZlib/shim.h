#pragma once
#include <zlib.h>
// deflateInit2 and inflateInit2 are macros, which Swift does not import.
static inline int czlib_inflate_init_gzip(z_stream *s) { return inflateInit2(s, 15 + 32); }
static inline int czlib_deflate_init_gzip(z_stream *s, int level) { return deflateInit2(s, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY); }
static inline int czlib_deflate_init_zlib(z_stream *s, int level) { return deflateInit2(s, level, Z_DEFLATED, 15, 8, Z_DEFAULT_STRATEGY); }
static inline int czlib_inflate_init_raw(z_stream *s) { return inflateInit2(s, -15); }
