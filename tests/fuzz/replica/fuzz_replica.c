/* Requests to change the cluster and their answers come from the network, memberships from the log,
 * IDENTITY from the disk. What is taken in must stay within its bounds and, written again, be read
 * as the same. */
#include "fuzz_replica.h"

#include <string.h>

#include "../replay.h"
#include "base/check.h"
#include "env_sim.h"
#include "replica/replica_int.h"

static void text_check(const char *text, size_t size)
{
    ASSERT(memchr(text, '\0', size));
}

static void members_check(const struct replica_members *members)
{
    ASSERT(members->count <= REPLICA_MEMBERS_MAX);
    for (uint32_t i = 0; i < members->count; i++)
        text_check(members->items[i].address, REPLICA_ADDRESS_MAX);
}

static void request_try(struct slice bytes)
{
    struct replica__admin_request first, second;
    if (replica__admin_request_decode(bytes, &first) != OK)
        return;
    text_check(first.member.address, sizeof first.member.address);
    struct buffer again = {0};
    replica__admin_request_encode(&first, &again);
    status_t status = replica__admin_request_decode(buffer_slice(&again), &second);
    ASSERT(status == OK && memcmp(&first, &second, sizeof first) == 0);
    buffer_free(&again);
}

static void response_try(struct slice bytes)
{
    struct replica__admin_response first, second;
    if (replica__admin_response_decode(bytes, &first) != OK)
        return;
    members_check(&first.members);
    ASSERT(first.check.count <= REPLICA_MEMBERS_MAX);
    text_check(first.error.message, sizeof first.error.message);
    struct buffer again = {0};
    replica__admin_response_encode(&first, &again);
    status_t status = replica__admin_response_decode(buffer_slice(&again), &second);
    ASSERT(status == OK && memcmp(&first, &second, sizeof first) == 0);
    buffer_free(&again);
}

static void members_try(struct slice bytes)
{
    struct raft_members encoded;
    struct replica_members first, second;
    if (raft_members_decode(bytes, &encoded) != OK ||
        replica__members_from_raft(&encoded, &first) != OK)
        return;
    members_check(&first);
    replica__members_to_raft(&first, &encoded);
    status_t status = replica__members_from_raft(&encoded, &second);
    ASSERT(status == OK && memcmp(&first, &second, sizeof first) == 0);
}

static void identity_try(struct slice bytes)
{
    static struct env_sim *machine;
    if (!machine)
        machine = env_sim_create(1);
    struct env *env = env_sim_env(machine);
    struct replica__identity first, second;
    struct error error;
    status_t status = env_dir_create(env, "/node", &error);
    if (status == OK)
        status = replica__file_write(env, "/node/IDENTITY", bytes, &error);
    ASSERT(status == OK);
    status = replica__identity_load(env, "/node", 7, &first, &error);
    if (status != OK) {
        ASSERT(status == ERR_CORRUPT || status == ERR_INVALID);
        return;
    }
    members_check(&first.first);
    status = replica__identity_write(env, "/node", &first, &error);
    ASSERT(status == OK);
    status = replica__identity_load(env, "/node", 7, &second, &error);
    ASSERT(status == OK && memcmp(&first, &second, sizeof first) == 0);
}

/* What is understood has a line of text, and what is not says so. */
static void entry_try(struct slice bytes)
{
    if (bytes.size == 0)
        return;
    struct raft_entry entry = {.index = 1,
                               .term = 1,
                               .type = bytes.data[0],
                               .data = slice_make(bytes.data + 1, bytes.size - 1)};
    struct buffer text = {0};
    status_t status = replica_entry_print(&entry, &text);
    ASSERT(text.size > 0 && !text.failed);
    bool malformed = slice_has_prefix(buffer_slice(&text), slice_from_string("MALFORMED"));
    ASSERT(malformed == (status == ERR_CORRUPT));
    ASSERT(memchr(text.data, '\n', text.size) == NULL);
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice bytes = slice_make(data + 1, size - 1);
    switch ((enum fuzz_replica_format)(data[0] % FUZZ_REPLICA_FORMATS)) {
    case FUZZ_ADMIN_REQUEST:
        request_try(bytes);
        break;
    case FUZZ_ADMIN_RESPONSE:
        response_try(bytes);
        break;
    case FUZZ_MEMBERS:
        members_try(bytes);
        break;
    case FUZZ_IDENTITY:
        identity_try(bytes);
        break;
    case FUZZ_ENTRY:
        entry_try(bytes);
        break;
    case FUZZ_REPLICA_FORMATS:
        UNREACHABLE();
    }
    return 0;
}
