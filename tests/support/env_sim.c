/* The simulated machine itself: its names, clocks, randomness and faults. */
#include "env_sim.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "env_sim_int.h"

#define WALL_START_US UINT64_C(1577836800000000)

/* ---- faults --------------------------------------------------------------------------------- */

status_t sim__call(struct env_sim *sim, enum env_sim_call kind, bool changes, const char *path,
                   struct error *error)
{
    ASSERT(kind < ENV_SIM_CALL_COUNT);
    sim->calls[kind]++;
    if (changes && !sim->off && ++sim->changes_made == sim->off_at)
        env_sim_power_off(sim);
    if (sim->off)
        return error_set(error, ERR_IO, "could not reach \"%s\": power is off", path);
    if (sim->calls[kind] == sim->fail_at[kind]) {
        sim->fail_at[kind] = 0;
        return error_set(error, kind == ENV_SIM_PREALLOCATE ? ERR_DISK_FULL : ERR_IO,
                         "could not reach \"%s\": a failure was ordered", path);
    }
    return OK;
}

void env_sim_fail_after(struct env_sim *sim, enum env_sim_call kind, uint64_t after)
{
    ASSERT(kind < ENV_SIM_CALL_COUNT);
    sim->fail_at[kind] = sim->calls[kind] + after + 1;
}

bool env_sim_fail_pending(const struct env_sim *sim, enum env_sim_call kind)
{
    ASSERT(kind < ENV_SIM_CALL_COUNT);
    return sim->fail_at[kind] != 0;
}

void env_sim_fail_none(struct env_sim *sim)
{
    memset(sim->fail_at, 0, sizeof sim->fail_at);
    sim->off_at = 0;
}

uint64_t env_sim_calls(const struct env_sim *sim, enum env_sim_call kind)
{
    ASSERT(kind < ENV_SIM_CALL_COUNT);
    return sim->calls[kind];
}

void env_sim_power_off_after(struct env_sim *sim, uint64_t after)
{
    ASSERT(!sim->off);
    sim->off_at = sim->changes_made + after + 1;
}

void env_sim_set_survival(struct env_sim *sim, enum env_sim_survival survival)
{
    sim->survival = survival;
}

void env_sim_set_capacity(struct env_sim *sim, uint64_t bytes)
{
    sim->capacity = bytes;
}

uint64_t env_sim_disk_used(const struct env_sim *sim)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < sim->name_count; i++)
        used += sim->names[i].now != NULL ? sim__inode_used(sim->names[i].now) : 0;
    return used;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* A copy without doubled slashes and without one at the end. */
static char *path_clean(const char *path)
{
    char *clean = mem_strdup(path);
    size_t used = 0;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at != '/' || used == 0 || clean[used - 1] != '/')
            clean[used++] = *at;
    }
    if (used > 1 && clean[used - 1] == '/')
        used--;
    clean[used] = '\0';
    return clean;
}

/* Bytes of the directory part; 0: none. */
static size_t path_dir_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

static bool path_is_in(const char *path, const char *dir)
{
    size_t size = path_dir_size(path);
    return size == strlen(dir) && memcmp(path, dir, size) == 0;
}

static bool dir_exists(const struct env_sim *sim, const char *path, size_t size)
{
    if (size == 0 || (size == 1 && path[0] == '/'))
        return true;
    for (uint32_t i = 0; i < sim->dir_count; i++) {
        if (strlen(sim->dirs[i]) == size && memcmp(sim->dirs[i], path, size) == 0)
            return true;
    }
    return false;
}

struct sim_name *sim__name_find(struct env_sim *sim, const char *path, bool create)
{
    for (uint32_t i = 0; i < sim->name_count; i++) {
        if (strcmp(sim->names[i].path, path) == 0)
            return &sim->names[i];
    }
    if (!create)
        return NULL;
    sim->names = vec_grow(sim->names, &sim->name_capacity, sim->name_count + 1, sizeof *sim->names);
    sim->names[sim->name_count] = (struct sim_name){.path = mem_strdup(path)};
    return &sim->names[sim->name_count++];
}

