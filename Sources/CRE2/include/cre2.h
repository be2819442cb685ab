#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
/// A compiled RE2 pattern. Owned by the caller, freed with cre2_free; safe to match from many threads.
typedef struct cre2_pattern cre2_pattern;
/// Compiles `pattern`; dot matches newline, UTF-8. Returns NULL only when out of memory: ask cre2_error.
/// The pattern and the automaton that its matches make have at most about `memory` bytes.
cre2_pattern *cre2_new(const char *pattern, size_t length, int64_t memory);
void cre2_free(cre2_pattern *p);
/// NULL when the pattern compiled; else why not, in the words of Go's regexp, owned by the pattern.
const char *cre2_error(const cre2_pattern *p);
/// Whether the pattern did not compile because it needs more memory than it may have.
int cre2_is_too_large(const cre2_pattern *p);
/// The part of a pattern that did not compile because of it, owned by the pattern.
const char *cre2_error_place(const cre2_pattern *p);
/// The number of instructions of the compiled pattern: a match takes up to so many steps for each byte.
int cre2_program_size(const cre2_pattern *p);
/// The number of capturing groups.
int cre2_groups(const cre2_pattern *p);
/// The number of the group called `name`, or -1.
int cre2_group_named(const cre2_pattern *p, const char *name, size_t length);
/// Whether the whole of `text` matches: 1, 0, or -1 when out of memory.
int cre2_full_match(const cre2_pattern *p, const char *text, size_t length);
/// As cre2_full_match; fills `spans` with 2 * count offsets (start, end; -1, -1 for a group that took no part).
int cre2_full_match_groups(const cre2_pattern *p, const char *text, size_t length, int64_t *spans, int count);
/// Searches unanchored from `from`; fills `spans` as above.
int cre2_search_groups(const cre2_pattern *p, const char *text, size_t length, size_t from, int64_t *spans, int count);
#ifdef __cplusplus
}
#endif
