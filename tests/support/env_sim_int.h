/* Inside of env_sim: the machine's structures, shared by its three files: env_sim.c (the machine,
 * its clocks and faults, the table of calls on names), env_sim_file.c (files and maps),
 * env_sim_power.c (what a power cut leaves). */
#ifndef SUPPORT_ENV_SIM_INT_H
#define SUPPORT_ENV_SIM_INT_H

#include "base/prng.h"
#include "env/env_int.h"
#include "env_sim.h"

#define SIM_PAGE   4096
#define SIM_SECTOR 512

/* Address space with memory behind its first `accessible` bytes. */
struct sim_region {
    uint8_t *at;
    uint64_t reserve;
    uint64_t accessible;
};

/* One file, whatever its names are. */
struct sim_inode {
    uint32_t references; /* names (either kind), pending changes, handles */
    uint32_t maps;       /* while there are any, `now` must not move */
    uint64_t size;       /* volatile */
    uint64_t size_durable;
    struct sim_region now;
    struct sim_region durable;
    uint64_t *dirty; /* a bit a page, of the pages written and not synced */
    uint64_t dirty_words;
    uint64_t *holes; /* a bit a page, of the pages without blocks: they cannot be written */
    uint64_t hole_words, hole_count;
    struct sim_file *locked_by;
};

struct sim_name {
    char *path;
    struct sim_inode *now;     /* NULL: not there */
    struct sim_inode *durable; /* NULL: not there after a power cut */
};

/* A change of names that no dir_sync has covered. */
struct sim_change {
    char *from; /* removed, or renamed away; NULL: nothing */
    char *to;   /* created, or renamed to; NULL: nothing */
    struct sim_inode *inode;
};

struct env_sim {
    struct env env;
    struct prng prng;
    uint64_t incarnation; /* one more with each power_on; handles of an earlier one are dead */
    bool off;
    enum env_sim_survival survival;
    uint64_t chosen;  /* bits */
    uint32_t choices; /* made of them at the last power cut */
    uint32_t handles;
    uint64_t capacity;
    uint64_t monotonic_us;
    uint64_t wall_offset_us;
    uint64_t calls[ENV_SIM_CALL_COUNT];
    uint64_t fail_at[ENV_SIM_CALL_COUNT]; /* the call with this number fails; 0: none */
    uint64_t changes_made;                /* calls that change the disk */
    uint64_t off_at;                      /* the power goes in this one; 0: not */
    struct sim_name *names;
    uint32_t name_count, name_capacity;
    struct sim_change *changes;
    uint32_t change_count, change_capacity;
    char **dirs;
    uint32_t dir_count, dir_capacity;
};

struct sim_file {
    struct env_file base;
    struct env_sim *sim;
    struct sim_inode *inode;
    uint64_t incarnation;
    bool read_only;
    char *path;
};

/* ---- env_sim.c ---- */

/* Counts a call and says whether it fails: OK, or the status to fail with. `changes`: it changes
 * the disk. */
status_t sim__call(struct env_sim *sim, enum env_sim_call kind, bool changes, const char *path,
                   struct error *error);
struct sim_name *sim__name_find(struct env_sim *sim, const char *path, bool create);
void sim__change_apply(struct env_sim *sim, struct sim_change *change);
void sim__change_free(struct sim_change *change);

/* ---- env_sim_file.c ---- */

struct sim_inode *sim__inode_create(void);
void sim__inode_reference(struct sim_inode *inode);
void sim__inode_release(struct sim_inode *inode);
void sim__region_grow(struct sim_region *region, uint64_t used, uint64_t need, bool pinned);
void sim__region_free(struct sim_region *region);

void sim__file_close(struct env_file *file);
status_t sim__file_size(struct env_file *file, uint64_t *size, struct error *error);
status_t sim__file_read(struct env_file *file, uint64_t offset, void *data, size_t size,
                        size_t *got, struct error *error);
status_t sim__file_write(struct env_file *file, uint64_t offset, const void *data, size_t size,
                         struct error *error);
status_t sim__file_sync(struct env_file *file, struct error *error);
status_t sim__file_preallocate(struct env_file *file, uint64_t offset, uint64_t size,
                               struct error *error);
/* Bytes it takes on the disk. */
uint64_t sim__inode_used(const struct sim_inode *inode);
/* Pages of the range that are holes get blocks. */
void sim__holes_fill(struct sim_inode *inode, uint64_t offset, uint64_t end);
status_t sim__file_punch(struct env_file *file, uint64_t offset, uint64_t size,
                         struct error *error);
status_t sim__file_truncate(struct env_file *file, uint64_t size, struct error *error);
status_t sim__file_lock(struct env_file *file, struct error *error);
status_t sim__map_create(struct env_file *file, uint64_t size_max, bool writable,
                         struct env_map **out, struct error *error);
status_t sim__map_extend(struct env_map *map, uint64_t size, struct error *error);
uint8_t *sim__map_base(struct env_map *map);
status_t sim__map_sync(struct env_map *map, uint64_t offset, uint64_t size, struct error *error);
void sim__map_destroy(struct env_map *map);

#endif
