/* wal: the durable Raft log of one node. Entries and hard state go in; after a crash everything
 * that was ever reported durable comes out again, or opening fails and says why. It is the only
 * write-ahead log of the system: one sync of it makes a batch of transactions durable.
 *
 * The format on disk, the rules of recovery and their reasons: top of wal_format.c and
 * wal_recover.c.
 *
 * TWO THREADS. The owner (the node's main loop) calls everything but wal_write. wal_write does all
 * writing and syncing and may run on a log thread, beside anything the owner does:
 *
 *     owner                                      log thread (or the owner, inline)
 *     wal_stage(bundle 1), wal_stage(bundle 2)
 *     batch = wal_take(wal)          -- queue -->
 *     wal_stage(bundle 3), wal_read ...          status = wal_write(batch)    one sync for both
 *     wal_finish(batch, status)      <-- queue --
 *     raft_persisted(of bundle 2)
 *     batch = wal_take(wal) ...                  bundle 3 and what came meanwhile
 *
 * Nothing is shared but the batch, which belongs to one side at a time; so there is no lock. One
 * batch is out at a time (asserted), which is what makes group commit: whatever is staged while a
 * sync runs goes out with the next. Under simulation, or in a tool, wal_flush does all three.
 *
 * FAILURES. After a write or sync that failed, nobody knows what the disk holds: the wal has failed
 * for good, every later call that could fail returns the same status, and the node must stop. Only
 * ERR_DISK_FULL is different: space is taken before records are written into it, so nothing was
 * changed, and wal_write may be called again with the same batch once there is space. */
#ifndef WAL_WAL_H
#define WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "env/env.h"
#include "raft/raft.h"

struct wal;
struct wal_batch;

/* Zero in a size means its default. */
struct wal_config {
    const char *dir; /* created when missing; holds nothing but the log */
    /* Written into every file; a log of another node or cluster is refused. */
    uint64_t cluster_id;
    uint64_t node_id;
    /* A file is closed and the next begun at about this size; the first ones of a log are smaller.
     * 16 MiB */
    uint32_t segment_size;
    /* Zeros are written so many at a time, ahead of the records: overwriting blocks that were
     * written before leaves a sync no metadata to write. Also the size of the first file. 1 MiB */
    uint32_t zero_step;
    /* At most so many files that are not needed any more are kept to be the next ones. 4 */
    uint32_t spare_files;
    /* Only looks: nothing is made, written or removed; wal_stage and what changes things else is
     * not allowed (asserted). The directory must be there, and is locked all the same. */
    bool read_only;
};

struct wal_stats {
    uint64_t bytes; /* on disk, of files that are needed */
    uint64_t spare_bytes;
    uint32_t files;
    uint32_t spares;
    /* Since it was opened. */
    uint64_t files_begun;
    uint64_t files_late; /* of these, those for which no spare was there */
    uint64_t files_recycled;
    uint64_t files_prepared;
};

/* Opens the log, creating an empty one when there is none, and locks it. A torn end, which a crash
 * in the middle of a write leaves behind, does not count; nothing that was reported durable is in
 * it. ERR_LOCKED: another process has it open. ERR_CORRUPT: records that were durable are damaged
 * or missing; `error` names file and offset, its hint says what to do. ERR_FORMAT: written by a
 * version that this one cannot read. ERR_INVALID: the log of another node or cluster. ERR_IO,
 * ERR_DISK_FULL. env must outlive the wal. On success *out is the caller's: wal_close. */
status_t wal_open(struct env *env, const struct wal_config *config, struct wal **out,
                  struct error *error);
/* What is staged and not finished is dropped; no batch may be with the log thread and no work with
 * another (asserted). NULL is allowed. */
void wal_close(struct wal *wal);

/* ---- what is in it (owner) ------------------------------------------------------------------ */

/* As last staged; at open, as last durable. All zeros for a new log. */
struct raft_hard_state wal_hard_state(const struct wal *wal);
/* Oldest entry held, wal_last_index + 1 when there is none; 1 for a new log. */
uint64_t wal_first_index(const struct wal *wal);
/* Newest entry, staged ones counted; wal_first_index - 1 when there is none. */
uint64_t wal_last_index(const struct wal *wal);
/* All entries up to this one are durable. Goes back when entries that were are replaced. */
uint64_t wal_durable_index(const struct wal *wal);
/* What it takes on disk: as of the batch finished last, while one is out. */
struct wal_stats wal_stats(const struct wal *wal);
/* Term of an entry in [first - 1, last]; without I/O. ERR_NOT_FOUND outside of that. */
status_t wal_term(const struct wal *wal, uint64_t index, uint64_t *term);
/* The oldest entry of those that, with all behind them, take about `bytes` on disk;
 * wal_last_index + 1 when not even the last one does. Whoever compacts uses it to keep some slack.
 */
uint64_t wal_index_within(const struct wal *wal, uint64_t bytes);
/* Durable entries of [low, high), low < high <= wal_durable_index + 1 (asserted): from low as many
 * as fit in max_bytes of data, but at least one. Array and bytes are the arena's. Every byte was
 * checked against its CRC. ERR_NOT_FOUND: low is older than the first. ERR_CORRUPT, ERR_IO: stop
 * the node. */
status_t wal_read(struct wal *wal, uint64_t low, uint64_t high, size_t max_bytes,
                  struct arena *arena, struct raft_entry **entries, uint32_t *count,
                  struct error *error);
