/* Who belongs to the cluster.
 *
 * Raft knows members by id and carries a context for each, in which this room keeps the rest:
 * MessagePack [uid, promote, address]. Three memberships are told apart:
 *
 *     first      in IDENTITY: what the first start was told; index 0 of the log, or nothing but
 *                nodes to talk to, when this node came by a join
 *     members    in effect: the newest in the log, committed or not, as raft has it; connections
 *                and majorities go by it
 *     applied    the newest one applied, and so committed: whom to turn away goes by it, for an
 *                uncommitted one may yet be taken back. In the tree under 01 "members", as raft
 *                encodes it, so that it is a part of every snapshot
 *
 * A new cluster's membership has no uids. The leader hears them with every message and puts them on
 * record by a membership that differs in nothing else; from then on another directory under the
 * same id is a stranger (replica_sender.c). Uids of members that went are kept under 01 "removed",
 * [id, uid, id, uid, ...], the newest REPLICA_REMOVED_KEPT: they do not come back, for such a
 * directory may have been told of its removal and have stopped for good, or not. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/msgpack.h"
#include "replica/replica_int.h"

const struct replica_member *replica__member_find(const struct replica_members *members,
                                                  uint64_t id)
{
    ASSERT(members->count <= REPLICA_MEMBERS_MAX);
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].id == id)
            return &members->items[i];
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    const struct replica_member *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

void replica__members_sort(struct replica_members *members)
{
    ASSERT(members->count <= REPLICA_MEMBERS_MAX);
    qsort(members->items, members->count, sizeof members->items[0], by_id);
}

bool replica__address_valid(const char *address)
{
    for (const char *at = address; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    return true;
}

/* ---- as raft has them -------------------------------------------------------------------------
 */

static void context_encode(const struct replica_member *member, struct raft_member *out)
{
    struct buffer bytes;
    buffer_init(&bytes, RAFT_MEMBER_CONTEXT_MAX);
    msgpack_put_array(&bytes, 3);
    msgpack_put_uint(&bytes, member->uid);
    msgpack_put_bool(&bytes, member->promote);
    msgpack_put_str(&bytes, slice_from_string(member->address));
    ASSERT(!bytes.failed);
    memcpy(out->context, bytes.data, bytes.size);
    out->context_size = (uint16_t)bytes.size;
    buffer_free(&bytes);
}

/* An empty context is that of a member of which nothing is known. */
static status_t context_decode(const struct raft_member *member, struct replica_member *out)
{
    if (member->context_size == 0)
        return OK;
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, slice_make(member->context, member->context_size));
    bool shape = msgpack_get_array(&reader) == 3;
    out->uid = msgpack_get_uint(&reader);
    struct msgpack_value promote;
    shape = shape && msgpack_next(&reader, &promote) && promote.type == MSGPACK_BOOL;
    out->promote = shape && promote.as.boolean;
    struct slice address = msgpack_get_str(&reader);
    if (!shape || !msgpack_done(&reader) || address.size >= sizeof out->address ||
        (address.size && memchr(address.data, '\0', address.size)))
        return ERR_CORRUPT;
    if (address.size)
        memcpy(out->address, address.data, address.size);
    return OK;
}

void replica__members_to_raft(const struct replica_members *members, struct raft_members *out)
{
    ASSERT(members->count <= REPLICA_MEMBERS_MAX);
    *out = (struct raft_members){.index = members->index, .count = members->count};
    for (uint32_t i = 0; i < members->count; i++) {
        out->items[i].id = members->items[i].id;
        out->items[i].voter = members->items[i].voter;
        context_encode(&members->items[i], &out->items[i]);
    }
}

status_t replica__members_from_raft(const struct raft_members *members, struct replica_members *out)
{
    ASSERT(members->count <= REPLICA_MEMBERS_MAX);
    *out = (struct replica_members){.index = members->index, .count = members->count};
    status_t status = OK;
    for (uint32_t i = 0; i < members->count && status == OK; i++) {
        out->items[i].id = members->items[i].id;
        out->items[i].voter = members->items[i].voter;
        status = context_decode(&members->items[i], &out->items[i]);
    }
    return status;
}

/* ---- in the tree ------------------------------------------------------------------------------
 */

status_t replica__members_load(struct replica *r, struct error *error)
{
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct slice stored;
    r->members_applied = (struct replica_members){0};
    status_t status = kv_get_latest(r->kv, replica__system_key("members", key), &stored, error);
    if (status == ERR_NOT_FOUND) {
        if (!r->identity.joins)
            r->members_applied = r->identity.first;
        return OK;
    }
    struct raft_members members;
    if (status == OK && (raft_members_decode(stored, &members) != OK ||
                         replica__members_from_raft(&members, &r->members_applied) != OK))
        status = error_set(error, ERR_CORRUPT, "record of the cluster's members is malformed");
    return status;
}

bool replica__removed_has(const struct replica__removed *removed, uint64_t id, uint64_t uid)
{
    ASSERT(removed->count <= REPLICA_REMOVED_KEPT);
    for (uint32_t i = 0; i < removed->count; i++)
        if (removed->items[i].id == id && removed->items[i].uid == uid)
            return true;
    return false;
}

