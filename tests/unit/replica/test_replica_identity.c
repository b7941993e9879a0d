/* What is read from elsewhere: the file IDENTITY, and the bodies of admin messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin_client.h"
#include "base/log.h"
#include "base/prng.h"

/* ---- IDENTITY ---------------------------------------------------------------------------------
 */

#define CLUSTER "000102030405060708090a0b0c0d0e0f"

static status_t load(struct env_sim *machine, const char *content, struct replica__identity *out)
{
    struct env *env = env_sim_env(machine);
    assert_ok(env_dir_create(env, "/node", &test_error));
    assert_ok(replica__file_write(env, "/node/IDENTITY", text(content), &test_error));
    return replica__identity_load(env, "/node", 7, out, &test_error);
}

static void test_identity_comes_back(void **state)
{
    (void)state;
    struct env_sim *machine = env_sim_create(1);
    struct env *env = env_sim_env(machine);
    struct replica__identity made, read;
    assert_ok(replica__identity_load(env, "/node", 7, &made, &test_error));
    assert_true(made.uid != 0 && !made.has_cluster_id && made.first.count == 0);
    made.has_cluster_id = true;
    memset(made.cluster_id, 0xc5, sizeof made.cluster_id);
    made.joins = true;
    made.first.index = 99;
    made.first.count = REPLICA_MEMBERS_MAX;
    for (uint32_t i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        made.first.items[i] = (struct replica_member){.id = UINT64_MAX - i, .voter = i % 2};
        memset(made.first.items[i].address, 'a', REPLICA_ADDRESS_MAX - 1 - i);
    }
    memset(made.first.items[3].address, 0, REPLICA_ADDRESS_MAX);
    assert_ok(replica__identity_write(env, "/node", &made, &test_error));
    assert_ok(replica__identity_load(env, "/node", 7, &read, &test_error));
    assert_memory_equal(&read, &made, sizeof read);
    made.removed_index = 100;
    assert_ok(replica__identity_write(env, "/node", &made, &test_error));
    assert_int_equal(replica__identity_load(env, "/node", 7, &read, &test_error), ERR_INVALID);
    assert_int_equal(replica__identity_load(env, "/node", 8, &read, &test_error), ERR_INVALID);
    env_sim_destroy(machine);
}

/* It had no uid once; then it gets one, and keeps it. */
static void test_identity_of_an_earlier_version(void **state)
{
    (void)state;
    struct env_sim *machine = env_sim_create(1);
    struct replica__identity first, second;
    assert_ok(load(machine, "toydb node 7 cluster " CLUSTER "\n", &first));
    assert_true(first.uid != 0 && first.has_cluster_id);
    assert_int_equal(first.cluster_id[15], 15);
    assert_ok(replica__identity_load(env_sim_env(machine), "/node", 7, &second, &test_error));
    assert_int_equal(second.uid, first.uid);
    assert_ok(load(machine, "toydb node 7 cluster -\n", &first));
    assert_false(first.has_cluster_id);
    env_sim_destroy(machine);
}

