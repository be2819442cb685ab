#define _GNU_SOURCE
#include "cplatform.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static uint32_t table[8][256];

__attribute__((constructor)) static void make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ 0x82f63b78u : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t crc_portable(uint32_t c, const uint8_t *p, size_t n) {
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= c;
        c = table[7][w & 0xff] ^ table[6][(w >> 8) & 0xff] ^ table[5][(w >> 16) & 0xff] ^ table[4][(w >> 24) & 0xff] ^
            table[3][(w >> 32) & 0xff] ^ table[2][(w >> 40) & 0xff] ^ table[1][(w >> 48) & 0xff] ^ table[0][w >> 56];
        p += 8;
        n -= 8;
    }
    while (n--) c = (c >> 8) ^ table[0][(c ^ *p++) & 0xff];
    return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t c, const uint8_t *p, size_t n) {
    uint64_t wide = c;
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        wide = __builtin_ia32_crc32di(wide, w);
        p += 8;
        n -= 8;
    }
    c = (uint32_t)wide;
    while (n--) c = __builtin_ia32_crc32qi(c, *p++);
    return c;
}
#endif

#if defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t crc_arm(uint32_t c, const uint8_t *p, size_t n) {
    while (n >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        c = __builtin_arm_crc32cd(c, w);
        p += 8;
        n -= 8;
    }
    while (n--) c = __builtin_arm_crc32cb(c, *p++);
    return c;
}
#endif

uint32_t cplatform_crc32c(uint32_t crc, const void *bytes, size_t length) {
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~crc_sse42(crc, bytes, length);
#endif
#if defined(__aarch64__)
    if (getauxval(AT_HWCAP) & HWCAP_CRC32) return ~crc_arm(crc, bytes, length);
#endif
    return ~crc_portable(crc, bytes, length);
}

uint32_t cplatform_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
    return ~crc_portable(~crc, bytes, length);
}

int cplatform_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }

int cplatform_open_temporary(const char *directory) {
    int descriptor = open(directory, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    // Some file systems have no files without names.
    if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return descriptor;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/martlet-XXXXXX", directory) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    descriptor = mkostemp(path, O_APPEND | O_CLOEXEC);
    if (descriptor >= 0) unlink(path);
    return descriptor;
}

int cplatform_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

void cplatform_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

void cplatform_trim(void) { malloc_trim(0); }

void cplatform_bound_heaps(int count, int map_threshold, int trim_threshold) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, count);
    mallopt(M_MMAP_THRESHOLD, map_threshold);
    mallopt(M_TRIM_THRESHOLD, trim_threshold);
#endif
}

int cplatform_is_peer_gone(int socket) {
    struct pollfd entry = {socket, POLLRDHUP, 0};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

int cplatform_accept(int listener) {
    int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int yes = 1;
    if (accepted >= 0) setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return accepted;
}

void cplatform_peer(int socket, char *text, size_t length) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    text[0] = 0;
    if (getpeername(socket, (struct sockaddr *)&address, &size) != 0) return;
    if (getnameinfo((struct sockaddr *)&address, size, text, (socklen_t)length, NULL, 0, NI_NUMERICHOST) != 0) text[0] = 0;
    if (strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.')) memmove(text, text + 7, strlen(text + 7) + 1);
}

int cplatform_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

int cplatform_bell(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int cplatform_watch(int epoll, int socket, int reads, int writes, int once, uint64_t key) {
    struct epoll_event event = {0};
    event.events = (reads ? EPOLLIN | EPOLLRDHUP : 0) | (writes ? EPOLLOUT : 0) | (once ? EPOLLONESHOT : 0);
    event.data.u64 = key;
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) == 0) return 0;
    return errno == ENOENT ? epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) : -1;
}

int cplatform_wait(int epoll, uint64_t *keys, int most, int timeout_ms) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, most < 64 ? most : 64, timeout_ms);
    for (int i = 0; i < count; i++) keys[i] = events[i].data.u64;
    return count < 0 ? 0 : count;
}
