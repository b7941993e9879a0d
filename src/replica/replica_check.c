/* The consistency check, on each node: a hash of what it holds.
 *
 * A log entry of kind CHECK says where: all replicas that have applied the same entries hold the
 * same, or one of them is wrong. Where a node applies it, it takes a snapshot and hashes that as
 * background work, a piece at a time and not faster than check_bytes_per_second. The leader
 * compares (replica_check_lead.c). Each node sends it the hash again and again until it is
 * answered: equal, not judged, or different from that of most voters. The last one stops the node:
 * it writes a file QUARANTINE into its directory, with which it will not be started again.
 *
 * WHAT IS HASHED: of each user key the newest version, if it is no tombstone, since each node
 * collects old versions and tombstones when it likes (replica_collect.c); and all system keys but
 * its watermark, since the log alone decides them. In key order, for each: sizes of key and value,
 * 4 bytes each, the version, 8 (0 for a system key), all little-endian, then key and value. XXH3,
 * 128 bits: it keeps up with memory, and no one is to be kept from making two states with one hash.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "replica/replica_int.h"

enum {
    PIECE_BYTES = 1 << 20, /* read in one piece of work, */
    PIECE_PAIRS = 8192,    /* or so many pairs */
    REPORT_US = 1000000,   /* between two sendings of the same hash */
    LAST_US = 5000000,     /* for one who has asked here to hear who differs: this node */
    VERSION_SIZE = 8,      /* behind a user key (mvcc.h) */
    STATE_ALIGN = 64,      /* what XXH3 asks of its state */
};

struct replica__hashing {
    uint64_t index; /* of the CHECK entry */
    struct kv_snapshot *snapshot;
    struct kv_cursor cursor;
    struct buffer key; /* the user key whose newest version was met last */
    bool out;          /* with a piece of work */
    bool ended;        /* `hash` is known, */
    uint64_t odd_us;   /* since when it is known to differ; 0: it is not */
    uint64_t due_us;   /* the next piece, or the next report */
    uint8_t hash[REPLICA_HASH_SIZE];
    uint8_t state[sizeof(XXH3_state_t) + STATE_ALIGN];
};

struct piece {
    struct replica_work work;
    struct replica__hashing *hashing;
    uint64_t begun_us;
    uint64_t bytes;
    status_t status;
    struct error error;
};

