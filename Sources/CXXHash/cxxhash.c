#include "cxxhash.h"

// All of the header is inlined: no shared library is linked. It includes the processor's intrinsics, whose module Swift
// would take for the owner of the C library's types, so it is not included by a header that Swift reads.
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cxxhash_64(const void *bytes, size_t length, uint64_t seed) { return XXH64(bytes, length, seed); }
