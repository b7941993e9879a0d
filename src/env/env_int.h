/* Inside of env: what an implementation of `struct env_ops` puts first in its files and maps, and
 * the real machine's own structures. A simulated machine includes this too. */
#ifndef ENV_ENV_INT_H
#define ENV_ENV_INT_H

#include "env/env.h"

/* First member of every implementation's file and map, so that a call on a handle finds its
 * machine without being told. */
struct env_file {
    const struct env_ops *ops;
};

struct env_map {
    const struct env_ops *ops;
};

/* The directory that `path` is in; given back with mem_free. */
char *env__parent_name(const char *path);

/* ---- the real machine ----------------------------------------------------------------------- */

extern const struct env_ops env__real_ops;

struct env__real_file {
    struct env_file base;
    int fd;
    char *path; /* owned; for messages */
};

struct env__real_file *env__real_file(struct env_file *file);

/* The status of an errno value, with "could not <action> "<path>": <reason>" in `error`. */
status_t env__error_set(struct error *error, int code, const char *action, const char *path);

status_t env__file_open(void *context, const char *path, unsigned flags, struct env_file **out,
                        struct error *error);
void env__file_close(struct env_file *file);
status_t env__file_size(struct env_file *file, uint64_t *size, struct error *error);
status_t env__file_read(struct env_file *file, uint64_t offset, void *data, size_t size,
                        size_t *got, struct error *error);
status_t env__file_write(struct env_file *file, uint64_t offset, const void *data, size_t size,
                         struct error *error);
status_t env__file_sync(struct env_file *file, struct error *error);
status_t env__file_preallocate(struct env_file *file, uint64_t offset, uint64_t size,
                               struct error *error);
status_t env__file_punch(struct env_file *file, uint64_t offset, uint64_t size,
                         struct error *error);
status_t env__file_truncate(struct env_file *file, uint64_t size, struct error *error);
status_t env__file_lock(struct env_file *file, struct error *error);

status_t env__map_create(struct env_file *file, uint64_t size_max, bool writable,
                         struct env_map **out, struct error *error);
status_t env__map_extend(struct env_map *map, uint64_t size, struct error *error);
void env__map_touch(struct env_map *map, uint64_t offset, uint64_t size);
uint8_t *env__map_base(struct env_map *map);
status_t env__map_sync(struct env_map *map, uint64_t offset, uint64_t size, struct error *error);
void env__map_destroy(struct env_map *map);

status_t env__dir_create(void *context, const char *path, struct error *error);
status_t env__dir_list(void *context, const char *path, env_dir_list_fn *each, void *each_context,
                       struct error *error);
status_t env__dir_sync(void *context, const char *path, struct error *error);
status_t env__disk_free(void *context, const char *path, uint64_t *bytes, struct error *error);
status_t env__file_remove(void *context, const char *path, struct error *error);
status_t env__file_rename(void *context, const char *from, const char *to, struct error *error);

#endif
