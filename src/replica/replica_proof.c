/* Proof of a data directory that no node has open: everything below SQL.
 *
 * Tree and log are opened as a node would open them, but only for looking, and what a node would
 * refuse to start with is a problem to tell. Beyond that, what a node takes on trust is gone
 * through: each page, version, outcome and record of the tree, each entry of the log.
 *
 * TREE AND LOG. The tree stands at its checkpoint's index. The log holds the entry there, of the
 * checkpoint's term, or begins right behind it (replica_checkpoint.c), or the checkpoint came as a
 * snapshot and the log is about to begin anew. Effects up to the index are in the tree, so their
 * versions are not above the checkpoint's; those behind it are above, and ascend. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "replica/replica_int.h"

enum { READ_BYTES = 1 << 20 };

struct replica_proof {
    struct replica *r; /* not open: what its parts are loaded with */
    bool received;     /* the checkpoint came as a snapshot */
    bool identity_known;
    bool tree_sound; /* so far */
    struct mvcc_view view;
};

/* ---- opening ----------------------------------------------------------------------------------
 */

static bool is_damage(status_t status)
{
    return status == ERR_CORRUPT || status == ERR_INVALID;
}

/* Damage becomes a problem, and is OK. */
static status_t judge(status_t status, const char *where, struct problems *problems,
                      const struct error *error)
{
    if (!is_damage(status))
        return status;
    problem_add_error(problems, where, error);
    return OK;
}

static status_t identity_take(struct env *env, const char *dir, struct problems *problems,
                              struct replica__identity *identity, bool *known, struct error *error)
{
    bool tree = false;
    status_t status = replica__identity_read(env, dir, identity, error);
    *known = status == OK;
    if (status == ERR_NOT_FOUND) {
        status = replica__file_exists(env, dir, "data.toydb", &tree, error);
        if (status == OK && !tree)
            return error_set(error, ERR_NOT_FOUND, "\"%s\" is not the data directory of a node",
                             dir);
        if (status == OK)
            problem_add(problems, "IDENTITY: is missing");
        return status;
    }
    return judge(status, "IDENTITY: ", problems, error);
}

static status_t tree_open(struct replica_proof *proof, struct problems *problems,
                          struct error *error)
{
    struct replica *r = proof->r;
    char path[1024];
    struct kv_options options = {.read_only = true};
    snprintf(path, sizeof path, "%s/data.toydb", r->dir);
    status_t status = kv_open(r->env, path, &options, &r->kv, error);
    if (status == ERR_NOT_FOUND) {
        problem_add(problems, "tree: \"%s\" is missing", path);
        return OK;
    }
    if (status != OK)
        return judge(status, "tree: ", problems, error);
    uint64_t before = problems->count;
    status = judge(replica__meta_load(r, error), "tree: ", problems, error);
    proof->received = r->received;
    proof->tree_sound = problems->count == before;
    struct kv_snapshot *snapshot = NULL;
    if (status == OK)
        status = kv_snapshot_open(r->kv, &snapshot, error);
    proof->view = (struct mvcc_view){.snapshot = snapshot, .version = r->applied_version};
    return status;
}

static status_t log_open(struct replica_proof *proof, struct problems *problems,
                         struct error *error)
{
    struct replica *r = proof->r;
    char path[1024];
    snprintf(path, sizeof path, "%s/log", r->dir);
    r->wal_dir = mem_strdup(path);
    if (!proof->identity_known) {
        problem_add(problems, "log: was not looked at, for it is not known whose it is");
        return OK;
    }
    struct wal_config config = {.dir = r->wal_dir, .node_id = r->config.id, .read_only = true};
    status_t status = wal_open(r->env, &config, &r->wal, error);
    if (status == ERR_NOT_FOUND) {
        problem_add(problems, "log: is missing");
        return OK;
    }
    return judge(status, "log: ", problems, error);
}