static void test_identity_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "toydb",
        "toydb node 7",
        "toydb node  cluster -\n",
        "toydb node 0 cluster -\n",
        "toydb node 7 cluster \n",
        "toydb node 7 cluster 0001\n",
        "toydb node 7 cluster " CLUSTER "00\n",
        "toydb node 7 cluster - uid 12\n",
        "toydb node 7 cluster - uid 0123456789abcdeg\n",
        "toydb node 7 cluster - uid 0123456789abcdef",
        "toydb node 7 cluster - uid 0123456789abcdef\nremoved\n",
        "toydb node 7 cluster - uid 0123456789abcdef\njoined x\n",
        "toydb node 7 cluster - uid 0123456789abcdef\nmember 0 voter a:1\n",
        "toydb node 7 cluster - uid 0123456789abcdef\nmember 1 boss a:1\n",
        "toydb node 7 cluster - uid 0123456789abcdef\nmember 1 voter a:1",
        "toydb node 7 cluster - uid 0123456789abcdef\nmember 1 voter a:1\nmore\n",
    };
    struct env_sim *machine = env_sim_create(1);
    struct replica__identity out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (load(machine, bad[i], &out) != ERR_CORRUPT)
            fail_msg("taken for an identity: %s", bad[i]);
    struct buffer many = {0};
    buffer_append_string(&many, "toydb node 7 cluster - uid 0123456789abcdef\n");
    for (int i = 0; i <= REPLICA_MEMBERS_MAX; i++)
        buffer_printf(&many, "member %d voter a:1\n", i + 1);
    buffer_append_byte(&many, '\0');
    assert_int_equal(load(machine, (const char *)many.data, &out), ERR_CORRUPT);
    buffer_free(&many);
    env_sim_destroy(machine);
}

/* ---- bodies of admin messages ------------------------------------------------------------------
 */

static struct replica__admin_response response_full(void)
{
    struct replica__admin_response full = {.token = 5};
    error_set(&full.error, ERR_BUSY, "message");
    error_detail(&full.error, "Detail.");
    error_hint(&full.error, "Hint.");
    memset(full.cluster_id, 0xc5, sizeof full.cluster_id);
    full.members.index = 1234;
    full.members.count = full.check.count = REPLICA_MEMBERS_MAX;
    full.check.index = UINT64_MAX;
    full.check.majority = true;
    for (uint32_t i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        full.members.items[i] = (struct replica_member){
            .id = i + 1, .uid = UINT64_MAX - i, .voter = i % 2, .promote = i % 3 == 0};
        memset(full.members.items[i].address, 'x', REPLICA_ADDRESS_MAX - 1);
        full.check.nodes[i] = (struct replica_check_node){
            .id = i + 1, .voter = i % 2, .answered = i % 3, .differs = i % 5 == 0};
        memset(full.check.nodes[i].hash, (int)i, REPLICA_HASH_SIZE);
    }
    return full;
}

static void test_admin_bodies(void **state)
{
    (void)state;
    struct replica__admin_request request = {
        .type = REPLICA_ADMIN_ADD,
        .token = 3,
        .member = {.id = 9, .uid = 10, .voter = true, .promote = true, .address = "a:1"}};
    struct replica__admin_request request_read;
    struct buffer bytes = {0};
    replica__admin_request_encode(&request, &bytes);
    assert_ok(replica__admin_request_decode(buffer_slice(&bytes), &request_read));
    assert_memory_equal(&request_read, &request, sizeof request);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(replica__admin_request_decode(slice_make(bytes.data, size), &request_read),
                         ERR_PROTOCOL);
    buffer_reset(&bytes);
    request.type = (enum replica_admin_type)99;
    replica__admin_request_encode(&request, &bytes);
    assert_int_equal(replica__admin_request_decode(buffer_slice(&bytes), &request_read),
                     ERR_PROTOCOL);
    buffer_reset(&bytes);
    struct replica__admin_response response = response_full(), response_read;
    replica__admin_response_encode(&response, &bytes);
    assert_ok(replica__admin_response_decode(buffer_slice(&bytes), &response_read));
    assert_memory_equal(&response_read.members, &response.members, sizeof response.members);
    assert_memory_equal(&response_read.check, &response.check, sizeof response.check);
    assert_string_equal(response_read.error.hint, "Hint.");
    assert_int_equal(response_read.token, 5);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(
            replica__admin_response_decode(slice_make(bytes.data, size), &response_read),
            ERR_PROTOCOL);
    buffer_free(&bytes);
}