static void point(struct sim_inode **place, struct sim_inode *inode)
{
    if (inode != NULL)
        sim__inode_reference(inode);
    if (*place != NULL)
        sim__inode_release(*place);
    *place = inode;
}

void sim__change_apply(struct env_sim *sim, struct sim_change *change)
{
    if (change->from != NULL) {
        struct sim_name *from = sim__name_find(sim, change->from, false);
        if (from == NULL || from->durable != change->inode)
            return; /* what made that name was lost */
        point(&from->durable, NULL);
    }
    if (change->to != NULL)
        point(&sim__name_find(sim, change->to, true)->durable, change->inode);
}

void sim__change_free(struct sim_change *change)
{
    mem_free(change->from);
    mem_free(change->to);
    sim__inode_release(change->inode);
}

static void change_note(struct env_sim *sim, const char *from, const char *to,
                        struct sim_inode *inode)
{
    sim->changes =
        vec_grow(sim->changes, &sim->change_capacity, sim->change_count + 1, sizeof *sim->changes);
    sim__inode_reference(inode);
    sim->changes[sim->change_count++] =
        (struct sim_change){.from = from != NULL ? mem_strdup(from) : NULL,
                            .to = to != NULL ? mem_strdup(to) : NULL,
                            .inode = inode};
}

/* Forgets names that are nowhere any more. */
static void names_sweep(struct env_sim *sim)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sim->name_count; i++) {
        if (sim->names[i].now == NULL && sim->names[i].durable == NULL)
            mem_free(sim->names[i].path);
        else
            sim->names[kept++] = sim->names[i];
    }
    sim->name_count = kept;
}

static struct env_file *handle_create(struct env_sim *sim, char *path, struct sim_inode *inode,
                                      bool read_only)
{
    struct sim_file *file = mem_zalloc(1, sizeof *file);
    *file = (struct sim_file){.base.ops = sim->env.ops,
                              .sim = sim,
                              .inode = inode,
                              .incarnation = sim->incarnation,
                              .read_only = read_only,
                              .path = path};
    sim__inode_reference(inode);
    sim->handles++;
    return &file->base;
}

static status_t sim_open(void *context, const char *given, unsigned flags, struct env_file **out,
                         struct error *error)
{
    struct env_sim *sim = context;
    char *path = path_clean(given);
    struct sim_name *name = sim__name_find(sim, path, false);
    bool there = name != NULL && name->now != NULL;
    bool create = !there && (flags & ENV_OPEN_CREATE);
    status_t status = sim__call(sim, ENV_SIM_OPEN, create, path, error);
    if (status == OK && there && (flags & ENV_OPEN_EXCLUSIVE))
        status = error_set(error, ERR_EXISTS, "could not open file \"%s\": File exists", path);
    if (status == OK && ((!there && !create) || !dir_exists(sim, path, path_dir_size(path))))
        status = error_set(error, ERR_NOT_FOUND,
                           "could not open file \"%s\": No such file or directory", path);
    if (status != OK) {
        mem_free(path);
        return status;
    }
    if (create) {
        name = sim__name_find(sim, path, true);
        name->now = sim__inode_create();
        change_note(sim, NULL, path, name->now);
    }
    *out = handle_create(sim, path, name->now, flags & ENV_OPEN_READ_ONLY);
    return OK;
}

static status_t sim_remove(void *context, const char *given, struct error *error)
{
    struct env_sim *sim = context;
    char *path = path_clean(given);
    status_t status = sim__call(sim, ENV_SIM_REMOVE, true, path, error);
    struct sim_name *name = sim__name_find(sim, path, false);
    if (status == OK && (name == NULL || name->now == NULL))
        status = error_set(error, ERR_NOT_FOUND,
                           "could not remove file \"%s\": No such file or directory", path);
    if (status == OK) {
        change_note(sim, path, NULL, name->now);
        point(&name->now, NULL);
        names_sweep(sim);
    }
    mem_free(path);
    return status;
}