status_t replica_proof_open(struct env *env, const char *dir, struct problems *problems,
                            struct replica_proof **out, struct error *error)
{
    ASSERT(env && dir && problems && out);
    struct replica__identity identity = {0};
    bool known = false;
    status_t status = identity_take(env, dir, problems, &identity, &known, error);
    if (status != OK)
        return status;
    struct replica_config config = {
        .env = env, .dir = dir, .id = known ? identity.id : 1, .tick_us = 1};
    struct replica_host host = {0};
    struct replica_proof *proof = mem_zalloc(1, sizeof *proof);
    proof->r = replica__create(&config, &host);
    proof->r->identity = identity;
    /* Or loading would write to IDENTITY what the tree knows. */
    proof->r->identity.has_cluster_id = true;
    proof->identity_known = known;
    status = tree_open(proof, problems, error);
    if (status == OK)
        status = log_open(proof, problems, error);
    if (status == OK)
        *out = proof;
    else
        replica_proof_close(proof);
    return status;
}

void replica_proof_close(struct replica_proof *proof)
{
    if (!proof)
        return;
    kv_snapshot_close(proof->view.snapshot);
    replica__release(proof->r);
    mem_free(proof);
}

const struct mvcc_view *replica_proof_view(const struct replica_proof *proof)
{
    ASSERT(proof);
    return proof->view.snapshot ? &proof->view : NULL;
}

/* ---- the tree ---------------------------------------------------------------------------------
 */

/* Keys below those of versions: the node's records, outcomes, and the watermark. */
static status_t records_check(struct replica *r, struct problems *problems, struct error *error)
{
    static const char *const names[] = {"cluster", "members", "removed", "expire"};
    struct kv_cursor cursor;
    char text[BYTES_TEXT_SIZE];
    kv_cursor_init_latest(&cursor, r->kv);
    status_t status = kv_cursor_first(&cursor, error);
    while (status == OK && kv_cursor_valid(&cursor)) {
        struct slice key = kv_cursor_key(&cursor);
        if (key.data[0] >= MVCC_KEY_FIRST_MIN)
            break;
        bool known = key.data[0] == MVCC_WATERMARK_PREFIX; /* mvcc_check has it */
        for (size_t i = 0; i < sizeof names / sizeof *names && !known; i++) {
            uint8_t name[REPLICA_SYSTEM_KEY_MAX];
            known = slice_equal(key, replica__system_key(names[i], name));
        }
        if (key.data[0] == TXN_OUTCOME_PREFIX) { /* txn_outcomes_check has those */
            static const uint8_t behind = TXN_OUTCOME_PREFIX + 1;
            status = kv_cursor_seek(&cursor, slice_make(&behind, 1), error);
            continue;
        }
        if (!known)
            problem_add(problems, "key %s: belongs to nobody", bytes_print(key, text));
        status = kv_cursor_next(&cursor, error);
    }
    return status;
}

static void tree_problem(void *context, const char *problem)
{
    problem_add(context, "tree: %s", problem);
}

static status_t tree_run(struct replica_proof *proof, struct problems *problems,
                         struct replica_proven *out, struct error *error)
{
    struct replica *r = proof->r;
    struct replica__removed removed;
    kv_stats(r->kv, &out->kv);
    status_t status = kv_check(r->kv, tree_problem, problems, error);
    proof->tree_sound = proof->tree_sound && status == OK;
    if (status != OK && status != ERR_CORRUPT) /* which was told page by page */
        return status;
    status = judge(replica__removed_load(r, &removed, error), "tree: ", problems, error);
    if (status == OK)
        status = judge(records_check(r, problems, error), "tree: ", problems, error);
    if (status == OK)
        status =
            judge(txn_outcomes_check(r->kv, r->applied_version, problems, &out->outcomes, error),
                  "tree: ", problems, error);
    if (status == OK)
        status = judge(
            mvcc_check(proof->view.snapshot, r->applied_version, problems, &out->versions, error),
            "tree: ", problems, error);
    return status;
}

/* ---- the log ----------------------------------------------------------------------------------
 */

