#pragma once
// What Swift cannot import from the system: CPU instructions and variadic calls.
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `length` bytes, continuing from `crc` (0 to begin).
///
/// It uses the instructions of x86-64 (SSE 4.2) or arm64 (CRC32) if the processor has them.
uint32_t cplatform_crc32c(uint32_t crc, const void *bytes, size_t length);

/// `cplatform_crc32c` without instructions of the processor, slicing by 8 (Kounavis and Berry, 2005).
uint32_t cplatform_crc32c_portable(uint32_t crc, const void *bytes, size_t length);
/// open(2) with a mode; Swift does not import the variadic form.
int cplatform_open(const char *path, int flags, unsigned mode);
/// Opens an empty file without a name in a directory, for reading and appending; its descriptor, or -1 with errno.
int cplatform_open_temporary(const char *directory);
/// Another descriptor of an open file, or -1 with errno.
int cplatform_duplicate(int descriptor);
/// Gives freed memory that the allocator keeps back to the system: malloc_trim(3).
void cplatform_trim(void);
/// Names the calling thread; at most 15 bytes are shown.
void cplatform_name_thread(const char *name);
/// Sets how many heaps malloc(3) keeps, and from which sizes on it gives memory back to the system.
void cplatform_bound_heaps(int count, int map_threshold, int trim_threshold);
/// Whether the peer of a socket has closed its end, also when unread bytes lie before that, as those of TLS do.
int cplatform_is_peer_gone(int socket);
/// Accepts a connection, non-blocking; its descriptor, or -1 with errno.
int cplatform_accept(int listener);
/// Writes the numeric address of a socket's peer; empty if unknown.
void cplatform_peer(int socket, char *text, size_t length);
/// A new epoll instance, or -1.
int cplatform_epoll(void);
/// A descriptor that is readable once 8 bytes were written to it, or -1.
int cplatform_bell(void);
/// Watches a socket in an epoll instance, under `key`; `once` takes one event only. Adds it if it is not in yet.
int cplatform_watch(int epoll, int socket, int reads, int writes, int once, uint64_t key);
/// Waits for at most `most` events; their keys. A signal counts as no event.
int cplatform_wait(int epoll, uint64_t *keys, int most, int timeout_ms);
/// The git revision, branch, user and date of the build, or `unknown`.
const char *cplatform_build_revision(void);
const char *cplatform_build_branch(void);
const char *cplatform_build_user(void);
const char *cplatform_build_date(void);
