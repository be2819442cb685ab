// Tells ThreadSanitizer about the slow path of Swift's Mutex, which waits in the kernel where it cannot look: the fast
// path is compiled into the caller and seen. Preloaded by scripts/tsan.sh; in front of libswiftSynchronization.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SWIFT_SELF __attribute__((swift_context))
#define SWIFT_CALL __attribute__((swiftcall))

// Synchronization._MutexHandle._lockSlow(UInt32), ._unlockSlow()
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT_CALL void (*lock_slow)(uint32_t, SWIFT_SELF void *);
typedef SWIFT_CALL void (*unlock_slow)(SWIFT_SELF void *);

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

static void *original(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "mutex.c: this Swift has no %s; look at what its Mutex calls\n", name);
        abort();
    }
    return found;
}

SWIFT_CALL void martlet_lock_slow(uint32_t thread, SWIFT_SELF void *mutex) __asm__(LOCK_SLOW);
SWIFT_CALL void martlet_lock_slow(uint32_t thread, SWIFT_SELF void *mutex) {
    ((lock_slow)original(LOCK_SLOW))(thread, mutex);
    if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT_CALL void martlet_unlock_slow(SWIFT_SELF void *mutex) __asm__(UNLOCK_SLOW);
SWIFT_CALL void martlet_unlock_slow(SWIFT_SELF void *mutex) {
    if (__tsan_release) __tsan_release(mutex);
    ((unlock_slow)original(UNLOCK_SLOW))(mutex);
}
