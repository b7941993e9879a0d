/* Who may talk to this node, and who is told to stop.
 *
 *   another cluster      its messages are refused, it is told REPLICA_FOREIGN. One node that tells
 *                        us so may be the stray one itself; when most do, we are, and stop
 *   not a member         it may be one that this node does not know of yet, so its messages are
 *                        taken (thesis 4.2.3) when it knows the cluster's id; but when the members
 *                        applied are without it, it is told so: REPLICA_REMOVED
 *   another directory    the id is a member's, but the uid is not the one on record: refused, for
 *                        what the member has promised is not in that directory; REPLICA_STRANGER.
 *                        When none is on record yet: not one that was removed, REPLICA_REMOVED
 *
 * Who turns away may itself be behind: a node just added, perhaps under the id of one that was
 * removed, writes to one that does not know it yet. Therefore each message says which membership is
 * the newest that its sender knows to have a place in, and each refusal on which one it rests; the
 * newer one counts. So who is behind takes messages of a directory it does not know, and who is
 * told to stop does so only for good. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

enum { TELL_US = 1000000, HELLO_US = 2000000 };

static bool cluster_known(const uint8_t id[REPLICA_CLUSTER_ID_SIZE])
{
    static const uint8_t unknown[REPLICA_CLUSTER_ID_SIZE];
    return memcmp(id, unknown, REPLICA_CLUSTER_ID_SIZE) != 0;
}

/* Both know their cluster, and it is not the same. */
static bool is_foreign(const struct replica *r, const struct replica_message *message)
{
    return r->identity.has_cluster_id && cluster_known(message->cluster_id) &&
           memcmp(message->cluster_id, r->identity.cluster_id, REPLICA_CLUSTER_ID_SIZE) != 0;
}

/* ---- telling ----------------------------------------------------------------------------------
 */

/* At most once a second to each. */
static void tell(struct replica *r, struct replica_message answer)
{
    uint64_t *told_us = &r->told_us[answer.to % REPLICA_MEMBERS_MAX];
    uint64_t now_us = env_monotonic_us(r->env);
    if (*told_us != 0 && now_us - *told_us < TELL_US)
        return;
    *told_us = now_us;
    log_warn("replica", "node %" PRIu64 " is told that it is %s", answer.to,
             answer.type == REPLICA_FOREIGN   ? "of another cluster"
             : answer.type == REPLICA_REMOVED ? "not a member"
                                              : "not the member of that id");
    replica__send(r, &answer);
}

/* While a member's directory is not known, one that went under its id is not it. */
static bool went_before(struct replica *r, const struct replica_message *message)
{
    struct replica__removed removed;
    struct error error;
    if (replica__removed_load(r, &removed, &error) != OK) {
        replica__fail(r, &error);
        return true;
    }
    return replica__removed_has(&removed, message->from, message->uid);
}

/* What a leader or candidate counts: the promise of a member, who must be the one it knows. */
static bool is_promise(const struct replica_message *message)
{
    if (!message->raft)
        return false;
    switch (message->raft->type) {
    case RAFT_PREVOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
    case RAFT_APPEND_RESPONSE:
    case RAFT_HEARTBEAT_RESPONSE:
        return true;
    default:
        return false;
    }
}

/* False: it is turned away. */
static bool member_check(struct replica *r, const struct replica_message *message)
{
    const struct replica_member *now = replica__member_find(&r->members, message->from);
    const struct replica_member *applied = replica__member_find(&r->members_applied, message->from);
    uint64_t uid = now && now->uid ? now->uid : applied ? applied->uid : 0;
    uint64_t index = now && now->uid ? r->members.index : r->members_applied.index;
    struct replica_message answer = {.to = message->from, .index = r->members_applied.index};
    /* It knows more than we do; we may learn from it, but not lead by what it says. */
    bool knows_more = message->place > index;
    if (uid != 0 && message->uid != uid && knows_more && is_promise(message))
        return false;
    if (uid != 0 && message->uid != uid && !knows_more) {
        answer.type = REPLICA_STRANGER;
        answer.version = uid;
        if (applied && applied->uid == uid)
            tell(r, answer);
        return false;
    }
    bool gone = uid == 0 && (now || applied) && went_before(r, message);
    if (!gone && (now || applied || r->members_applied.index == 0))
        return now || applied || cluster_known(message->cluster_id) || r->identity.joins;
    answer.type = REPLICA_REMOVED;
    tell(r, answer);
    return !gone && cluster_known(message->cluster_id);
}

