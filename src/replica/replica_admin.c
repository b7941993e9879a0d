/* Requests to change the cluster, on the node that was asked: send to the leader, ask again until
 * it says that the state wished for is there, or that it will not be.
 *
 *     begun --leader known--> sent --OK, refused--> done
 *       ^                       |
 *       +-- leader changed, not leader, under way (ERR_BUSY), no answer for RESEND_US
 *
 * The leader keeps no list of who waits for what: each sending is judged by what is so at that
 * time. So nothing is lost with a leader, and asking the next one is asking the same. */

#include <string.h>

#include "base/check.h"
#include "replica/replica_int.h"

enum { RESEND_US = 1000000, AGAIN_US = 50000 };

static void admin_send(struct replica *r, struct replica_admin *admin, uint64_t now_us)
{
    ASSERT(r->leader != 0);
    if (admin->type == REPLICA_ADMIN_TRANSFER && admin->token == 0)
        admin->token = r->leader;
    struct replica__admin_request request = {
        .type = admin->type, .token = admin->token, .member = admin->member};
    struct buffer body = {0};
    replica__admin_request_encode(&request, &body);
    ASSERT(!body.failed);
    admin->waits = true;
    admin->sent_us = now_us;
    struct replica_message message = {.type = REPLICA_ADMIN_REQUEST,
                                      .to = r->leader,
                                      .id = admin->id,
                                      .body = buffer_slice(&body)};
    if (replica__send(r, &message))
        admin->open = true;
    buffer_free(&body);
}

void replica_admin_begin(struct replica *r, struct replica_admin *admin)
{
    ASSERT(admin->done);
    ASSERT(memchr(admin->member.address, '\0', sizeof admin->member.address));
    error_clear(&admin->error);
    admin->members = (struct replica_members){0};
    admin->check = (struct replica_check){0};
    admin->id = ++r->admin_id;
    admin->token = 0;
    admin->waits = admin->open = false;
    admin->sent_us = 0;
    admin->next = r->admins;
    r->admins = admin;
    if (r->leader)
        admin_send(r, admin, env_monotonic_us(r->env));
}

static bool admin_unlink(struct replica *r, struct replica_admin *admin)
{
    for (struct replica_admin **link = &r->admins; *link; link = &(*link)->next) {
        if (*link == admin) {
            *link = admin->next;
            admin->next = NULL;
            return true;
        }
    }
    return false;
}

void replica_admin_cancel(struct replica *r, struct replica_admin *admin)
{
    admin_unlink(r, admin);
}

static void admin_done(struct replica *r, struct replica_admin *admin, status_t status)
{
    bool was_there = admin_unlink(r, admin);
    ASSERT(was_there);
    if (status == OK)
        error_clear(&admin->error);
    else if (admin->error.status != status)
        error_set(&admin->error, status, "%s", status_text(status));
    admin->done(admin, status);
}

/* The deadline is over. What the last leader said is no reason any more when there is none. */
static void admin_late(struct replica *r, struct replica_admin *admin)
{
    struct error last = admin->error;
    bool said = last.status == ERR_BUSY;
    if (!admin->open) {
        error_set(&admin->error, ERR_NO_QUORUM, "no leader was found in time");
    } else if (r->leader == 0) {
        error_set(&admin->error, ERR_TIMEOUT, "the cluster has no leader now");
        if (said)
            error_detail(&admin->error, "The last one said: %s.", last.message);
    } else {
        error_set(&admin->error, ERR_TIMEOUT, "%s",
                  said ? last.message : "the leader has not answered in time");
    }
    if (admin->open)
        error_hint(&admin->error, "It may still come to be: asking again is harmless.");
    admin_done(r, admin, admin->error.status);
}

void replica__admin_response(struct replica *r, const struct replica_message *message)
{
    struct replica_admin *admin = r->admins;
    while (admin && admin->id != message->id)
        admin = admin->next;
    if (!admin)
        return;
    admin->waits = false;
    struct replica__admin_response response;
    if (message->status == ERR_NOT_LEADER)
        return;
    if (replica__admin_response_decode(message->body, &response) != OK) {
        r->messages_refused++;
        return;
    }
    admin->token = response.token;
    if (message->status != OK) {
        error_set(&admin->error, message->status, "%s", response.error.message);
        error_detail(&admin->error, "%s", response.error.detail);
        error_hint(&admin->error, "%s", response.error.hint);
    }
    if (message->status == ERR_BUSY)
        return;
    admin->members = response.members;
    admin->check = response.check;
    memcpy(admin->cluster_id, response.cluster_id, sizeof admin->cluster_id);
    admin_done(r, admin, message->status);
}

void replica__admins_tick(struct replica *r, uint64_t now_us)
{
    struct replica_admin *admin = r->admins;
    while (admin) {
        struct replica_admin *next = admin->next;
        uint64_t pause_us = admin->waits ? RESEND_US : AGAIN_US;
        if (admin->deadline_us <= now_us) {
            admin_late(r, admin);
            next = r->admins; /* the callback may have begun or ended others */
        } else if (r->leader && now_us - admin->sent_us >= pause_us) {
            admin_send(r, admin, now_us);
        }
        admin = next;
    }
}

void replica__admins_leader_changed(struct replica *r)
{
    for (struct replica_admin *admin = r->admins; admin; admin = admin->next) {
        admin->waits = false;
        if (r->leader)
            admin_send(r, admin, env_monotonic_us(r->env));
    }
}

/* A node that is asked for its own removal may hear of that before it hears the answer. */
void replica__admins_removed(struct replica *r)
{
    struct replica_admin *admin = r->admins;
    while (admin) {
        struct replica_admin *next = admin->next;
        if (admin->type == REPLICA_ADMIN_REMOVE && admin->member.id == r->config.id) {
            for (uint32_t i = 0; i < r->members.count; i++)
                if (r->members.items[i].id != r->config.id)
                    admin->members.items[admin->members.count++] = r->members.items[i];
            admin_done(r, admin, OK);
            next = r->admins; /* the callback may have begun or ended others */
        }
        admin = next;
    }
}

void replica__admins_fail(struct replica *r, status_t status)
{
    while (r->admins)
        admin_done(r, r->admins, status);
}