status_t replica__removed_load(struct replica *r, struct replica__removed *out, struct error *error)
{
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct slice stored;
    out->count = 0;
    status_t status = kv_get_latest(r->kv, replica__system_key("removed", key), &stored, error);
    if (status != OK)
        return status == ERR_NOT_FOUND ? OK : status;
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, stored);
    uint32_t count = msgpack_get_array(&reader);
    bool shape = count % 2 == 0 && count / 2 <= REPLICA_REMOVED_KEPT;
    for (uint32_t i = 0; shape && i < count / 2; i++) {
        out->items[i].id = msgpack_get_uint(&reader);
        out->items[i].uid = msgpack_get_uint(&reader);
    }
    if (!shape || !msgpack_done(&reader))
        return error_set(error, ERR_CORRUPT, "record of removed members is malformed");
    out->count = count / 2;
    return OK;
}

static void removed_add(struct replica__removed *removed, uint64_t id, uint64_t uid)
{
    if (removed->count == REPLICA_REMOVED_KEPT) {
        removed->count--;
        memmove(removed->items, removed->items + 1, removed->count * sizeof *removed->items);
    }
    removed->items[removed->count].id = id;
    removed->items[removed->count++].uid = uid;
}

/* Puts those of the members applied on record that are not in `next`. Done again it adds nothing.
 */
static status_t removed_store(struct replica *r, const struct replica_members *next,
                              struct error *error)
{
    struct replica__removed removed;
    bool any = false;
    status_t status = replica__removed_load(r, &removed, error);
    for (uint32_t i = 0; status == OK && i < r->members_applied.count; i++) {
        const struct replica_member *member = &r->members_applied.items[i];
        const struct replica_member *same = replica__member_find(next, member->id);
        bool stays = same && same->uid == member->uid;
        if (member->uid == 0 || stays || replica__removed_has(&removed, member->id, member->uid))
            continue;
        removed_add(&removed, member->id, member->uid);
        any = true;
    }
    if (status != OK || !any)
        return status;
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct buffer record = {0};
    msgpack_put_array(&record, 2 * removed.count);
    for (uint32_t i = 0; i < removed.count; i++) {
        msgpack_put_uint(&record, removed.items[i].id);
        msgpack_put_uint(&record, removed.items[i].uid);
    }
    status = kv_put(r->kv, replica__system_key("removed", key), buffer_slice(&record), error);
    buffer_free(&record);
    return status;
}

/* ---- committed --------------------------------------------------------------------------------
 */

/* Whether the change from the members applied to `next` turns this node away. Memberships before
 * the one it joined with, or a newer one it is in, may be without it, or with an earlier directory
 * of its id: it meets them when it reads the log from the start. */
static void own_place_check(struct replica *r, const struct replica_members *next)
{
    uint64_t id = r->config.id, uid = r->identity.uid;
    if (r->identity.joins && next->index <= r->identity.first.index)
        return;
    const struct replica_member *now = replica__member_find(&r->members, id);
    if (now && now->uid == uid && r->members.index > next->index)
        return;
    const struct replica_member *before = replica__member_find(&r->members_applied, id);
    const struct replica_member *after = replica__member_find(next, id);
    if (after && after->uid != 0 && after->uid != uid)
        replica__stranger_stop(r, next->index);
    else if (!after && before && (before->uid == 0 || before->uid == uid))
        r->removed_index = next->index;
}

status_t replica__members_apply(struct replica *r, const struct raft_entry *entry,
                                struct error *error)
{
    ASSERT(entry->type == RAFT_ENTRY_MEMBERS);
    struct raft_members members;
    struct replica_members next;
    status_t status = raft_members_decode(entry->data, &members);
    if (status == OK)
        status = replica__members_from_raft(&members, &next);
    if (status != OK || next.index != entry->index)
        return error_set(error, ERR_CORRUPT, "log entry %" PRIu64 " is no valid membership",
                         entry->index);

    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    status = removed_store(r, &next, error);
    if (status == OK)
        status = kv_put(r->kv, replica__system_key("members", key), entry->data, error);
    if (status != OK)
        return status;
    own_place_check(r, &next);
    r->members_applied = next;
    return OK;
}

/* ---- in effect --------------------------------------------------------------------------------
 */

status_t replica__members_fetch(struct replica *r, struct error *error)
{
    struct raft_members members;
    raft_members(r->raft, &members);
    memset(r->uids_heard, 0, sizeof r->uids_heard);
    if (replica__members_from_raft(&members, &r->members) == OK)
        return OK;
    return error_set(error, ERR_CORRUPT, "membership in the log at %" PRIu64 " is malformed",
                     members.index);
}

void replica__members_refresh(struct replica *r)
{
    struct error error;
    if (replica__members_fetch(r, &error) != OK) {
        replica__fail(r, &error);
        return;
    }
    if (!r->host.members_changed)
        return;
    struct replica_members told;
    replica_members(r, &told);
    r->host.members_changed(r->host.context, &told);
}

bool replica__majority_reachable(const struct replica *r, const struct replica_members *members)
{
    uint32_t voters = 0, reachable = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct replica_member *member = &members->items[i];
        voters += member->voter;
        reachable += member->voter &&
                     (member->id == r->config.id || r->host.reachable(r->host.context, member->id));
    }
    return reachable > voters / 2;
}

void replica_members(struct replica *r, struct replica_members *out)
{
    *out = r->members;
    if (out->count == 0 && r->identity.joins) {
        *out = r->identity.first;
        out->index = 0;
    }
    replica__members_sort(out);
}

uint64_t replica_uid(const struct replica *r)
{
    return r->identity.uid;
}
