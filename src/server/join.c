/* `toydb start --join`: before the node is opened, members of the cluster are asked to take it in.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "server/node_int.h"
#include "toydb/toydb.h"

enum {
    ASK_TIMEOUT_MS = 10000,
    RETRY_US = 500000,
    COMPLAIN_EVERY = 20, /* fruitless rounds */
};

static void pause_us(uint64_t us)
{
    struct env_mutex *mutex = env_mutex_create();
    struct env_cond *nobody = env_cond_create();
    uint64_t until_us = env_monotonic_us(env_real()) + us;
    env_mutex_lock(mutex);
    for (uint64_t now_us; (now_us = env_monotonic_us(env_real())) < until_us;) {
        bool woken = env_cond_wait_for(nobody, mutex, until_us - now_us);
        MAYBE(woken);
    }
    env_mutex_unlock(mutex);
    env_cond_destroy(nobody);
    env_mutex_destroy(mutex);
}

static status_t answer_take(const struct toydb_members *members, struct server_joined *out,
                            struct error *error)
{
    if (members->count > REPLICA_MEMBERS_MAX || members->count == 0)
        return error_set(error, ERR_PROTOCOL, "the cluster's answer names %" PRIu32 " members",
                         members->count);
    memcpy(out->cluster_id, members->cluster_id, sizeof out->cluster_id);
    out->members.index = members->index;
    out->members.count = members->count;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct toydb_member *from = &members->items[i];
        struct replica_member *to = &out->members.items[i];
        *to = (struct replica_member){
            .id = from->id, .uid = from->uid, .voter = from->voter, .promote = from->promote};
        int length = snprintf(to->address, sizeof to->address, "%s", from->address);
        if (length >= (int)sizeof to->address)
            return error_set(error, ERR_PROTOCOL, "address of node %" PRIu64 " is too long",
                             to->id);
    }
    return OK;
}

/* One round through the addresses. ERR_UNREACHABLE: ask again. */
static status_t ask_once(const struct server_config *config, uint64_t uid,
                         struct server_joined *out, struct error *error)
{
    struct toydb_error refusal;
    struct toydb_members *members = NULL;
    struct toydb_member self = {.id = (uint32_t)config->id,
                                .uid = uid,
                                .address = *config->advertise ? config->advertise : config->listen,
                                .promote = !config->learner};
    struct toydb_session *session = toydb_session_open(config->join, NULL, &refusal);
    enum toydb_result result = TOYDB_UNREACHABLE;
    if (session)
        result = toydb_node_join(session, &self, ASK_TIMEOUT_MS, &members, &refusal);
    toydb_session_close(session);
    if (result == TOYDB_OK) {
        status_t status = answer_take(members, out, error);
        toydb_members_free(members);
        return status;
    }
    bool final = result == TOYDB_ERROR || strcmp(refusal.sqlstate, "22023") == 0;
    error_set(error, final ? ERR_INVALID : ERR_UNREACHABLE, "%s", refusal.message);
    if (*refusal.hint)
        error_hint(error, "%s", refusal.hint);
    return error->status;
}

status_t join_ask(const struct server_config *config, const struct replica_identity *identity,
                  struct server_joined *out, struct error *error)
{
    status_t status;
    *out = (struct server_joined){.placed = identity->placed};
    if (identity->placed)
        return OK;
    for (uint32_t round = 0;; round++) {
        status = ask_once(config, identity->uid, out, error);
        if (status != ERR_UNREACHABLE)
            break;
        if (round % COMPLAIN_EVERY == 0)
            log_info("server", "asking %s to let this node in: %s", config->join, error->message);
        pause_us(RETRY_US);
    }
    struct error ignored;
    if (status == ERR_INVALID &&
        replica_identity_forget(env_real(), config->data_dir, &ignored) != OK)
        log_warn("server", "could not clear the data directory: %s", ignored.message);
    if (status == OK)
        log_info("server", "joining a cluster of %" PRIu32 " nodes as node %" PRIu64,
                 out->members.count - 1, config->id);
    return status;
}