/* The same as raft wants it. Its last_index and entries are those of durable entries. The wal must
 * outlive it. */
struct raft_storage wal_storage(struct wal *wal);

/* ---- putting something in ------------------------------------------------------------------- */

/* Adds entries (consecutive indexes, the first in [wal_first_index, wal_last_index + 1]) and then
 * a hard state (NULL: none) to what the next batch will hold. An index at or below the last drops
 * that entry and all behind it first (Raft's conflict rule), here and after recovery alike. The
 * bytes are copied. ERR_TOO_LONG: more than 1 GiB is staged, nothing was added; or the status the
 * wal has failed with. */
status_t wal_stage(struct wal *wal, const struct raft_hard_state *hard_state,
                   const struct raft_entry *entries, uint32_t count);
/* Drops all entries up to `index`, which is durable and at or above wal_first_index - 1 (asserted),
 * with the next batch: whoever applied them must have made that durable. Files that hold nothing
 * else are removed, or kept for reuse, by that batch's wal_write. May be called at any time, beside
 * staged entries and a batch that is out; from the call on the entries cannot be read. */
status_t wal_compact(struct wal *wal, uint64_t index);
/* Drops all entries, staged ones and those of a batch that is out too; the next one is index + 1
 * and the one before it is known to be of `term`. The hard state stays. For a node whose state came
 * as a snapshot: it must be durable when the batch of this call is written. */
status_t wal_reset(struct wal *wal, uint64_t index, uint64_t term);

/* All that is staged, for wal_write; NULL when nothing is. */
struct wal_batch *wal_take(struct wal *wal);
/* Log thread. Writes the batch and makes it durable. ERR_DISK_FULL: call again later, or give the
 * status to wal_finish and stop. Any other error is final. */
status_t wal_write(struct wal_batch *batch, struct error *error);
/* Back on the owner: with OK the batch is durable. Releases it. */
void wal_finish(struct wal *wal, struct wal_batch *batch, status_t status);
/* wal_take, wal_write and wal_finish in one, on the owner. OK when nothing is staged. */
status_t wal_flush(struct wal *wal, struct error *error);

/* ---- getting ahead -------------------------------------------------------------------------- */

/* A file for later, to be made while the newest one fills up (wal_spare.c). Leaving it undone costs
 * time when that one is full, nothing else. */
struct wal_work;
/* NULL: nothing to be done now. One is out at a time: NULL while it is. */
struct wal_work *wal_work_take(struct wal *wal);
/* Any thread, beside all that the owner and the log thread do; takes as long as writing and syncing
 * segment_size bytes. A failure is logged, and does not fail the wal. */
void wal_work_run(struct wal_work *work);
/* Back on the owner, run or not. Releases it. */
void wal_work_done(struct wal *wal, struct wal_work *work);

/* ---- for tools ------------------------------------------------------------------------------ */

enum wal_record_type {
    WAL_RECORD_ENTRY = 1, /* replaces the entry with this index and all behind it */
    WAL_RECORD_HARD_STATE = 2,
    WAL_RECORD_COMPACT =
        3, /* entries before `index` were dropped; `term` is that of the one before */
    WAL_RECORD_RESET = 4, /* all were; the next is `index`, `term` that of the one before */
};

enum wal_dump_end {
    WAL_DUMP_CLEAN,
    WAL_DUMP_TORN,       /* remains of a write that was not finished follow */
    WAL_DUMP_CORRUPT,    /* a damaged record: later ones follow */
    WAL_DUMP_BAD_HEADER, /* no record can be read */
};

struct wal_dump_file {
    uint64_t sequence;
    uint64_t size; /* with what lies behind the records */
    /* From the header; zeros when that is damaged. */
    uint32_t version;
    uint64_t cluster_id, node_id;
    /* The log as it was when the file was begun: its entries [first_index, next_index), and the
     * terms of the one before the first and of the last. */
    uint64_t first_index, first_term, next_index, last_term;
    struct raft_hard_state hard_state;
};

struct wal_dump_record {
    uint64_t offset;
    uint64_t size;  /* in the file */
    uint64_t batch; /* offset at which the records written with it begin */
    enum wal_record_type type;
    uint64_t index, term;              /* not of a HARD_STATE */
    struct raft_hard_state hard_state; /* of a HARD_STATE */
    enum raft_entry_type
        entry_type;    /* of an ENTRY; one that this program does not know is possible */
    struct slice data; /* of an ENTRY; good for the call */
};

/* Each is called in the log's order, and may be NULL; false ends the walk. */
struct wal_dump {
    void *context;
    bool (*file)(void *context, const struct wal_dump_file *file);
    bool (*record)(void *context, const struct wal_dump_record *record);
    /* Of each file. `offset`: where its records end. */
    bool (*end)(void *context, uint64_t offset, enum wal_dump_end end);
};

/* Walks through the log in `dir` as it is, whoever's it is, without locking or changing anything.
 * Beside a node that uses it, the newest file may seem torn, and files that vanish are left out.
 * Damage is told through `end`, and the walk goes on with the next file. ERR_NOT_FOUND: no such
 * directory, or no file of a log in it. ERR_FORMAT: a file of a later version. ERR_IO, ERR_NOMEM.
 */
status_t wal_dump(struct env *env, const char *dir, const struct wal_dump *dump,
                  struct error *error);

#endif
