/* Files of the real machine. Every call that a signal can interrupt is repeated. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "env/env_int.h"

/* The kernel moves at most this much in one call (read(2), NOTES). */
#define IO_SIZE_MAX ((size_t)1 << 30)

struct env__real_file *env__real_file(struct env_file *file)
{
    ASSERT(file != NULL);
    ASSERT(file->ops == &env__real_ops);
    return (struct env__real_file *)file;
}

status_t env__file_open(void *context, const char *path, unsigned flags, struct env_file **out,
                        struct error *error)
{
    ASSERT(context == NULL);
    int mode = (flags & ENV_OPEN_READ_ONLY) ? O_RDONLY : O_RDWR;
    if (flags & ENV_OPEN_CREATE)
        mode |= O_CREAT;
    if (flags & ENV_OPEN_EXCLUSIVE)
        mode |= O_EXCL;
    int fd;
    do {
        fd = open(path, mode | O_CLOEXEC, S_IRUSR | S_IWUSR);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return env__error_set(error, errno, "open file", path);

    struct env__real_file *file = mem_zalloc(1, sizeof *file);
    file->base.ops = &env__real_ops;
    file->fd = fd;
    file->path = mem_strdup(path);
    *out = &file->base;
    return OK;
}

void env__file_close(struct env_file *file)
{
    struct env__real_file *real = env__real_file(file);
    /* Nothing to do about a failure: whatever had to be durable was synced before. */
    (void)close(real->fd);
    mem_free(real->path);
    mem_free(real);
}

status_t env__file_size(struct env_file *file, uint64_t *size, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    struct stat info;
    if (fstat(real->fd, &info) != 0)
        return env__error_set(error, errno, "stat file", real->path);
    ASSERT(info.st_size >= 0);
    *size = (uint64_t)info.st_size;
    return OK;
}

status_t env__file_read(struct env_file *file, uint64_t offset, void *data, size_t size,
                        size_t *got, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    uint8_t *at = data;
    size_t done = 0;
    while (done < size) {
        size_t ask = size - done < IO_SIZE_MAX ? size - done : IO_SIZE_MAX;
        ssize_t n = pread(real->fd, at + done, ask, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return env__error_set(error, errno, "read file", real->path);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return OK;
}

status_t env__file_write(struct env_file *file, uint64_t offset, const void *data, size_t size,
                         struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    const uint8_t *at = data;
    size_t done = 0;
    while (done < size) {
        size_t ask = size - done < IO_SIZE_MAX ? size - done : IO_SIZE_MAX;
        ssize_t n = pwrite(real->fd, at + done, ask, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return env__error_set(error, errno, "write file", real->path);
        if (n == 0) /* not in POSIX for a size above 0; would loop for ever */
            return env__error_set(error, EIO, "write file", real->path);
        done += (size_t)n;
    }
    return OK;
}

status_t env__file_sync(struct env_file *file, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    /* No retry but for EINTR: after any other failure the kernel may have dropped the dirty pages
     * and would report success the next time. */
    while (fdatasync(real->fd) != 0) {
        if (errno != EINTR)
            return env__error_set(error, errno, "sync file", real->path);
    }
    return OK;
}

/* For file systems without fallocate: zeros written behind the end take their blocks. What lies
 * before the end was allocated the same way, by the call that moved the end there. */
static status_t preallocate_by_writing(struct env__real_file *real, uint64_t end,
                                       struct error *error)
{
    static const uint8_t zeros[64 * 1024];
    uint64_t at;
    status_t status = env__file_size(&real->base, &at, error);
    while (status == OK && at < end) {
        size_t n = end - at < sizeof zeros ? (size_t)(end - at) : sizeof zeros;
        status = env__file_write(&real->base, at, zeros, n, error);
        at += n;
    }
    return status;
}

status_t env__file_preallocate(struct env_file *file, uint64_t offset, uint64_t size,
                               struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    ASSERT(size > 0);
    while (fallocate(real->fd, 0, (off_t)offset, (off_t)size) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return preallocate_by_writing(real, offset + size, error);
        if (errno != EINTR)
            return env__error_set(error, errno, "allocate space for file", real->path);
    }
    return OK;
}

status_t env__file_punch(struct env_file *file, uint64_t offset, uint64_t size, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    while (fallocate(real->fd, mode, (off_t)offset, (off_t)size) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return error_set(error, ERR_UNSUPPORTED,
                             "file system of \"%s\" cannot take back parts of files", real->path);
        if (errno != EINTR)
            return env__error_set(error, errno, "give back space of file", real->path);
    }
    return OK;
}

status_t env__file_truncate(struct env_file *file, uint64_t size, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    while (ftruncate(real->fd, (off_t)size) != 0) {
        if (errno != EINTR)
            return env__error_set(error, errno, "truncate file", real->path);
    }
    return OK;
}

/* Open file description locks (fcntl(2)) belong to this open alone: unlike POSIX record locks they
 * conflict with other opens in the same process, and do not vanish when one of those is closed. */
status_t env__file_lock(struct env_file *file, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    bool reads = (fcntl(real->fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    struct flock lock = {.l_type = reads ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(real->fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return error_set(error, ERR_LOCKED, "file \"%s\" is in use by another process",
                             real->path);
        if (errno != EINTR)
            return env__error_set(error, errno, "lock file", real->path);
    }
    return OK;
}