static void log_ends_check(const struct replica_proof *proof, struct problems *problems)
{
    const struct replica *r = proof->r;
    struct raft_hard_state hard_state = wal_hard_state(r->wal);
    uint64_t last = wal_last_index(r->wal), last_term = 0, term = 0;
    if (hard_state.commit > last)
        problem_add(problems,
                    "log: says that entries up to %" PRIu64
                    " are committed, but ends with %" PRIu64,
                    hard_state.commit, last);
    if (wal_term(r->wal, last, &last_term) == OK && last_term > hard_state.term)
        problem_add(problems,
                    "log: its last entry is of term %" PRIu64 ", its hard state of %" PRIu64,
                    last_term, hard_state.term);
    if (!r->kv)
        return;
    bool reaches = wal_term(r->wal, r->applied_index, &term) == OK;
    if (reaches && (r->applied_term == 0 || term == r->applied_term))
        return;
    if (proof->received && hard_state.term > 0)
        return;
    if (reaches)
        problem_add(problems,
                    "log: entry %" PRIu64 " is of term %" PRIu64 ", but of %" PRIu64
                    " in the tree's checkpoint",
                    r->applied_index, term, r->applied_term);
    else
        problem_add(problems,
                    "log: holds entries %" PRIu64 " to %" PRIu64
                    ", but the tree's checkpoint stands at %" PRIu64,
                    wal_first_index(r->wal), last, r->applied_index);
}

/* *version: of the effect before. */
static void entry_check(const struct replica_proof *proof, const struct raft_entry *entry,
                        uint64_t *version, struct problems *problems)
{
    const struct replica *r = proof->r;
    struct replica__decoded decoded;
    if (replica__entry_decode(entry, &decoded) != OK) {
        problem_add(problems, "log: entry %" PRIu64 " is malformed", entry->index);
        return;
    }
    if (decoded.effect.version == 0)
        return;
    if (decoded.effect.version <= *version)
        problem_add(problems,
                    "log: entry %" PRIu64 " has version %" PRIu64 ", one before it %" PRIu64,
                    entry->index, decoded.effect.version, *version);
    *version = decoded.effect.version;
    bool applied = entry->index <= r->applied_index;
    if (r->kv && !proof->received && applied != (decoded.effect.version <= r->applied_version))
        problem_add(problems,
                    "log: entry %" PRIu64 " has version %" PRIu64 ", but the tree at entry %" PRIu64
                    " has version %" PRIu64,
                    entry->index, decoded.effect.version, r->applied_index, r->applied_version);
}

static status_t log_run(struct replica_proof *proof, struct problems *problems, struct error *error)
{
    struct replica *r = proof->r;
    struct arena arena = {0};
    uint64_t at = wal_first_index(r->wal), end = wal_last_index(r->wal) + 1, version = 0;
    status_t status = OK;
    log_ends_check(proof, problems);
    while (at < end && status == OK) {
        struct raft_entry *entries = NULL;
        uint32_t count = 0;
        arena_reset(&arena);
        status = wal_read(r->wal, at, end, READ_BYTES, &arena, &entries, &count, error);
        for (uint32_t i = 0; i < count && status == OK; i++)
            entry_check(proof, &entries[i], &version, problems);
        at += count;
    }
    arena_free(&arena);
    return judge(status, "log: ", problems, error);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

status_t replica_proof_run(struct replica_proof *proof, struct problems *problems,
                           struct replica_proven *out, struct error *error)
{
    ASSERT(proof && problems && out);
    struct replica *r = proof->r;
    *out = (struct replica_proven){.id = proof->identity_known ? r->config.id : 0,
                                   .index = r->applied_index,
                                   .term = r->applied_term,
                                   .version = r->applied_version};
    status_t status =
        replica__file_exists(r->env, r->dir, REPLICA_QUARANTINE_FILE, &out->quarantine, error);
    if (status == OK && r->kv && proof->view.snapshot)
        status = tree_run(proof, problems, out, error);
    if (status != OK || !r->wal)
        return status;
    out->log_first = wal_first_index(r->wal);
    out->log_last = wal_last_index(r->wal);
    out->hard_state = wal_hard_state(r->wal);
    return log_run(proof, problems, error);
}
