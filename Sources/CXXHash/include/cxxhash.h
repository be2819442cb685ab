#pragma once

#include <stddef.h>
#include <stdint.h>

/// XXH64 of `length` bytes.
///
/// No header of xxHash is included here: it brings the compiler's intrinsics into every module that imports this one.
uint64_t cxxhash_64(const void *bytes, size_t length, uint64_t seed);