/* Whatever is made of them: no more members than there can be, no text without an end. */
static void test_spoiled_admin_bodies(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 3);
    struct replica__admin_response response = response_full();
    struct buffer good = {0}, bytes = {0};
    replica__admin_response_encode(&response, &good);
    for (int i = 0; i < 20000; i++) {
        buffer_reset(&bytes);
        buffer_append_slice(&bytes, buffer_slice(&good));
        for (uint64_t changes = prng_between(&prng, 1, 4); changes > 0; changes--)
            bytes.data[prng_below(&prng, bytes.size)] = (uint8_t)prng_next(&prng);
        if (replica__admin_response_decode(buffer_slice(&bytes), &response) != OK)
            continue;
        assert_true(response.members.count <= REPLICA_MEMBERS_MAX);
        assert_true(response.check.count <= REPLICA_MEMBERS_MAX);
        assert_non_null(memchr(response.error.hint, '\0', sizeof response.error.hint));
        for (uint32_t m = 0; m < response.members.count; m++)
            assert_non_null(memchr(response.members.items[m].address, '\0', REPLICA_ADDRESS_MAX));
    }
    buffer_free(&good);
    buffer_free(&bytes);
}

/* An address goes into files and logs line by line. */
static void test_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b:1", "a:1\nmember 9 voter b:1", "a:1\t", "\x7f:1"};
    struct cluster *cluster = cluster_of(1);
    cluster_put(cluster, 0, "apple", "1");
    struct replica_members members = members_of(cluster, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct replica_member member = {.id = 2};
        snprintf(member.address, sizeof member.address, "%s", bad[i]);
        assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_ADD, member, NULL), ERR_INVALID);
        member.id = 1;
        if (*bad[i])
            assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_ADD, member, NULL), ERR_INVALID);
    }
    assert_int_equal(members_of(cluster, 0).count, members.count);
    assert_string_equal(members_of(cluster, 0).items[0].address, members.items[0].address);
    cluster_destroy(cluster);
}

/* One that no correct node sends changes nothing and stops nobody. */
static void test_forged_messages(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster), node = (leader + 1) % 3;
    cluster_put(cluster, leader, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    struct replica *replica = cluster_replica(cluster, node);
    struct replica_members members = members_of(cluster, node);
    struct replica_message message = {
        .from = leader + 1, .to = node + 1, .uid = replica_uid(cluster_replica(cluster, leader))};
    memcpy(message.cluster_id, cluster_status(cluster, node).cluster_id, REPLICA_CLUSTER_ID_SIZE);
    static const enum replica_message_type types[] = {
        REPLICA_ADMIN_REQUEST, REPLICA_ADMIN_RESPONSE, REPLICA_HASH,    REPLICA_VERDICT,
        REPLICA_REMOVED,       REPLICA_STRANGER,       REPLICA_FOREIGN, REPLICA_HELLO};
    static const uint8_t junk[REPLICA_HASH_SIZE] = {1};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (uint64_t index = 0; index <= members.index; index++) {
            message.type = types[i];
            message.index = index;
            message.status = index % 2 ? ERR_CORRUPT : OK;
            message.body = slice_make(junk, index % 3 ? sizeof junk : 0);
            replica_receive(replica, &message);
        }
        cluster_wake(cluster, node);
        cluster_run_us(cluster, SECOND_US / 10);
        assert_false(cluster_node_failed(cluster, node));
    }
    /* Someone unknown cannot stop it, whatever it says. */
    message.type = REPLICA_REMOVED;
    message.from = 9;
    message.index = members.index + 1000;
    replica_receive(replica, &message);
    assert_false(cluster_node_failed(cluster, node));
    message.from = leader + 1;
    replica_receive(replica, &message);
    assert_true(cluster_node_failed(cluster, node));
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_comes_back),
        cmocka_unit_test(test_identity_of_an_earlier_version),
        cmocka_unit_test(test_identity_malformed),
        cmocka_unit_test(test_admin_bodies),
        cmocka_unit_test(test_spoiled_admin_bodies),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_forged_messages),
    };
    return cmocka_run_group_tests_name("replica_identity", tests, NULL, NULL);
}