static status_t sim_rename(void *context, const char *given_from, const char *given_to,
                           struct error *error)
{
    struct env_sim *sim = context;
    char *from = path_clean(given_from);
    char *to = path_clean(given_to);
    status_t status = sim__call(sim, ENV_SIM_RENAME, true, from, error);
    struct sim_name *name = sim__name_find(sim, from, false);
    if (status == OK &&
        (name == NULL || name->now == NULL || !dir_exists(sim, to, path_dir_size(to))))
        status = error_set(error, ERR_NOT_FOUND,
                           "could not rename file \"%s\": No such file or directory", from);
    if (status == OK && strcmp(from, to) != 0) {
        struct sim_inode *inode = name->now;
        change_note(sim, from, to, inode);
        point(&sim__name_find(sim, to, true)->now, inode);
        /* Making the new name may have moved the array. */
        point(&sim__name_find(sim, from, false)->now, NULL);
        names_sweep(sim);
    }
    mem_free(from);
    mem_free(to);
    return status;
}

/* ---- directories ---------------------------------------------------------------------------- */

static status_t sim_dir_create(void *context, const char *given, struct error *error)
{
    struct env_sim *sim = context;
    if (sim->off)
        return error_set(error, ERR_IO, "could not create directory \"%s\": power is off", given);
    char *path = path_clean(given);
    for (size_t size = 1; size <= strlen(path); size++) {
        if ((path[size] != '/' && path[size] != '\0') || dir_exists(sim, path, size))
            continue;
        sim->dirs = vec_grow(sim->dirs, &sim->dir_capacity, sim->dir_count + 1, sizeof *sim->dirs);
        sim->dirs[sim->dir_count++] = mem_strndup(path, size);
    }
    mem_free(path);
    return OK;
}

/* The callback may remove what it is told of, so the names are copied first. */
static status_t sim_dir_list(void *context, const char *given, env_dir_list_fn *each,
                             void *each_context, struct error *error)
{
    struct env_sim *sim = context;
    char *dir = path_clean(given);
    status_t status = OK;
    if (sim->off)
        status = error_set(error, ERR_IO, "could not open directory \"%s\": power is off", dir);
    else if (!dir_exists(sim, dir, strlen(dir)))
        status = error_set(error, ERR_NOT_FOUND,
                           "could not open directory \"%s\": No such file or directory", dir);
    char **found = NULL;
    uint32_t count = 0, capacity = 0;
    for (uint32_t i = 0; status == OK && i < sim->name_count + sim->dir_count; i++) {
        bool is_name = i < sim->name_count;
        const char *path = is_name ? sim->names[i].path : sim->dirs[i - sim->name_count];
        if ((is_name && sim->names[i].now == NULL) || !path_is_in(path, dir))
            continue;
        const char *slash = strrchr(path, '/');
        found = vec_grow(found, &capacity, count + 1, sizeof *found);
        found[count++] = mem_strdup(slash != NULL ? slash + 1 : path);
    }
    /* No order is promised, so begin somewhere. */
    uint32_t start = count > 0 ? (uint32_t)prng_below(&sim->prng, count) : 0;
    for (uint32_t i = 0; i < count; i++)
        each(each_context, found[(start + i) % count]);
    for (uint32_t i = 0; i < count; i++)
        mem_free(found[i]);
    mem_free(found);
    mem_free(dir);
    return status;
}

static status_t sim_dir_sync(void *context, const char *given, struct error *error)
{
    struct env_sim *sim = context;
    char *dir = path_clean(given);
    status_t status = sim__call(sim, ENV_SIM_DIR_SYNC, true, dir, error);
    if (status == OK && !dir_exists(sim, dir, strlen(dir)))
        status = error_set(error, ERR_NOT_FOUND,
                           "could not open directory \"%s\": No such file or directory", dir);
    uint32_t kept = 0;
    for (uint32_t i = 0; status == OK && i < sim->change_count; i++) {
        struct sim_change change = sim->changes[i];
        bool covered = (change.from != NULL && path_is_in(change.from, dir)) ||
                       (change.to != NULL && path_is_in(change.to, dir));
        if (covered) {
            sim__change_apply(sim, &change);
            sim__change_free(&change);
        } else {
            sim->changes[kept++] = change;
        }
    }
    if (status == OK) {
        sim->change_count = kept;
        names_sweep(sim);
    }
    mem_free(dir);
    return status;
}

