#pragma once

#include <stddef.h>
#include <stdint.h>

/// XXH64 of `length` bytes.
uint64_t cxxhash_64(const void *bytes, size_t length, uint64_t seed);