static XXH3_state_t *state_of(struct replica__hashing *hashing)
{
    uintptr_t at = (uintptr_t)hashing->state;
    return (XXH3_state_t *)((at + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN);
}

static void hashing_free(struct replica__hashing *hashing)
{
    if (!hashing)
        return;
    ASSERT(!hashing->out);
    kv_snapshot_close(hashing->snapshot);
    buffer_free(&hashing->key);
    mem_free(hashing);
}

static bool is_odd(const struct replica *r)
{
    return r->hashing && r->hashing->odd_us;
}

void replica__check_destroy(struct replica *r)
{
    struct replica__hashing *hashing = r->hashing;
    r->hashing = NULL;
    if (hashing && !hashing->out)
        hashing_free(hashing); /* else with the piece that comes back */
}

void replica__check_drop(struct replica *r)
{
    if (!is_odd(r))
        replica__check_destroy(r);
}

void replica__check_begin(struct replica *r, uint64_t index)
{
    ASSERT(index == r->applied_index);
    if (is_odd(r))
        return;
    replica__check_drop(r);
    struct kv_snapshot *snapshot;
    struct error error;
    if (kv_snapshot_open(r->kv, &snapshot, &error) != OK) {
        log_warn("replica", "no consistency check at %" PRIu64 ": %s", index, error.message);
        return;
    }
    struct replica__hashing *hashing = mem_zalloc(1, sizeof *hashing);
    hashing->index = index;
    hashing->snapshot = snapshot;
    kv_cursor_init(&hashing->cursor, snapshot);
    XXH_errorcode reset = XXH3_128bits_reset(state_of(hashing));
    ASSERT(reset == XXH_OK);
    r->hashing = hashing;
    r->checked_us = env_monotonic_us(r->env);
}

/* ---- a piece of it ----------------------------------------------------------------------------
 */

static void pair_hash(struct replica__hashing *hashing, struct slice key, uint64_t version,
                      struct slice value)
{
    uint8_t head[16];
    put_u32_le(head, (uint32_t)key.size);
    put_u32_le(head + 4, (uint32_t)value.size);
    put_u64_le(head + 8, version);
    XXH3_state_t *state = state_of(hashing);
    (void)XXH3_128bits_update(state, head, sizeof head);
    (void)XXH3_128bits_update(state, key.data, key.size);
    if (value.size)
        (void)XXH3_128bits_update(state, value.data, value.size);
}

static status_t pair_take(struct replica__hashing *hashing, uint64_t *bytes, struct error *error)
{
    struct slice key = kv_cursor_key(&hashing->cursor), value;
    *bytes += key.size;
    bool user = key.data[0] >= MVCC_KEY_FIRST_MIN;
    if (user && key.size <= VERSION_SIZE)
        return error_set(error, ERR_CORRUPT, "the tree holds a key without a version");
    struct slice name = slice_make(key.data, user ? key.size - VERSION_SIZE : key.size);
    if (user && slice_equal(name, buffer_slice(&hashing->key)))
        return OK; /* an older version */
    status_t status = kv_cursor_value(&hashing->cursor, &value, error);
    if (status != OK)
        return status;
    *bytes += value.size;
    if (key.data[0] == MVCC_WATERMARK_PREFIX) /* each node's own */
        return OK;
    if (!user) {
        pair_hash(hashing, key, 0, value);
        return OK;
    }
    buffer_reset(&hashing->key);
    buffer_append_slice(&hashing->key, name);
    uint64_t version = ~get_u64_be(key.data + name.size);
    bool tombstone = value.size && value.data[0] == MVCC_TOMBSTONE;
    if (!tombstone)
        pair_hash(hashing, name, version, value);
    return OK;
}

static void hash_end(struct replica__hashing *hashing)
{
    XXH128_canonical_t canonical;
    _Static_assert(sizeof canonical == REPLICA_HASH_SIZE, "a hash of 128 bits");
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_of(hashing)));
    memcpy(hashing->hash, canonical.digest, REPLICA_HASH_SIZE);
    hashing->ended = true;
}

static void piece_run(struct replica_work *work)
{
    struct piece *piece = (struct piece *)work;
    struct replica__hashing *hashing = piece->hashing;
    struct kv_cursor *cursor = &hashing->cursor;
    if (!kv_cursor_valid(cursor))
        piece->status = kv_cursor_first(cursor, &piece->error);
    for (uint32_t pairs = 0; piece->status == OK && kv_cursor_valid(cursor); pairs++) {
        if (pairs == PIECE_PAIRS || piece->bytes >= PIECE_BYTES)
            return;
        piece->status = pair_take(hashing, &piece->bytes, &piece->error);
        if (piece->status == OK)
            piece->status = kv_cursor_next(cursor, &piece->error);
    }
    if (piece->status == OK)
        hash_end(hashing);
}

static void piece_done(struct replica *r, struct replica_work *work)
{
    struct piece *piece = (struct piece *)work;
    struct replica__hashing *hashing = piece->hashing;
    hashing->out = false;
    if (hashing != r->hashing) {
        hashing_free(hashing);
    } else if (piece->status != OK) {
        replica__fail(r, &piece->error); /* damage: what it holds cannot be known */
    } else {
        uint64_t pause_us = piece->bytes * 1000000 / r->config.check_bytes_per_second;
        hashing->due_us = hashing->ended ? 0 : piece->begun_us + pause_us;
        if (hashing->ended) {
            kv_snapshot_close(hashing->snapshot);
            hashing->snapshot = NULL;
        }
    }
    mem_free(piece);
}