/* ---- being told -------------------------------------------------------------------------------
 */

static void foreign_told(struct replica *r, uint64_t node)
{
    struct replica_members members;
    replica_members(r, &members);
    for (uint32_t i = 0; i < r->foreign_count; i++)
        if (r->foreign[i] == node)
            return;
    if (r->foreign_count == REPLICA_MEMBERS_MAX || !replica__member_find(&members, node))
        return;
    r->foreign[r->foreign_count++] = node;
    if (r->foreign_count * 2 < members.count)
        return;
    struct error error;
    error_set(&error, ERR_INVALID, "data directory \"%s\" belongs to another cluster", r->dir);
    error_detail(&error, "Most of the nodes named as peers are of a different cluster.");
    error_hint(&error, "Check --data and --peers.");
    replica__fail(r, &error);
}

uint64_t replica__place_known(const struct replica *r)
{
    uint64_t index = r->identity.joins ? r->identity.first.index : 0;
    const struct replica_member *own = replica__member_find(&r->members_applied, r->config.id);
    bool placed = own && (own->uid == 0 || own->uid == r->identity.uid);
    return placed && r->members_applied.index > index ? r->members_applied.index : index;
}

void replica__stranger_stop(struct replica *r, uint64_t index)
{
    struct error error;
    error_set(&error, ERR_INVALID, "node %" PRIu64 " of this cluster has another data directory",
              r->config.id);
    error_detail(&error,
                 "Log entry %" PRIu64 " of the cluster says so; what node %" PRIu64
                 " has promised in elections is not in \"%s\".",
                 index, r->config.id, r->dir);
    error_hint(&error,
               "Start it with its own directory. If that is lost: remove node %" PRIu64
               " from the cluster, then start it with an empty directory and --join.",
               r->config.id);
    replica__fail(r, &error);
}

void replica__removed_stop(struct replica *r, uint64_t index)
{
    struct error error;
    error_set(&error, ERR_INVALID, "node %" PRIu64 " is not a member of the cluster", r->config.id);
    error_detail(&error, "Log entry %" PRIu64 " removed it. Its data is kept in \"%s\".", index,
                 r->dir);
    error_hint(&error, "To make it a member again, start it with an empty directory and --join.");
    r->identity.removed_index = index;
    struct error write_error;
    if (replica__identity_write(r->env, r->dir, &r->identity, &write_error) != OK)
        log_warn("replica", "%s", write_error.message);
    replica__admins_removed(r);
    replica__fail(r, &error);
}

/* Only a node that this one knows of can tell it. */
static void told(struct replica *r, const struct replica_message *message)
{
    struct replica_members members;
    replica_members(r, &members);
    bool counts =
        replica__member_find(&members, message->from) && message->index > replica__place_known(r);
    if (!counts)
        r->messages_refused++;
    else if (message->type == REPLICA_REMOVED)
        replica__removed_stop(r, message->index);
    else if (message->version != r->identity.uid)
        replica__stranger_stop(r, message->index);
}

/* ---- both --------------------------------------------------------------------------------------
 */

bool replica__sender_check(struct replica *r, const struct replica_message *message)
{
    bool foreign = is_foreign(r, message);
    if (message->type == REPLICA_FOREIGN) {
        if (foreign)
            foreign_told(r, message->from);
        return false;
    }
    if (foreign) {
        r->messages_refused++;
        tell(r, (struct replica_message){.type = REPLICA_FOREIGN, .to = message->from});
        return false;
    }
    if (message->type == REPLICA_REMOVED || message->type == REPLICA_STRANGER) {
        told(r, message);
        return false;
    }
    if (!member_check(r, message)) {
        r->messages_refused++;
        return false;
    }
    r->heard_us = env_monotonic_us(r->env);
    if (r->role == RAFT_LEADER)
        replica__uid_heard(r, message->from, message->uid);
    return true;
}

void replica__hello_tick(struct replica *r, uint64_t now_us)
{
    if (now_us - r->heard_us < HELLO_US)
        return;
    r->heard_us = now_us;
    struct replica_members members;
    replica_members(r, &members);
    for (uint32_t i = 0; i < members.count && !r->failed; i++) {
        struct replica_message message = {.type = REPLICA_HELLO, .to = members.items[i].id};
        if (message.to != r->config.id)
            replica__send(r, &message);
    }
}
