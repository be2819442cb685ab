#pragma once
#include <stddef.h>

/// One embedded file: its path below Sources/CAssets/files, its bytes.
typedef struct {
    const char *path;
    const unsigned char *bytes;
    size_t length;
} casset;

/// The embedded files; `count` receives their number. They live as long as the program.
const casset *cassets(size_t *count);
