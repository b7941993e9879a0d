/* Leadership that is handed over: tries, and a leader without room on its disk.
 *
 * Such a leader would refuse every commit while others have room. So when one is asked for, it
 * gives way to the other voters in turn. It need not know which of them has room: one that has none
 * does not campaign when it is told to (replica_receive), and the try ends after an election
 * timeout. When all are full, commits are refused between the tries. */
#include <inttypes.h>

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

bool replica__disk_is_low(struct replica *r)
{
    if (r->config.disk_reserve_bytes == 0)
        return false;
    uint64_t available;
    struct error error;
    status_t status = env_disk_free(r->env, r->dir, &available, &error);
    bool low = status == OK && available < r->config.disk_reserve_bytes;
    if (status != OK)
        log_warn("replica", "%s", error.message);
    else if (low != r->disk_low)
        log_warn("replica", low ? "disk is nearly full: commits are refused"
                                : "disk has room again: commits are accepted");
    r->disk_low = low;
    return low;
}

bool replica__transfer_rests(const struct replica *r)
{
    uint64_t now_us = env_monotonic_us(r->env);
    uint64_t try_us = (uint64_t)r->config.tick_us * r->config.election_timeout_ticks;
    return r->transfer_term == r->term && now_us - r->transfer_us < 4 * try_us;
}

status_t replica__transfer(struct replica *r, uint64_t to)
{
    ASSERT(r->role == RAFT_LEADER);
    status_t status = raft_transfer(r->raft, to);
    if (status == OK) {
        r->transfer_term = r->term;
        r->transfer_us = env_monotonic_us(r->env);
    }
    return status;
}

/* The voter behind the one tried last, of those that can be reached; 0: there is none. */
static uint64_t successor(const struct replica *r)
{
    uint32_t count = r->members.count, from = 0;
    for (uint32_t i = 0; i < count; i++)
        if (r->members.items[i].id == r->successor)
            from = i + 1;
    for (uint32_t i = 0; i < count; i++) {
        const struct replica_member *member = &r->members.items[(from + i) % count];
        if (member->voter && member->id != r->config.id &&
            r->host.reachable(r->host.context, member->id))
            return member->id;
    }
    return 0;
}

bool replica__gives_way(struct replica *r)
{
    ASSERT(r->role == RAFT_LEADER && r->disk_low);
    struct raft_status raft;
    raft_status(r->raft, &raft);
    if (raft.transferee != 0)
        return true;
    uint64_t to = replica__transfer_rests(r) ? 0 : successor(r);
    if (to == 0 || replica__transfer(r, to) != OK)
        return false;
    r->successor = to;
    return true;
}
