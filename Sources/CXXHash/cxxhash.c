#include "cxxhash.h"

// All of the header is inlined: no shared library is linked.
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cxxhash_64(const void *bytes, size_t length, uint64_t seed) { return XXH64(bytes, length, seed); }