/* ---- clocks and randomness ------------------------------------------------------------------ */

static uint64_t sim_monotonic_us(void *context)
{
    struct env_sim *sim = context;
    return sim->monotonic_us;
}

static uint64_t sim_wall_us(void *context)
{
    struct env_sim *sim = context;
    return sim->wall_offset_us + sim->monotonic_us;
}

static status_t sim_disk_free(void *context, const char *path, uint64_t *bytes, struct error *error)
{
    (void)path;
    (void)error;
    struct env_sim *sim = context;
    uint64_t used = env_sim_disk_used(sim);
    uint64_t capacity = sim->capacity ? sim->capacity : UINT64_MAX;
    *bytes = capacity > used ? capacity - used : 0;
    return OK;
}

static void sim_random_bytes(void *context, void *out, size_t size)
{
    struct env_sim *sim = context;
    uint8_t *at = out;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)prng_below(&sim->prng, 256);
}

void env_sim_advance_us(struct env_sim *sim, uint64_t us)
{
    ASSERT(sim->monotonic_us + us >= sim->monotonic_us);
    sim->monotonic_us += us;
}

void env_sim_set_wall_us(struct env_sim *sim, uint64_t us)
{
    /* Wraps around when wall time is less; the sum comes out right. */
    sim->wall_offset_us = us - sim->monotonic_us;
}

/* ---- the machine ---------------------------------------------------------------------------- */

static const struct env_ops sim_ops = {
    .file_open = sim_open,
    .file_close = sim__file_close,
    .file_size = sim__file_size,
    .file_read = sim__file_read,
    .file_write = sim__file_write,
    .file_sync = sim__file_sync,
    .file_preallocate = sim__file_preallocate,
    .file_punch = sim__file_punch,
    .file_truncate = sim__file_truncate,
    .file_lock = sim__file_lock,
    .map_create = sim__map_create,
    .map_extend = sim__map_extend,
    .map_base = sim__map_base,
    .map_sync = sim__map_sync,
    .map_destroy = sim__map_destroy,
    .dir_create = sim_dir_create,
    .dir_list = sim_dir_list,
    .dir_sync = sim_dir_sync,
    .disk_free = sim_disk_free,
    .file_remove = sim_remove,
    .file_rename = sim_rename,
    .monotonic_us = sim_monotonic_us,
    .wall_us = sim_wall_us,
    .random_bytes = sim_random_bytes,
};

struct env_sim *env_sim_create(uint64_t seed)
{
    struct env_sim *sim = mem_zalloc(1, sizeof *sim);
    sim->env = (struct env){.ops = &sim_ops, .context = sim};
    prng_seed(&sim->prng, seed);
    sim->survival = ENV_SIM_SURVIVE_RANDOM;
    sim->monotonic_us = 1000000;
    sim->wall_offset_us = WALL_START_US - sim->monotonic_us;
    return sim;
}

void env_sim_destroy(struct env_sim *sim)
{
    if (sim == NULL)
        return;
    ASSERT(sim->handles == 0);
    for (uint32_t i = 0; i < sim->change_count; i++)
        sim__change_free(&sim->changes[i]);
    for (uint32_t i = 0; i < sim->name_count; i++) {
        point(&sim->names[i].now, NULL);
        point(&sim->names[i].durable, NULL);
        mem_free(sim->names[i].path);
    }
    for (uint32_t i = 0; i < sim->dir_count; i++)
        mem_free(sim->dirs[i]);
    mem_free(sim->changes);
    mem_free(sim->names);
    mem_free(sim->dirs);
    mem_free(sim);
}

struct env *env_sim_env(struct env_sim *sim)
{
    return &sim->env;
}
