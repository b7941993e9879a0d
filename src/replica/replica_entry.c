/* What an entry of the log holds, for those who only look at it. */
#include <inttypes.h>

#include "base/check.h"
#include "replica/replica_int.h"

status_t replica__entry_decode(const struct raft_entry *entry, struct replica__decoded *out)
{
    ASSERT(entry && out);
    *out = (struct replica__decoded){0};
    if (entry->type == RAFT_ENTRY_NOOP)
        return entry->data.size == 0 ? OK : ERR_CORRUPT;
    if (entry->type == RAFT_ENTRY_MEMBERS) {
        struct raft_members members;
        out->has_members = true;
        status_t status = raft_members_decode(entry->data, &members);
        return status == OK ? replica__members_from_raft(&members, &out->members) : ERR_CORRUPT;
    }
    if (entry->type != RAFT_ENTRY_COMMAND || entry->data.size == 0)
        return ERR_CORRUPT;
    struct slice body = slice_make(entry->data.data + 1, entry->data.size - 1);
    out->kind = entry->data.data[0];
    switch (out->kind) {
    case REPLICA_ENTRY_EFFECT:
    case REPLICA_ENTRY_REFUSAL:
        return txn_effect_decode(body, &out->effect);
    case REPLICA_ENTRY_CLUSTER:
    case REPLICA_ENTRY_RECOVER:
        out->cluster_id = body;
        return body.size == REPLICA_CLUSTER_ID_SIZE ? OK : ERR_CORRUPT;
    case REPLICA_ENTRY_CHECK:
        return OK;
    default:
        return ERR_CORRUPT;
    }
}

static void effect_print(const struct replica__decoded *entry, struct buffer *out)
{
    char origin[BYTES_TEXT_SIZE];
    buffer_printf(out, "%s version %" PRIu64 " of %s number %" PRIu64,
                  entry->kind == REPLICA_ENTRY_EFFECT ? "transaction" : "refused transaction",
                  entry->effect.version, bytes_print(entry->effect.id.origin, origin),
                  entry->effect.id.sequence);
    if (entry->kind != REPLICA_ENTRY_EFFECT)
        return;
    struct txn_write_cursor cursor;
    struct slice key, value;
    bool tombstone;
    uint64_t writes = 0, deletes = 0;
    txn_writes_begin(entry->effect.writes, &cursor);
    while (txn_writes_next(&cursor, &key, &value, &tombstone)) {
        writes += !tombstone;
        deletes += tombstone;
    }
    buffer_printf(out, ": %" PRIu64 " keys written, %" PRIu64 " deleted", writes, deletes);
}

static void members_print(const struct replica_members *members, struct buffer *out)
{
    char address[BYTES_TEXT_SIZE];
    buffer_append_string(out, "members");
    for (uint32_t i = 0; i < members->count; i++)
        buffer_printf(out, "%s %" PRIu64 " %s %s", i ? "," : "", members->items[i].id,
                      members->items[i].voter ? "voter" : "learner",
                      bytes_print(slice_from_string(members->items[i].address), address));
}

status_t replica_entry_print(const struct raft_entry *entry, struct buffer *out)
{
    struct replica__decoded decoded;
    status_t status = replica__entry_decode(entry, &decoded);
    if (status != OK) {
        buffer_printf(out, "MALFORMED (type %u)", entry->type);
        return ERR_CORRUPT;
    }
    if (decoded.has_members) {
        members_print(&decoded.members, out);
        return OK;
    }
    switch (decoded.kind) {
    case REPLICA_ENTRY_EFFECT:
    case REPLICA_ENTRY_REFUSAL:
        effect_print(&decoded, out);
        break;
    case REPLICA_ENTRY_CLUSTER:
    case REPLICA_ENTRY_RECOVER:
        buffer_append_string(out, decoded.kind == REPLICA_ENTRY_CLUSTER ? "cluster " : "recover ");
        for (size_t i = 0; i < decoded.cluster_id.size; i++)
            buffer_printf(out, "%02x", decoded.cluster_id.data[i]);
        break;
    case REPLICA_ENTRY_CHECK:
        buffer_append_string(out, "consistency check");
        break;
    default:
        buffer_append_string(out, "a new leader's first");
        break;
    }
    return OK;
}
