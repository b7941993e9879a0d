/* The one door to the machine: files, mapped files, directories, clocks, randomness, threads.
 *
 * Files, clocks and randomness go through a `struct env`, a table of functions with a context, so
 * that a simulated machine (tests/support/env_sim.h) can take the real one's place. Threads are
 * always real: code that runs under simulation has none.
 *
 * Error statuses: ERR_NOT_FOUND, ERR_EXISTS, ERR_LOCKED, ERR_DISK_FULL (ENOSPC, EDQUOT), ERR_IO
 * (everything else). `error` may be NULL; when given it names the path and the system's reason.
 * After a failed sync the file's unsynced bytes must be taken as lost: never sync again and go on
 * (see Rebello et al., "Can Applications Recover from fsync Failures?", 2020). */
#ifndef ENV_ENV_H
#define ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct env_file; /* opened by env_file_open, released by env_file_close */
struct env_map;  /* a file mapped into memory */

enum env_open_flags {
    ENV_OPEN_CREATE = 1,    /* create when missing */
    ENV_OPEN_EXCLUSIVE = 2, /* with CREATE: ERR_EXISTS when there */
    ENV_OPEN_READ_ONLY = 4,
};

/* Called once per directory entry (not "." and ".."); order unspecified. */
typedef void env_dir_list_fn(void *context, const char *name);

struct env_ops {
    status_t (*file_open)(void *context, const char *path, unsigned flags, struct env_file **out,
                          struct error *error);
    void (*file_close)(struct env_file *file);
    status_t (*file_size)(struct env_file *file, uint64_t *size, struct error *error);
    status_t (*file_read)(struct env_file *file, uint64_t offset, void *data, size_t size,
                          size_t *got, struct error *error);
    status_t (*file_write)(struct env_file *file, uint64_t offset, const void *data, size_t size,
                           struct error *error);
    status_t (*file_sync)(struct env_file *file, struct error *error);
    status_t (*file_preallocate)(struct env_file *file, uint64_t offset, uint64_t size,
                                 struct error *error);
    status_t (*file_punch)(struct env_file *file, uint64_t offset, uint64_t size,
                           struct error *error);
    status_t (*file_truncate)(struct env_file *file, uint64_t size, struct error *error);
    status_t (*file_lock)(struct env_file *file, struct error *error);
    status_t (*map_create)(struct env_file *file, uint64_t size_max, bool writable,
                           struct env_map **out, struct error *error);
    status_t (*map_extend)(struct env_map *map, uint64_t size, struct error *error);
    void (*map_touch)(struct env_map *map, uint64_t offset, uint64_t size); /* or NULL */
    uint8_t *(*map_base)(struct env_map *map);
    status_t (*map_sync)(struct env_map *map, uint64_t offset, uint64_t size, struct error *error);
    void (*map_destroy)(struct env_map *map);
    status_t (*dir_create)(void *context, const char *path, struct error *error);
    status_t (*dir_list)(void *context, const char *path, env_dir_list_fn *each, void *each_context,
                         struct error *error);
    status_t (*dir_sync)(void *context, const char *path, struct error *error);
    status_t (*disk_free)(void *context, const char *path, uint64_t *bytes, struct error *error);
    status_t (*file_remove)(void *context, const char *path, struct error *error);
    status_t (*file_rename)(void *context, const char *from, const char *to, struct error *error);
    uint64_t (*monotonic_us)(void *context);
    uint64_t (*wall_us)(void *context);
    void (*random_bytes)(void *context, void *out, size_t size);
};

struct env {
    const struct env_ops *ops;
    void *context;
};

/* The real machine. Static, never freed. */
struct env *env_real(void);

/* ---- files ---------------------------------------------------------------------------------- */

status_t env_file_open(struct env *env, const char *path, unsigned flags, struct env_file **out,
                       struct error *error);
/* NULL is allowed. Releases the lock. */
void env_file_close(struct env_file *file);
status_t env_file_size(struct env_file *file, uint64_t *size, struct error *error);
/* Reads up to `size` bytes; *got is less only at the end of the file. */
status_t env_file_read(struct env_file *file, uint64_t offset, void *data, size_t size, size_t *got,
                       struct error *error);
/* Writes all of it or fails; what reached the file on failure is unspecified. */
status_t env_file_write(struct env_file *file, uint64_t offset, const void *data, size_t size,
                        struct error *error);
/* fdatasync: returns OK once all bytes written before, and the size, are on stable storage. */
status_t env_file_sync(struct env_file *file, struct error *error);
/* Allocates the blocks of a range and grows the file to its end, so that writing there cannot
 * meet a full disk. New bytes read as zeros. */
status_t env_file_preallocate(struct env_file *file, uint64_t offset, uint64_t size,
                              struct error *error);
/* The opposite: gives the blocks of a range within the file back; it reads as zeros and the file
 * keeps its size. Writing there can meet a full disk until it is preallocated again. Both are
 * multiples of 4096. ERR_UNSUPPORTED: the file system cannot. */
