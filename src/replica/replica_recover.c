/* A cluster of one out of a survivor's directory, when the majority is gone for good.
 *
 * Raft cannot do this and must not: a minority that went on by itself could meet the rest again,
 * and then there would be two histories under one name. So the survivor gets another name. In this
 * order, so that an interruption at any point leaves a node that nobody listens to, and that can be
 * recovered again:
 *
 *     1. IDENTITY gets a new cluster id: the old cluster's nodes refuse this one from now on, and
 *        this one them
 *     2. the log gets, in one write, a membership with only this node, an entry RECOVER with the
 *        new id, and a hard state of a later term that calls all of it committed
 *
 * What was in the log before and not committed becomes so: it cannot be known which of it was. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "replica/replica_int.h"

static status_t directory_check(struct env *env, const char *dir, struct error *error)
{
    bool exists;
    status_t status = replica__file_exists(env, dir, "IDENTITY", &exists, error);
    if (status != OK || exists)
        return status;
    return error_set(error, ERR_INVALID, "\"%s\" is not the data directory of a node", dir);
}

/* This node alone, as of log entry `index`. */
static void members_alone(struct replica *r, const char *address, uint64_t index,
                          struct replica_members *out)
{
    *out = (struct replica_members){.index = index, .count = 1};
    out->items[0] =
        (struct replica_member){.id = r->config.id, .uid = r->identity.uid, .voter = true};
    snprintf(out->items[0].address, sizeof out->items[0].address, "%s", address);
}

static status_t identity_renew(struct replica *r, const struct replica_members *alone,
                               struct error *error)
{
    struct replica__identity *identity = &r->identity;
    env_random_bytes(r->env, identity->cluster_id, REPLICA_CLUSTER_ID_SIZE);
    identity->has_cluster_id = true;
    /* It has its place by this entry, whatever earlier ones may say of it. */
    identity->joins = true;
    identity->first = *alone;
    return replica__identity_write(r->env, r->dir, identity, error);
}

static status_t log_extend(struct replica *r, const struct replica_members *alone,
                           struct error *error)
{
    struct raft_hard_state hard_state = wal_hard_state(r->wal);
    uint64_t last = wal_last_index(r->wal), last_term = 0;
    status_t status = wal_term(r->wal, last, &last_term);
    if (status != OK)
        return error_set(error, status, "could not read the log: %s", status_text(status));
    ASSERT(alone->index == last + 1);
    uint64_t term = (hard_state.term > last_term ? hard_state.term : last_term) + 1;
    struct raft_members members;
    struct buffer encoded = {0};
    replica__members_to_raft(alone, &members);
    raft_members_encode(&members, &encoded);
    ASSERT(!encoded.failed);
    uint8_t recover[1 + REPLICA_CLUSTER_ID_SIZE] = {REPLICA_ENTRY_RECOVER};
    memcpy(recover + 1, r->identity.cluster_id, REPLICA_CLUSTER_ID_SIZE);
    struct raft_entry entries[] = {{.index = last + 1,
                                    .term = term,
                                    .type = RAFT_ENTRY_MEMBERS,
                                    .data = buffer_slice(&encoded)},
                                   {.index = last + 2,
                                    .term = term,
                                    .type = RAFT_ENTRY_COMMAND,
                                    .data = slice_make(recover, sizeof recover)}};
    hard_state = (struct raft_hard_state){.term = term, .vote = r->config.id, .commit = last + 2};
    status = wal_stage(r->wal, &hard_state, entries, 2);
    if (status != OK)
        error_set(error, status, "could not write to the log: %s", status_text(status));
    else
        status = wal_flush(r->wal, error);
    buffer_free(&encoded);
    return status;
}

status_t replica_recover(struct env *env, const char *dir, uint64_t id, const char *address,
                         struct error *error)
{
    ASSERT(id != 0);
    if (address[0] == '\0' || strlen(address) >= REPLICA_ADDRESS_MAX)
        return error_set(error, ERR_INVALID, "the node needs an address of at most %d bytes",
                         REPLICA_ADDRESS_MAX - 1);
    status_t status = directory_check(env, dir, error);
    if (status != OK)
        return status;
    struct replica_config config = {.env = env, .dir = dir, .id = id, .tick_us = 1};
    struct replica_host host = {0};
    struct replica *r = replica__create(&config, &host);
    struct replica_members alone;
    status = replica__storage_open(r, error);
    if (status == OK) {
        members_alone(r, address, wal_last_index(r->wal) + 1, &alone);
        status = identity_renew(r, &alone, error);
    }
    if (status == OK)
        status = log_extend(r, &alone, error);
    replica__release(r);
    return status;
}