struct replica_work *replica__check_take(struct replica *r)
{
    struct replica__hashing *hashing = r->hashing;
    uint64_t now_us = env_monotonic_us(r->env);
    if (!hashing || hashing->ended || now_us < hashing->due_us)
        return NULL;
    ASSERT(!hashing->out);
    struct piece *piece = mem_zalloc(1, sizeof *piece);
    piece->work = (struct replica_work){.run = piece_run, .done = piece_done};
    piece->hashing = hashing;
    piece->begun_us = now_us;
    hashing->out = true;
    return &piece->work;
}

/* ---- the report, and what comes of it ----------------------------------------------------------
 */

static void quarantine_error(const struct replica *r, struct error *error)
{
    error_set(error, ERR_CORRUPT,
              "node %" PRIu64 " holds other data than the majority of the cluster", r->config.id);
    error_detail(error, "A consistency check at log entry %" PRIu64 " found it.",
                 r->hashing->index);
    error_hint(error,
               "Its data is kept in \"%s\" for inspection. Replace the node: remove it, and "
               "join with an empty directory.",
               r->dir);
}

/* From now on it does not start again. */
static void quarantine_write(struct replica *r)
{
    struct error error, write_error;
    struct buffer text = {0};
    char path[1024];
    quarantine_error(r, &error);
    buffer_printf(&text, "%s: log entry %" PRIu64 ", hash ", error.message, r->hashing->index);
    for (int i = 0; i < REPLICA_HASH_SIZE; i++)
        buffer_printf(&text, "%02x", r->hashing->hash[i]);
    buffer_append_string(&text, "\n");
    snprintf(path, sizeof path, "%s/%s", r->dir, REPLICA_QUARANTINE_FILE);
    if (replica__file_write(r->env, path, buffer_slice(&text), &write_error) != OK ||
        env_dir_sync(r->env, r->dir, &write_error) != OK)
        log_error("replica", "%s", write_error.message);
    buffer_free(&text);
}

static void quarantine_stop(struct replica *r)
{
    struct error error;
    quarantine_error(r, &error);
    replica__fail(r, &error);
}

/* Is there somebody who asked this node for a check? Then the result comes here any moment. */
static bool check_is_awaited(const struct replica *r)
{
    const struct replica_admin *admin = r->admins;
    while (admin && admin->type != REPLICA_ADMIN_CHECK)
        admin = admin->next;
    return admin != NULL;
}

void replica__check_report(struct replica *r, uint64_t now_us)
{
    struct replica__hashing *hashing = r->hashing;
    if (!hashing || !hashing->ended)
        return;
    if (is_odd(r)) {
        if (!check_is_awaited(r) || now_us - hashing->odd_us >= LAST_US)
            quarantine_stop(r);
        return;
    }
    if (r->leader == 0 || now_us < hashing->due_us)
        return;
    hashing->due_us = now_us + REPORT_US;
    struct replica_message message = {.type = REPLICA_HASH,
                                      .to = r->leader,
                                      .index = hashing->index,
                                      .body = slice_make(hashing->hash, REPLICA_HASH_SIZE)};
    replica__send(r, &message);
}

void replica__check_verdict(struct replica *r, const struct replica_message *message)
{
    struct replica__hashing *hashing = r->hashing;
    if (!hashing || !hashing->ended || message->index != hashing->index ||
        message->from != r->leader || is_odd(r))
        return;
    bool differs = message->body.size == REPLICA_HASH_SIZE &&
                   memcmp(message->body.data, hashing->hash, REPLICA_HASH_SIZE) != 0;
    if (message->status != ERR_CORRUPT || !differs) {
        replica__check_drop(r);
        return;
    }
    hashing->odd_us = env_monotonic_us(r->env);
    quarantine_write(r);
    replica__check_report(r, hashing->odd_us);
}