status_t env_file_punch(struct env_file *file, uint64_t offset, uint64_t size, struct error *error);
status_t env_file_truncate(struct env_file *file, uint64_t size, struct error *error);
/* Advisory lock against other processes and other opens in this one; ERR_LOCKED at once when held
 * elsewhere. Exclusive; of a file opened read-only it is shared with others of those. */
status_t env_file_lock(struct env_file *file, struct error *error);

/* ---- mapped files --------------------------------------------------------------------------- */

/* Reserves `size_max` bytes of address space (no memory) and maps what the file has now. The base
 * never moves. The file must outlive the map. */
status_t env_map_create(struct env_file *file, uint64_t size_max, bool writable,
                        struct env_map **out, struct error *error);
/* Makes the first `size` bytes of the file accessible; the file must be at least that long
 * (env_file_preallocate first). ERR_TOO_LONG over size_max. */
status_t env_map_extend(struct env_map *map, uint64_t size, struct error *error);
/* A hint: all of this accessible part is going to be written soon. The system gets memory for it at
 * once, which is cheaper than page by page as they are touched. */
void env_map_touch(struct env_map *map, uint64_t offset, uint64_t size);
uint8_t *env_map_base(struct env_map *map);
/* Returns OK once the range's bytes as they were at the call are on stable storage. Callable from
 * any thread; bytes written meanwhile may or may not be. */
status_t env_map_sync(struct env_map *map, uint64_t offset, uint64_t size, struct error *error);
void env_map_destroy(struct env_map *map);

/* ---- directories ---------------------------------------------------------------------------- */

/* Creates it and its missing parents, durably; OK when it is there already. */
status_t env_dir_create(struct env *env, const char *path, struct error *error);
status_t env_dir_list(struct env *env, const char *path, env_dir_list_fn *each, void *each_context,
                      struct error *error);
/* Makes creations, renames and removals in it durable. */
status_t env_dir_sync(struct env *env, const char *path, struct error *error);
/* Of the directory that `path` is in: its own creation, or a rename to it. */
status_t env_dir_sync_parent(struct env *env, const char *path, struct error *error);
/* Bytes that can still be written on the file system of `path`. */
status_t env_disk_free(struct env *env, const char *path, uint64_t *bytes, struct error *error);
status_t env_file_remove(struct env *env, const char *path, struct error *error);
/* Atomic; replaces `to`. Durable after env_dir_sync. */
status_t env_file_rename(struct env *env, const char *from, const char *to, struct error *error);

/* ---- clocks and randomness ------------------------------------------------------------------ */

/* Microseconds since some fixed point, never going back. */
uint64_t env_monotonic_us(struct env *env);
/* Microseconds since 1970-01-01 UTC; may jump. */
uint64_t env_wall_us(struct env *env);
/* Good enough for ids and, on the real machine, for secrets. */
void env_random_bytes(struct env *env, void *out, size_t size);

/* ---- threads (real only) -------------------------------------------------------------------- */

struct env_thread;
struct env_mutex;
struct env_cond;

typedef void env_thread_fn(void *argument);

/* `name` (at most 15 bytes are kept) shows in debuggers and top -H. Signals are blocked in it: they
 * go to the main thread. A process that cannot have its threads stops (asserted). */
struct env_thread *env_thread_start(const char *name, env_thread_fn *run, void *argument);
/* Waits for its end and frees it. */
void env_thread_join(struct env_thread *thread);

struct env_mutex *env_mutex_create(void);
void env_mutex_destroy(struct env_mutex *mutex);
void env_mutex_lock(struct env_mutex *mutex);
void env_mutex_unlock(struct env_mutex *mutex);

struct env_cond *env_cond_create(void);
void env_cond_destroy(struct env_cond *cond);
/* The mutex is held by the caller; spurious wake-ups happen. */
void env_cond_wait(struct env_cond *cond, struct env_mutex *mutex);
/* The same, for at most so many microseconds; false when they are over. */
bool env_cond_wait_for(struct env_cond *cond, struct env_mutex *mutex, uint64_t us);
void env_cond_signal(struct env_cond *cond);
void env_cond_broadcast(struct env_cond *cond);

/* ---- a crew (real only) ----------------------------------------------------------------------
 *
 * Threads that help with work which its owner would do alone otherwise. */

struct env_crew;
/* The submitter's; zeroed but for run and argument, and untouched from env_crew_submit to
 * env_crew_finish. */
struct env_crew_task {
    env_thread_fn *run;
    void *argument;
    struct env_crew_task *next;
    int state;
};
/* Threads are started by the first task. */
struct env_crew *env_crew_create(const char *name, uint32_t threads);
/* No task may be out. NULL is allowed. */
void env_crew_destroy(struct env_crew *crew);
/* 0 for NULL. */
uint32_t env_crew_threads(const struct env_crew *crew);
/* Any thread. A task must not wait for another one. */
void env_crew_submit(struct env_crew *crew, struct env_crew_task *task);
/* Takes it back if nobody has begun it, and does not wait. True: it was, as if never submitted. */
bool env_crew_take_back(struct env_crew *crew, struct env_crew_task *task);
/* Takes it back if nobody has begun it, else waits for its end. True: it was run. */
bool env_crew_finish(struct env_crew *crew, struct env_crew_task *task);

#endif
