/* toydb check --data: the proof of a directory, everything below SQL by replica, the rest by SQL's
 * executor on a store that only reads. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "replica/replica.h"
#include "server/server.h"
#include "sql/exec/exec.h"

/* ---- a view as SQL wants its store ------------------------------------------------------------
 */

/* Unlike a transaction it does not note what was read, which would be all there is. */
struct view_txn {
    struct store_txn store; /* first */
    const struct mvcc_view *view;
};

struct view_cursor {
    struct store_cursor cursor; /* first */
    struct mvcc_scan scan;
    struct buffer low, high;
    struct arena keys; /* of the entries handed out last */
};

static status_t view_get(struct store_txn *store, struct slice key, bool *found,
                         struct slice *value, struct error *error)
{
    const struct mvcc_view *view = ((struct view_txn *)store)->view;
    status_t status = mvcc_get(view, key, value, NULL, error);
    *found = status == OK;
    return status == ERR_NOT_FOUND ? OK : status;
}

static const struct store_ops view_ops;

static void view_scan_close(struct store_cursor *cursor)
{
    struct view_cursor *view = (struct view_cursor *)cursor;
    buffer_free(&view->low);
    buffer_free(&view->high);
    arena_free(&view->keys);
    mem_free(view);
}

static status_t view_scan_open(struct store_txn *store, struct slice low, struct slice high,
                               bool reverse, struct store_cursor **out, struct error *error)
{
    struct view_cursor *view = mem_zalloc(1, sizeof *view);
    view->cursor.ops = &view_ops;
    buffer_append_slice(&view->low, low);
    buffer_append_slice(&view->high, high);
    status_t status =
        mvcc_scan_begin(&view->scan, ((struct view_txn *)store)->view, buffer_slice(&view->low),
                        buffer_slice(&view->high), reverse, error);
    if (status == OK)
        *out = &view->cursor;
    else
        view_scan_close(&view->cursor);
    return status;
}

static status_t view_scan_next(struct store_cursor *cursor, struct store_entry *entries,
                               uint32_t max, uint32_t *count, struct error *error)
{
    struct view_cursor *view = (struct view_cursor *)cursor;
    arena_reset(&view->keys);
    return mvcc_scan_next_many(&view->scan, (struct kv_entry *)entries, max, count, &view->keys,
                               error);
}

static status_t view_refuse(struct error *error)
{
    return error_set(error, ERR_INVALID, "cannot write while looking at a directory");
}

static status_t view_put(struct store_txn *store, struct slice key, struct slice value,
                         struct error *error)
{
    MAYBE(store && key.size && value.size);
    return view_refuse(error);
}

static status_t view_remove(struct store_txn *store, struct slice key, struct error *error)
{
    MAYBE(store && key.size);
    return view_refuse(error);
}

static const struct store_ops view_ops = {
    .get = view_get,
    .scan_open = view_scan_open,
    .scan_next = view_scan_next,
    .scan_close = view_scan_close,
    .put = view_put,
    .remove = view_remove,
};

/* ---- the proof --------------------------------------------------------------------------------
 */

static status_t sql_run(const struct mvcc_view *view, struct problems *problems,
                        struct server_proof *out, struct error *error)
{
    struct view_txn txn = {.store = {.ops = &view_ops}, .view = view};
    struct arena arena = {0};
    struct exec_verified verified;
    struct exec_context context = {.env = env_real(), .txn = &txn.store, .arena = &arena};
    status_t status = exec_verify(&context, problems, &verified, error);
    arena_free(&arena);
    out->tables = verified.tables;
    out->rows = verified.rows;
    out->entries = verified.entries;
    out->references = verified.references;
    return status;
}

static void out_fill(struct server_proof *out, const struct replica_proven *proven)
{
    out->id = proven->id;
    out->quarantine = proven->quarantine;
    out->pages = proven->kv.pages;
    out->pages_free = proven->kv.pages_free;
    out->keys = proven->versions.keys;
    out->versions = proven->versions.versions;
    out->index = proven->index;
    out->version = proven->version;
    out->log_first = proven->log_first;
    out->log_last = proven->log_last;
}

status_t server_prove(const char *dir, struct problems *problems, struct server_proof *out,
                      struct error *error)
{
    ASSERT(dir && problems && out);
    *out = (struct server_proof){0};
    struct replica_proof *proof = NULL;
    struct replica_proven proven;
    status_t status = replica_proof_open(env_real(), dir, problems, &proof, error);
    if (status != OK)
        return status;
    status = replica_proof_run(proof, problems, &proven, error);
    const struct mvcc_view *view = replica_proof_view(proof);
    if (status == OK) {
        out_fill(out, &proven);
        if (view)
            status = sql_run(view, problems, out, error);
    }
    replica_proof_close(proof);
    return status;
}
