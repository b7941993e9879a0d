/* The door itself: each call goes to the machine its env, file or map belongs to. */
#include "env/env.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "env/env_int.h"

status_t env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out,
                       struct error *error)
{
    ASSERT(env != NULL && path != NULL && out != NULL);
    ASSERT(!(flags & ENV_OPEN_EXCLUSIVE) || (flags & ENV_OPEN_CREATE));
    ASSERT(!(flags & ENV_OPEN_READ_ONLY) || !(flags & ENV_OPEN_CREATE));
    *out = NULL;
    status_t status = env->ops->file_open(env->context, path, flags, out, error);
    ASSERT((status == OK) == (*out != NULL));
    return status;
}

void env_file_close(struct env_file *file)
{
    if (file != NULL)
        file->ops->file_close(file);
}

status_t env_file_size(struct env_file *file, uint64_t *size, struct error *error)
{
    ASSERT(file != NULL && size != NULL);
    return file->ops->file_size(file, size, error);
}

status_t env_file_read(struct env_file *file, uint64_t offset, void *data, size_t size, size_t *got,
                       struct error *error)
{
    ASSERT(file != NULL && got != NULL);
    ASSERT(data != NULL || size == 0);
    *got = 0;
    status_t status = file->ops->file_read(file, offset, data, size, got, error);
    ASSERT(*got <= size);
    return status;
}

status_t env_file_write(struct env_file *file, uint64_t offset, const void *data, size_t size,
                        struct error *error)
{
    ASSERT(file != NULL);
    ASSERT(data != NULL || size == 0);
    return file->ops->file_write(file, offset, data, size, error);
}

status_t env_file_sync(struct env_file *file, struct error *error)
{
    ASSERT(file != NULL);
    return file->ops->file_sync(file, error);
}

status_t env_file_preallocate(struct env_file *file, uint64_t offset, uint64_t size,
                              struct error *error)
{
    ASSERT(file != NULL);
    ASSERT(offset + size >= offset);
    return size == 0 ? OK : file->ops->file_preallocate(file, offset, size, error);
}

status_t env_file_punch(struct env_file *file, uint64_t offset, uint64_t size, struct error *error)
{
    ASSERT(file != NULL && size > 0);
    ASSERT(offset % 4096 == 0 && size % 4096 == 0 && offset + size >= offset);
    return file->ops->file_punch(file, offset, size, error);
}

status_t env_file_truncate(struct env_file *file, uint64_t size, struct error *error)
{
    ASSERT(file != NULL);
    return file->ops->file_truncate(file, size, error);
}

status_t env_file_lock(struct env_file *file, struct error *error)
{
    ASSERT(file != NULL);
    return file->ops->file_lock(file, error);
}

status_t env_map_create(struct env_file *file, uint64_t size_max, bool writable,
                        struct env_map **out, struct error *error)
{
    ASSERT(file != NULL && out != NULL);
    ASSERT(size_max > 0);
    *out = NULL;
    status_t status = file->ops->map_create(file, size_max, writable, out, error);
    ASSERT((status == OK) == (*out != NULL));
    return status;
}

status_t env_map_extend(struct env_map *map, uint64_t size, struct error *error)
{
    ASSERT(map != NULL);
    return map->ops->map_extend(map, size, error);
}

void env_map_touch(struct env_map *map, uint64_t offset, uint64_t size)
{
    ASSERT(map && size > 0);
    if (map->ops->map_touch)
        map->ops->map_touch(map, offset, size);
}

uint8_t *env_map_base(struct env_map *map)
{
    ASSERT(map != NULL);
    return map->ops->map_base(map);
}

status_t env_map_sync(struct env_map *map, uint64_t offset, uint64_t size, struct error *error)
{
    ASSERT(map != NULL);
    ASSERT(offset + size >= offset);
    return map->ops->map_sync(map, offset, size, error);
}

void env_map_destroy(struct env_map *map)
{
    if (map != NULL)
        map->ops->map_destroy(map);
}

status_t env_dir_create(struct env *env, const char *path, struct error *error)
{
    ASSERT(env != NULL && path != NULL);
    return env->ops->dir_create(env->context, path, error);
}

status_t env_dir_list(struct env *env, const char *path, env_dir_list_fn *each, void *each_context,
                      struct error *error)
{
    ASSERT(env != NULL && path != NULL);
    ASSERT(each != NULL);
    return env->ops->dir_list(env->context, path, each, each_context, error);
}

status_t env_dir_sync(struct env *env, const char *path, struct error *error)
{
    ASSERT(env != NULL && path != NULL);
    return env->ops->dir_sync(env->context, path, error);
}

char *env__parent_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

status_t env_dir_sync_parent(struct env *env, const char *path, struct error *error)
{
    char *parent = env__parent_name(path);
    status_t status = env_dir_sync(env, parent, error);
    mem_free(parent);
    return status;
}

status_t env_disk_free(struct env *env, const char *path, uint64_t *bytes, struct error *error)
{
    ASSERT(path && bytes);
    return env->ops->disk_free(env->context, path, bytes, error);
}

status_t env_file_remove(struct env *env, const char *path, struct error *error)
{
    ASSERT(env != NULL && path != NULL);
    return env->ops->file_remove(env->context, path, error);
}

status_t env_file_rename(struct env *env, const char *from, const char *to, struct error *error)
{
    ASSERT(env != NULL && from != NULL && to != NULL);
    return env->ops->file_rename(env->context, from, to, error);
}

uint64_t env_monotonic_us(struct env *env)
{
    ASSERT(env != NULL);
    return env->ops->monotonic_us(env->context);
}

uint64_t env_wall_us(struct env *env)
{
    ASSERT(env != NULL);
    return env->ops->wall_us(env->context);
}

void env_random_bytes(struct env *env, void *out, size_t size)
{
    ASSERT(env != NULL);
    ASSERT(out != NULL || size == 0);
    env->ops->random_bytes(env->context, out, size);
}
