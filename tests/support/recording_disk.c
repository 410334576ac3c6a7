/* A disk that keeps a log of what it is asked and fails when told to: preloaded, it answers for the C library's file calls.
 *
 * It watches the folder $RECORDED_FOLDER. Every change to a file in it, every sync, and what came of either, is a record in
 * $RECORDED_LOG, in the order in which they were done: a line `OP NAME HANDLE OFFSET LENGTH ERRNO`, and the LENGTH bytes of what
 * was written, renamed to, or marked. A file that was removed is called `deleted`. A file $RECORDED_LOG.fault with `FAMILY K ERRNO once|lasting` fails the K-th call from
 * then on (0 is the next) of that family (`sync` or `any`): once, which removes the file, or until the file is removed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { PATH_BYTES = 4096 };

static long left = -1; /* Calls of the family before one fails; none is to fail while it is negative. */
static int failing, fault_errno, only_sync, lasting;

/* The path within the folder; NULL outside of it. */
static const char *watched(const char *path) {
    const char *folder = getenv("RECORDED_FOLDER");
    size_t n = folder == NULL ? 0 : strlen(folder);
    if (n == 0 || strncmp(path, folder, n) != 0) return NULL;
    return path[n] == '/' ? path + n + 1 : path[n] == 0 ? "." : NULL;
}

static const char *watched_fd(int fd, char *path) {
    char link[64];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_BYTES - 1);
    errno = before;
    if (n < 0) return NULL;
    path[n] = 0;
    const char *name = watched(path), *end = " (deleted)";
    size_t of = strlen(end);
    return name != NULL && (size_t)n > of && strcmp(path + n - of, end) == 0 ? "deleted" : name;
}

static void record(const char *op, const char *name, int fd, long long at, const void *bytes, size_t n, int error) {
    static int to = -1;
    char head[PATH_BYTES + 128];
    int before = errno;
    if (to < 0) to = (int)syscall(SYS_openat, AT_FDCWD, getenv("RECORDED_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int length = snprintf(head, sizeof head, "%s %s %d %lld %zu %d\n", op, name, fd, at, n, error);
    struct iovec parts[2] = {{head, (size_t)length}, {(void *)bytes, bytes == NULL ? 0 : n}};
    if (syscall(SYS_writev, to, parts, 2) < length) abort();
    errno = before;
}

static void fault_path(char *path) { snprintf(path, PATH_BYTES, "%s.fault", getenv("RECORDED_LOG")); }

static void look_for_a_fault(void) {
    char path[PATH_BYTES], text[128] = {0}, family[16], mode[16];
    fault_path(path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        left = -1;
        failing = 0;
        return;
    }
    if (left < 0 && syscall(SYS_read, fd, text, sizeof text - 1) > 0 &&
        sscanf(text, "%15s %ld %d %15s", family, &left, &fault_errno, mode) == 4) {
        only_sync = strcmp(family, "sync") == 0;
        lasting = strcmp(mode, "lasting") == 0;
    }
    syscall(SYS_close, fd);
}

/* Whether this call is to fail, with errno set then. */
static int fails(int is_sync) {
    char path[PATH_BYTES];
    int before = errno;
    look_for_a_fault();
    errno = before;
    if (left < 0 || (only_sync && !is_sync)) return 0;
    if (!failing && left-- > 0) return 0;
    left = 0;
    failing = lasting;
    if (!lasting) {
        fault_path(path);
        syscall(SYS_unlinkat, AT_FDCWD, path, 0);
        left = -1;
    }
    errno = fault_errno;
    return 1;
}

static int sync_with(int (*real)(int), int fd) {
    char path[PATH_BYTES];
    const char *name = watched_fd(fd, path);
    if (name == NULL) return real(fd);
    int result = fails(1) ? -1 : real(fd);
    record("sync", name, fd, 0, NULL, 0, result == 0 ? 0 : errno);
    return result;
}

int fsync(int fd) { return sync_with(REAL(fsync), fd); }

int fdatasync(int fd) { return sync_with(REAL(fdatasync), fd); }

/* A full disk takes a part first. */
static ssize_t write_at(int fd, const void *bytes, size_t n, off_t at) {
    char path[PATH_BYTES];
    const char *name = watched_fd(fd, path);
    if (name == NULL) return syscall(SYS_pwrite64, fd, bytes, n, at);
    int failed = fails(0), why = errno;
    size_t taken = !failed ? n : why == ENOSPC ? n / 2 : 0;
    ssize_t result = taken == 0 ? 0 : syscall(SYS_pwrite64, fd, bytes, taken, at);
    int error = result < 0 ? errno : 0;
    if (result > 0) record("write", name, fd, at, bytes, (size_t)result, 0);
    if (!failed && error == 0) return result;
    errno = failed ? why : error;
    record("write", name, fd, at, NULL, 0, errno);
    return -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return write_at(fd, bytes, n, at); }

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) { return write_at(fd, bytes, n, at); }

ssize_t write(int fd, const void *bytes, size_t n) {
    char path[PATH_BYTES];
    if (watched_fd(fd, path) == NULL) return syscall(SYS_write, fd, bytes, n);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t result = write_at(fd, bytes, n, at);
    if (result > 0) lseek(fd, at + result, SEEK_SET);
    return result;
}

static int truncate_to(int fd, off64_t length) {
    char path[PATH_BYTES];
    const char *name = watched_fd(fd, path);
    int result = name != NULL && fails(0) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
    if (name != NULL) record("truncate", name, fd, length, NULL, 0, result == 0 ? 0 : errno);
    return result;
}

int ftruncate(int fd, off_t length) { return truncate_to(fd, length); }

int ftruncate64(int fd, off64_t length) { return truncate_to(fd, length); }

static int open_at(const char *path, int flags, mode_t mode) {
    const char *name = watched(path);
    int is_new = 0, before = errno;
    if (name == NULL) return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (flags & O_CREAT) is_new = access(path, F_OK) != 0;
    errno = before;
    int fd = fails(0) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = fd < 0 ? errno : 0;
    record(is_new ? "create" : "open", name, fd, 0, NULL, 0, error);
    if (fd >= 0 && !is_new && (flags & O_TRUNC)) record("truncate", name, fd, 0, NULL, 0, 0);
    return fd;
}

#define MODE_OF(flags)                          \
    mode_t mode = 0;                            \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {    \
        va_list rest;                           \
        va_start(rest, flags);                  \
        mode = (mode_t)va_arg(rest, int);       \
        va_end(rest);                           \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
    char path[PATH_BYTES];
    const char *name = watched_fd(fd, path);
    if (name != NULL) record("close", name, fd, 0, NULL, 0, 0);
    return (int)syscall(SYS_close, fd);
}

int unlink(const char *path) {
    const char *name = watched(path);
    int result = REAL(unlink)(path);
    if (name != NULL && result == 0) record("unlink", name, -1, 0, NULL, 0, 0);
    return result;
}

int rename(const char *from, const char *to) {
    const char *name = watched(from), *then = watched(to);
    int result = REAL(rename)(from, to);
    if (name != NULL && then != NULL && result == 0) record("rename", name, -1, 0, then, strlen(then), 0);
    return result;
}

static void *map(void *at, size_t n, int protection, int flags, int fd, off64_t offset) {
    char path[PATH_BYTES];
    const char *name = fd < 0 ? NULL : watched_fd(fd, path);
    if (name != NULL) record("map", name, fd, offset, NULL, 0, 0);
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) { return map(at, n, protection, flags, fd, offset); }

void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset) { return map(at, n, protection, flags, fd, offset); }
