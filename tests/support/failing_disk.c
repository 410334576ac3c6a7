/* A disk that fails when told to: preloaded under the daemon, it answers for the C library's sync and write.
 *
 * In the folder $FAILING_DISK: each file `sync.N` lets one sync fail with EIO and is used up by that; `sync.always` lets all
 * fail; `write.always` lets every write to a write-ahead log fail with ENOSPC, and `write.second` every write to an unfinished
 * backup or a log of events; while there is `sync.held`, a sync waits, and
 * says so by the file `sync.waits`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define TOKENS_MAX 16

static int exists(const char *name, int used_up) {
    const char *dir = getenv("FAILING_DISK");
    char path[4096];
    if (dir == NULL) return 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return (used_up ? unlink(path) : access(path, F_OK)) == 0;
}

static void be_held(void) {
    char path[4096];
    int before = errno;
    if (exists("sync.held", 0)) {
        snprintf(path, sizeof path, "%s/sync.waits", getenv("FAILING_DISK"));
        FILE *waits = fopen(path, "w");
        if (waits != NULL) fclose(waits);
        while (exists("sync.held", 0)) usleep(1000);
        unlink(path);
    }
    errno = before;
}

static int sync_fails(void) {
    be_held();
    int before = errno, fails = exists("sync.always", 0);
    for (int n = 0; n < TOKENS_MAX && !fails; n++) {
        char name[32];
        snprintf(name, sizeof name, "sync.%d", n);
        fails = exists(name, 1);
    }
    errno = fails ? EIO : before;
    return fails;
}

static int ends_with(int fd, const char *end) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path), length = strlen(end);
    return n > length && memcmp(path + n - length, end, length) == 0;
}

static int write_fails(int fd) {
    int before = errno, fails = 0;
    if (exists("write.always", 0)) fails = ends_with(fd, "-wal");
    if (exists("write.second", 0)) fails |= ends_with(fd, ".partial") || ends_with(fd, ".jsonl");
    errno = fails ? ENOSPC : before;
    return fails;
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return sync_fails() ? -1 : real(fd);
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return sync_fails() ? -1 : real(fd);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return write_fails(fd) ? -1 : real(fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    return write_fails(fd) ? -1 : real(fd, bytes, n, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    ssize_t (*real)(int, const void *, size_t, off64_t) =
        (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return write_fails(fd) ? -1 : real(fd, bytes, n, at);
}
