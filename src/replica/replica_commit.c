/* Commits, on the node of the client: send to the leader, wait for the answer, send again to
 * whoever leads when there is none. The transaction id makes sending again safe.
 *
 *     begun --leader known--> sent --answer--> done
 *       ^                       |
 *       +-- leader changed, refused (not leader, busy), no answer for RESEND_US */

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

enum { RESEND_US = 1000000 };

static void commit_send(struct replica *r, struct replica_commit *commit, uint64_t now_us)
{
    ASSERT(r->leader != 0);
    bool sent_before = commit->asked_before || commit->open > 0;
    commit->waits = true;
    commit->sent_us = now_us;
    commit->sendings++;
    commit->open++; /* before sending: this node itself may lead and refuse at once */
    struct replica_message message = {.type = REPLICA_COMMIT_REQUEST,
                                      .to = r->leader,
                                      .id = commit->id,
                                      .index = r->term,
                                      .version = commit->sendings,
                                      .status = sent_before ? ERR_OUTCOME_UNKNOWN : OK,
                                      .body = buffer_slice(&commit->request)};
    if (!replica__send(r, &message))
        commit->open--;
}

void replica_commit_begin(struct replica *r, struct replica_commit *commit)
{
    ASSERT(commit->done);
    ASSERT(commit->request.size > 0);
    commit->id = ++r->commit_id;
    commit->sendings = 0;
    commit->open = 0;
    commit->waits = false;
    commit->version = 0;
    commit->reply_size = 0;
    commit->conflict_key_size = 0;
    commit->certify_us = commit->replicate_us = 0;
    commit->next = r->commits;
    r->commits = commit;
    if (r->leader)
        commit_send(r, commit, env_monotonic_us(r->env));
}

static bool commit_unlink(struct replica *r, struct replica_commit *commit)
{
    for (struct replica_commit **link = &r->commits; *link; link = &(*link)->next) {
        if (*link == commit) {
            *link = commit->next;
            commit->next = NULL;
            return true;
        }
    }
    return false;
}

void replica_commit_abandon(struct replica *r, struct replica_commit *commit)
{
    commit_unlink(r, commit);
}

static void commit_done(struct replica *r, struct replica_commit *commit, status_t status)
{
    bool was_there = commit_unlink(r, commit);
    ASSERT(was_there);
    commit->done(commit, status);
}

static struct replica_commit *commit_find(struct replica *r, uint64_t id)
{
    struct replica_commit *commit = r->commits;
    while (commit && commit->id != id)
        commit = commit->next;
    return commit;
}

/* It may be, or become, a part of the log. */
static bool is_open(const struct replica_commit *commit)
{
    return commit->asked_before || commit->open > 0;
}

/* Reasons for which a leader has not judged. */
static bool is_passing(status_t status)
{
    return status == ERR_NOT_LEADER || status == ERR_BUSY || status == ERR_NO_QUORUM ||
           status == ERR_DISK_FULL;
}

/* One sending will not be proposed. True: that is the answer to the whole request. */
static bool refusal_counts(struct replica_commit *commit, const struct replica_message *message)
{
    if (commit->open == 0 || message->index > commit->sendings)
        return false; /* no correct node says so */
    commit->open--;
    bool last = message->index == commit->sendings;
    if (!is_passing(message->status))
        return last;
    if (message->status == ERR_DISK_FULL && !is_open(commit))
        return true;
    if (last)
        commit->waits = false; /* sent again at the next tick */
    return false;
}

void replica__commit_response(struct replica *r, const struct replica_message *message)
{
    struct replica_commit *commit = commit_find(r, message->id);
    if (!commit || (message->status != OK && !refusal_counts(commit, message)))
        return;
    if (message->status == OK) {
        commit->version = message->version;
        commit->certify_us = message->certify_us;
        commit->replicate_us = message->replicate_us;
        if (message->body.size <= sizeof commit->reply) {
            commit->reply_size = (uint32_t)message->body.size;
            if (message->body.size)
                memcpy(commit->reply, message->body.data, message->body.size);
        }
    } else if (message->body.size && message->body.size <= sizeof commit->conflict_key) {
        memcpy(commit->conflict_key, message->body.data, message->body.size);
        commit->conflict_key_size = (uint32_t)message->body.size;
    }
    commit_done(r, commit, message->status);
}

void replica__commits_tick(struct replica *r, uint64_t now_us)
{
    struct replica_commit *commit = r->commits;
    while (commit) {
        struct replica_commit *next = commit->next;
        uint64_t deadline_us = is_open(commit) ? commit->deadline_us : commit->quorum_deadline_us;
        if (deadline_us <= now_us) {
            commit_done(r, commit, is_open(commit) ? ERR_OUTCOME_UNKNOWN : ERR_NO_QUORUM);
            next = r->commits; /* the callback may have begun or ended others */
        } else if (r->leader && (!commit->waits || now_us - commit->sent_us >= RESEND_US)) {
            commit_send(r, commit, now_us);
        }
        commit = next;
    }
}

void replica__commits_leader_changed(struct replica *r)
{
    for (struct replica_commit *commit = r->commits; commit; commit = commit->next)
        commit->waits = false;
    if (r->leader)
        replica__commits_tick(r, env_monotonic_us(r->env));
}

void replica__commits_fail(struct replica *r, status_t status)
{
    while (r->commits)
        commit_done(r, r->commits, is_open(r->commits) ? ERR_OUTCOME_UNKNOWN : status);
}
