/* Replays the files named on the command line; without any, spoils good inputs of each format. */
#include "../replay.h"

#include <string.h>

#include "base/check.h"
#include "fuzz_replica.h"
#include "replica/replica_int.h"

enum { ROUNDS = 40000 };

static struct replica_member member_any(struct prng *prng, uint64_t id)
{
    struct replica_member member = {.id = id,
                                    .uid = prng_next(prng) >> prng_below(prng, 64),
                                    .voter = prng_chance(prng, 1, 2),
                                    .promote = prng_chance(prng, 1, 4)};
    memset(member.address, 'a', prng_below(prng, prng_chance(prng, 1, 10) ? 255 : 20));
    return member;
}

static struct replica_members members_any(struct prng *prng)
{
    struct replica_members members = {.index = prng_next(prng) >> prng_between(prng, 2, 63)};
    members.count = (uint32_t)prng_below(prng, prng_chance(prng, 1, 10) ? 17 : 4);
    for (uint32_t i = 0; i < members.count; i++)
        members.items[i] = member_any(prng, i + 1);
    return members;
}

static void response_make(struct prng *prng, struct buffer *input)
{
    struct replica__admin_response response = {.token = prng_below(prng, 1000),
                                               .members = members_any(prng)};
    error_set(&response.error, ERR_BUSY, "message");
    error_hint(&response.error, "Hint.");
    response.check.count = (uint32_t)prng_below(prng, 5);
    for (uint32_t i = 0; i < response.check.count; i++)
        response.check.nodes[i].id = i + 1;
    replica__admin_response_encode(&response, input);
}

static void members_make(struct prng *prng, struct buffer *input)
{
    struct replica_members members = members_any(prng);
    struct raft_members encoded;
    replica__members_to_raft(&members, &encoded);
    raft_members_encode(&encoded, input);
}

static void identity_make(struct prng *prng, struct buffer *input)
{
    buffer_append_string(input, "toydb node 7 cluster ");
    buffer_append_string(input, prng_chance(prng, 1, 2) ? "-" : "000102030405060708090a0b0c0d0e0f");
    if (prng_chance(prng, 3, 4))
        buffer_append_string(input, " uid 0123456789abcdef");
    buffer_append_string(input, "\n");
    if (prng_chance(prng, 1, 2))
        buffer_append_string(input, "joined 99\n");
    for (uint64_t i = prng_below(prng, 4); i > 0; i--)
        buffer_append_string(input, "member 3 voter 127.0.0.1:9603\n");
}

static void effect_make(struct prng *prng, struct buffer *input)
{
    struct buffer writes = {0};
    uint32_t count = (uint32_t)prng_below(prng, 5);
    msgpack_put_array(&writes, 2 * count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[8] = {0x20, (uint8_t)i, (uint8_t)prng_next(prng)};
        msgpack_put_bin(&writes, slice_make(key, sizeof key));
        if (prng_chance(prng, 1, 3))
            msgpack_put_nil(&writes);
        else
            msgpack_put_bin(&writes, slice_make(key, 3));
    }
    struct txn_request request = {
        .id = {.origin = slice_from_string("somebody"), .sequence = prng_below(prng, 1000)},
        .writes = buffer_slice(&writes)};
    bool refused = prng_chance(prng, 1, 4);
    buffer_append_byte(input, refused ? REPLICA_ENTRY_REFUSAL : REPLICA_ENTRY_EFFECT);
    if (refused)
        txn_refusal_encode(&request, 1 + prng_below(prng, UINT32_MAX), input);
    else
        txn_effect_encode(&request, 1 + prng_below(prng, UINT32_MAX), input);
    buffer_free(&writes);
}

static void entry_make(struct prng *prng, struct buffer *input)
{
    static const uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE] = {1, 2, 3};
    switch (prng_below(prng, 5)) {
    case 0:
        buffer_append_byte(input, RAFT_ENTRY_NOOP);
        break;
    case 1:
        buffer_append_byte(input, RAFT_ENTRY_MEMBERS);
        members_make(prng, input);
        break;
    case 2:
        buffer_append_byte(input, RAFT_ENTRY_COMMAND);
        buffer_append_byte(input, REPLICA_ENTRY_CLUSTER);
        buffer_append(input, cluster_id, sizeof cluster_id);
        break;
    default:
        buffer_append_byte(input, RAFT_ENTRY_COMMAND);
        effect_make(prng, input);
        break;
    }
}

static void input_make(struct prng *prng, struct buffer *input)
{
    enum fuzz_replica_format format =
        (enum fuzz_replica_format)prng_below(prng, FUZZ_REPLICA_FORMATS);
    buffer_reset(input);
    buffer_append_byte(input, (uint8_t)format);
    if (format == FUZZ_ADMIN_REQUEST) {
        struct replica__admin_request request = {.type = REPLICA_ADMIN_ADD,
                                                 .member = member_any(prng, 5)};
        replica__admin_request_encode(&request, input);
    } else if (format == FUZZ_ADMIN_RESPONSE) {
        response_make(prng, input);
    } else if (format == FUZZ_MEMBERS) {
        members_make(prng, input);
    } else if (format == FUZZ_ENTRY) {
        entry_make(prng, input);
    } else {
        identity_make(prng, input);
    }
}

int main(int argc, char **argv)
{
    return fuzz_replay_made(argc, argv, input_make, 9, ROUNDS, 4);
}
