#include "cplatform.h"

// Package.swift defines these from the environment of `make build`.
#ifndef MARTLET_REVISION
#define MARTLET_REVISION "unknown"
#endif
#ifndef MARTLET_BRANCH
#define MARTLET_BRANCH "unknown"
#endif
#ifndef MARTLET_BUILD_USER
#define MARTLET_BUILD_USER "unknown"
#endif
#ifndef MARTLET_BUILD_DATE
#define MARTLET_BUILD_DATE "unknown"
#endif

const char *cplatform_build_revision(void) { return MARTLET_REVISION; }
const char *cplatform_build_branch(void) { return MARTLET_BRANCH; }
const char *cplatform_build_user(void) { return MARTLET_BUILD_USER; }
const char *cplatform_build_date(void) { return MARTLET_BUILD_DATE; }
