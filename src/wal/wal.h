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
    uint32_t segment_size; /* a file is closed and the next begun at about this size. 16 MiB */
    /* Files grow by this many bytes of zeros at a time, ahead of the records: overwriting blocks
     * that were written before leaves a sync no metadata to write. 1 MiB */
    uint32_t zero_step;
};

/* Opens the log, creating an empty one when there is none, and locks it. A torn end, which a crash
 * in the middle of a write leaves behind, is cut off; nothing that was reported durable is in it.
 * ERR_LOCKED: another process has it open. ERR_CORRUPT: records that were durable are damaged or
 * missing; `error` names file and offset, its hint says what to do. ERR_FORMAT: written by a
 * version that this one cannot read. ERR_INVALID: the log of another node or cluster. ERR_IO,
 * ERR_DISK_FULL. env must outlive the wal. On success *out is the caller's: wal_close. */
status_t wal_open(struct env *env, const struct wal_config *config, struct wal **out,
                  struct error *error);
/* What is staged and not finished is dropped; no batch may be with the log thread (asserted).
 * NULL is allowed. */
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
 * else are removed by that batch's wal_write. */
status_t wal_compact(struct wal *wal, uint64_t index);
/* Drops all entries; the next one is index + 1 and the one before it is known to be of `term`.
 * For a node whose state came as a snapshot. */
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

#endif
