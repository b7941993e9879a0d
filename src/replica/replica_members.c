/* Who belongs to the cluster. */
#include <string.h>

#include "base/check.h"
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

bool replica__majority_reachable(const struct replica *r)
{
    uint32_t voters = 0, reachable = 0;
    for (uint32_t i = 0; i < r->members.count; i++) {
        const struct replica_member *member = &r->members.items[i];
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
}

uint64_t replica_uid(const struct replica *r)
{
    return r->identity.uid;
}
