/* Directories of the real machine. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "env/env_int.h"

/* Creates one directory whose parent exists, and makes its name durable in the parent. */
static status_t create_one(const char *path, struct error *error)
{
    if (mkdir(path, S_IRWXU) != 0) {
        int code = errno;
        struct stat info;
        if (code == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            return OK;
        if (code == EEXIST)
            return error_set(error, ERR_EXISTS, "\"%s\" is not a directory", path);
        return env__error_set(error, code, "create directory", path);
    }
    char *parent = env__parent_name(path);
    status_t status = env__dir_sync(NULL, parent, error);
    mem_free(parent);
    return status;
}

status_t env__dir_create(void *context, const char *path, struct error *error)
{
    ASSERT(context == NULL);
    if (path[0] == '\0')
        return error_set(error, ERR_INVALID, "directory name is empty");
    char *copy = mem_strdup(path);
    size_t size = strlen(copy);
    while (size > 1 && copy[size - 1] == '/')
        copy[--size] = '\0';
    status_t status = OK;
    /* Each prefix that ends before a slash, then the whole. */
    for (size_t i = 1; i < size && status == OK; i++) {
        if (copy[i] != '/' || copy[i - 1] == '/')
            continue;
        copy[i] = '\0';
        status = create_one(copy, error);
        copy[i] = '/';
    }
    if (status == OK)
        status = create_one(copy, error);
    mem_free(copy);
    return status;
}

status_t env__dir_list(void *context, const char *path, env_dir_list_fn *each, void *each_context,
                       struct error *error)
{
    ASSERT(context == NULL);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return env__error_set(error, errno, "open directory", path);
    int code;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        code = errno;
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(each_context, entry->d_name);
    }
    (void)closedir(dir);
    return code == 0 ? OK : env__error_set(error, code, "read directory", path);
}

status_t env__dir_sync(void *context, const char *path, struct error *error)
{
    ASSERT(context == NULL);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return env__error_set(error, errno, "open directory", path);
    int failed;
    do {
        failed = fsync(fd);
    } while (failed != 0 && errno == EINTR);
    status_t status = failed == 0 ? OK : env__error_set(error, errno, "sync directory", path);
    (void)close(fd);
    return status;
}

status_t env__disk_free(void *context, const char *path, uint64_t *bytes, struct error *error)
{
    ASSERT(context == NULL);
    struct statvfs info;
    if (statvfs(path, &info) != 0)
        return env__error_set(error, errno, "read free space of", path);
    *bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return OK;
}

status_t env__file_remove(void *context, const char *path, struct error *error)
{
    ASSERT(context == NULL);
    if (unlink(path) != 0)
        return env__error_set(error, errno, "remove file", path);
    return OK;
}

status_t env__file_rename(void *context, const char *from, const char *to, struct error *error)
{
    ASSERT(context == NULL);
    if (rename(from, to) != 0)
        return env__error_set(error, errno, "rename file", from);
    return OK;
}
