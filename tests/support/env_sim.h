/* A simulated machine behind `struct env`: a disk in memory, a clock that a test moves, randomness
 * from a seed, and faults on order. Everything is a function of the seed and the calls made, so a
 * run can be repeated. One machine is one disk: a cluster of five has five. Not thread-safe.
 *
 * THE DISK. A file has two contents: the volatile one, which reads and maps see, and the durable
 * one, which a power cut leaves. file_sync copies the 4 KiB pages written since the last sync;
 * map_sync copies its range, and what file_sync would. Names too are durable only after dir_sync
 * of their directory (the directories themselves are durable at once, as env_dir_create says).
 * Memory is about twice the files' sizes; reserves of maps cost nothing.
 *
 * A POWER CUT. env_sim_power_off: every call fails with ERR_IO from then on, while maps stay
 * readable, so that the program can be taken down in order. env_sim_power_on: the disk is what
 * survived; handles and maps from before are dead (only good for closing). What survives of things
 * not synced is set by env_sim_set_survival:
 *   NOTHING  only what was synced
 *   RANDOM   each changed 512-byte sector of each file, the length of the file, and each creation,
 *            renaming or removal survives or not, by lot (the odds are drawn anew for each cut)
 *   ALL      all of it, but no more durably than before: the process died, the machine did not
 *   CHOSEN   as RANDOM, but a set of bits decides instead of the lot, so that a test can go through
 *            all that may survive
 *
 * A FAILED SYNC takes its pages for written, as Linux does: they read as new, are not durable, and
 * the next sync, which succeeds, does not write them. */
#ifndef SUPPORT_ENV_SIM_H
#define SUPPORT_ENV_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "env/env.h"

struct env_sim;

enum env_sim_call {
    ENV_SIM_OPEN,
    ENV_SIM_READ,
    ENV_SIM_WRITE,       /* a failed one may have written a part, from the start */
    ENV_SIM_SYNC,        /* file_sync and map_sync */
    ENV_SIM_PREALLOCATE, /* fails with ERR_DISK_FULL */
    ENV_SIM_TRUNCATE,
    ENV_SIM_PUNCH,
    ENV_SIM_MAP, /* map_create and map_extend */
    ENV_SIM_DIR_SYNC,
    ENV_SIM_RENAME,
    ENV_SIM_REMOVE,
    ENV_SIM_CALL_COUNT,
};

enum env_sim_survival {
    ENV_SIM_SURVIVE_NOTHING,
    ENV_SIM_SURVIVE_RANDOM,
    ENV_SIM_SURVIVE_ALL,
    ENV_SIM_SURVIVE_CHOSEN
};

struct env_sim *env_sim_create(uint64_t seed);
/* Every handle and map must have been closed (asserted). NULL is allowed. */
void env_sim_destroy(struct env_sim *sim);
/* Belongs to the sim. */
struct env *env_sim_env(struct env_sim *sim);

/* ---- faults --------------------------------------------------------------------------------- */

/* Of the calls of this kind from now on, `after` succeed and the next one fails, once. */
void env_sim_fail_after(struct env_sim *sim, enum env_sim_call kind, uint64_t after);
/* True while an ordered failure has not happened yet. */
bool env_sim_fail_pending(const struct env_sim *sim, enum env_sim_call kind);
/* Takes back orders that have not happened. */
void env_sim_fail_none(struct env_sim *sim);
/* Calls of this kind so far, failed ones counted. */
uint64_t env_sim_calls(const struct env_sim *sim, enum env_sim_call kind);
/* Bytes that all files together may have; growing past it gives ERR_DISK_FULL. 0: no limit. */
void env_sim_set_capacity(struct env_sim *sim, uint64_t bytes);
uint64_t env_sim_disk_used(const struct env_sim *sim);
/* Flips a bit of a file that is there, in what is read and in what is durable, as a disk may do
 * unasked. `offset` is below its size (asserted). */
void env_sim_flip_bit(struct env_sim *sim, const char *path, uint64_t offset, unsigned bit);

/* ---- power ---------------------------------------------------------------------------------- */

/* RANDOM to begin with. */
void env_sim_set_survival(struct env_sim *sim, enum env_sim_survival survival);
/* For CHOSEN: the nth thing that the next power cut asks about survives when bit n % 64 is set. */
void env_sim_choose(struct env_sim *sim, uint64_t bits);
/* How many things the last power cut asked about. */
uint32_t env_sim_choices(const struct env_sim *sim);
/* The power goes in the middle of the call that changes the disk (WRITE, SYNC, PREALLOCATE,
 * TRUNCATE, DIR_SYNC, RENAME, REMOVE, and an OPEN that creates) after the next `after` of them.
 * That call fails; whether it took effect is what survival decides. */
void env_sim_power_off_after(struct env_sim *sim, uint64_t after);
void env_sim_power_off(struct env_sim *sim);
bool env_sim_is_off(const struct env_sim *sim);
/* Settles what survived. The clock goes on. */
void env_sim_power_on(struct env_sim *sim);
/* Off and on. */
void env_sim_crash(struct env_sim *sim);

/* ---- time ----------------------------------------------------------------------------------- */

/* Both clocks stand still but for these. Monotonic time begins at 1 s, wall time at 2020-01-01. */
void env_sim_advance_us(struct env_sim *sim, uint64_t us);
void env_sim_set_wall_us(struct env_sim *sim, uint64_t us);

#endif
