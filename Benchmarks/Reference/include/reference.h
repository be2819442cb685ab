#pragma once
// The decoders of sealed chunks in plain C, to compare the Swift ones with.
#include <stddef.h>
#include <stdint.h>

/// Reads `count` integers in the form of docs/formats/chunks.md (packed integers); 0 if the bytes end early or are wrong.
/// May read up to 8 bytes behind the raw bits.
int reference_packed(const uint8_t *bytes, size_t size, const uint8_t *bits, size_t count, int64_t *out);
/// Packed decimals: a scale and packed integers.
int reference_decimals(const uint8_t *bytes, size_t size, const uint8_t *bits, size_t count, double *out);
/// Gorilla XOR: 8 bytes of the first value, then codes. May read up to 16 bytes behind `size`.
int reference_xor(const uint8_t *bytes, size_t size, size_t count, double *out);
