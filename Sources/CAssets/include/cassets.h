#pragma once
#include <stddef.h>

/// One embedded file: its path below Sources/CAssets/files, its bytes.
typedef struct {
    const char *path;
    const unsigned char *bytes;
    size_t length;
} casset;

extern const casset cassets[];
extern const size_t cassets_count;
