// zlib as the target Compression uses it; no other target imports this module.
#pragma once
#include <zlib.h>

// deflateInit2 and inflateInit2 are macros, which Swift does not import. 16 + 15 window bits choose the gzip wrapper.
static inline int carillon_gzip_deflate_init(z_streamp stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
}

static inline int carillon_gzip_inflate_init(z_streamp stream) {
    return inflateInit2(stream, 16 + MAX_WBITS);
}
