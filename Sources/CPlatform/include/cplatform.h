#pragma once
// What Swift cannot import from the system: CPU instructions and variadic calls.
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `length` bytes, continuing from `crc` (0 to begin).
uint32_t cplatform_crc32c(uint32_t crc, const void *bytes, size_t length);
/// open(2) with a mode; Swift does not import the variadic form.
int cplatform_open(const char *path, int flags, unsigned mode);
/// Gives freed memory that the allocator keeps back to the system: malloc_trim(3).
void cplatform_trim(void);
/// Names the calling thread; at most 15 bytes are shown.
void cplatform_name_thread(const char *name);
/// Sets how many heaps malloc(3) keeps, and from which sizes on it gives memory back to the system.
void cplatform_bound_heaps(int count, int map_threshold, int trim_threshold);
/// The git revision, branch, user and date of the build, or `unknown`.
const char *cplatform_build_revision(void);
const char *cplatform_build_branch(void);
const char *cplatform_build_user(void);
const char *cplatform_build_date(void);
