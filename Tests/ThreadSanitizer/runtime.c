// Tells ThreadSanitizer what Swift's runtime does where it cannot look. Preloaded by scripts/tsan.sh, in front of
// libswiftSynchronization and libswift_Concurrency.
//
// Mutex: its slow path waits in the kernel; the fast path is compiled into the caller and seen.
// Continuation: the runtime tells of a task that waits and is started again, but not of one whose continuation was
// resumed before the task waits for it: this task goes on at once.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SWIFT_SELF __attribute__((swift_context))
#define SWIFT_CALL __attribute__((swiftcall))
#define SWIFT_ASYNC_CONTEXT __attribute__((swift_async_context))
#define SWIFT_ASYNC_CALL __attribute__((swiftasynccall))

// Synchronization._MutexHandle._lockSlow(UInt32), ._unlockSlow()
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define TASK_SWITCH "swift_task_switch"

typedef SWIFT_CALL void (*lock_slow)(uint32_t, SWIFT_SELF void *);
typedef SWIFT_CALL void (*unlock_slow)(SWIFT_SELF void *);
typedef SWIFT_ASYNC_CALL void (*task_switch)(SWIFT_ASYNC_CONTEXT void *, void *, void *, void *);

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));
extern SWIFT_CALL void *swift_task_getCurrent(void) __attribute__((weak));

static void *original(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        fprintf(stderr, "runtime.c: this Swift has no %s; look at what its runtime calls\n", name);
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

// What resumes a continuation releases the task; the task calls this when it returns from a function that waited.
SWIFT_ASYNC_CALL void martlet_task_switch(
    SWIFT_ASYNC_CONTEXT void *context, void *next, void *executor, void *witness) __asm__(TASK_SWITCH);
SWIFT_ASYNC_CALL void martlet_task_switch(
    SWIFT_ASYNC_CONTEXT void *context, void *next, void *executor, void *witness) {
    task_switch function = (task_switch)original(TASK_SWITCH);
    void *task = swift_task_getCurrent ? swift_task_getCurrent() : NULL;
    if (__tsan_acquire && task) __tsan_acquire(task);
    __attribute__((musttail)) return function(context, next, executor, witness);
}
