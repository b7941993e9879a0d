/* Replays the files named on the command line; without any, spoils good inputs of each format. */
#include "../replay.h"

#include <stdio.h>
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
    } else {
        identity_make(prng, input);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return fuzz_replay_files(argc, argv);
    struct prng prng;
    prng_seed(&prng, 9);
    struct buffer input = {0};
    for (int i = 0; i < ROUNDS; i++) {
        input_make(&prng, &input);
        ASSERT(!input.failed);
        if (prng_chance(&prng, 9, 10))
            fuzz_spoil(&prng, &input, 4);
        LLVMFuzzerTestOneInput(input.data, input.size);
    }
    buffer_free(&input);
    printf("%d inputs\n", ROUNDS);
    return 0;
}
