/* ToyDBAdmin, and how a node is told what its cluster is: on a cluster of one, and one that has no
 * majority. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

/* The status of one call, and the answer's bytes. */
struct answer {
    bool closed;
    enum grpc_status status;
    char message[800];
    struct buffer bytes;
};

static void on_message(struct grpc_call *call, struct slice message)
{
    struct answer *answer = grpc_call_user(call);
    buffer_append(&answer->bytes, message.data, message.size);
}

static void on_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    struct answer *answer = grpc_call_user(call);
    answer->closed = true;
    answer->status = status;
    snprintf(answer->message, sizeof answer->message, "%.*s", (int)message.size,
             (const char *)message.data);
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_close = on_close};

static void ask_bytes(struct harness *h, const char *path, struct slice request,
                      uint64_t timeout_us, struct answer *answer)
{
    *answer = (struct answer){0};
    struct grpc_call_options options = {.timeout_us = timeout_us};
    struct grpc_call *call = grpc_call_start(h->clients[0].conn, path, &handlers, answer, &options);
    assert_non_null(call);
    grpc_call_send(call, request);
    grpc_call_half_close(call);
    UNTIL(h, answer->closed);
}

static void ask(struct harness *h, const char *path, const ProtobufCMessage *request,
                uint64_t timeout_us, struct answer *answer)
{
    uint8_t packed[512];
    assert_in_range(protobuf_c_message_get_packed_size(request), 0, sizeof packed);
    ask_bytes(h, path, slice_make(packed, protobuf_c_message_pack(request, packed)), timeout_us,
              answer);
}

static MembersResponse *members_of(struct answer *answer)
{
    if (answer->status != GRPC_OK)
        fail_msg("%s", answer->message);
    MembersResponse *members =
        members_response__unpack(NULL, answer->bytes.size, answer->bytes.data);
    assert_non_null(members);
    buffer_free(&answer->bytes);
    return members;
}

static void test_members(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer;
    harness_open(&h);
    client_open(&h);
    AddNodeRequest add = ADD_NODE_REQUEST__INIT;
    char address[] = "127.0.0.1:1", moved[] = "127.0.0.1:2";
    add.id = 7;
    add.address = address;
    add.learner = true;
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            add.address = moved;
        ask(&h, "/ToyDBAdmin/AddNode", &add.base, 5000000, &answer);
        MembersResponse *members = members_of(&answer);
        assert_int_equal(members->n_members, 2);
        assert_int_equal(members->members[1]->id, 7);
        assert_false(members->members[1]->voter);
        assert_string_equal(members->members[1]->address, i == 2 ? moved : address);
        assert_int_equal(members->cluster_id.len, 16);
        members_response__free_unpacked(members, NULL);
    }
    NodeRequest remove = NODE_REQUEST__INIT;
    remove.id = 7;
    ask(&h, "/ToyDBAdmin/RemoveNode", &remove.base, 5000000, &answer);
    MembersResponse *members = members_of(&answer);
    assert_int_equal(members->n_members, 1);
    members_response__free_unpacked(members, NULL);
    CheckClusterRequest check = CHECK_CLUSTER_REQUEST__INIT;
    ask(&h, "/ToyDBAdmin/CheckCluster", &check.base, 10000000, &answer);
    assert_int_equal(answer.status, GRPC_OK);
    CheckClusterResponse *checked =
        check_cluster_response__unpack(NULL, answer.bytes.size, answer.bytes.data);
    assert_non_null(checked);
    assert_true(checked->majority);
    assert_int_equal(checked->n_nodes, 1);
    assert_true(checked->nodes[0]->answered && !checked->nodes[0]->differs);
    check_cluster_response__free_unpacked(checked, NULL);
    buffer_free(&answer.bytes);
    harness_close(&h);
}

static void test_refusals(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer;
    harness_open(&h);
    client_open(&h);
    NodeRequest remove = NODE_REQUEST__INIT;
    remove.id = 1;
    ask(&h, "/ToyDBAdmin/RemoveNode", &remove.base, 5000000, &answer);
    assert_int_equal(answer.status, GRPC_FAILED_PRECONDITION);
    NodeRequest promote = NODE_REQUEST__INIT;
    promote.id = 9;
    ask(&h, "/ToyDBAdmin/PromoteNode", &promote.base, 5000000, &answer);
    assert_int_equal(answer.status, GRPC_NOT_FOUND);
    assert_non_null(strstr(answer.message, "no node 9"));
    char address[] = "h:1", nowhere[] = "nowhere";
    AddNodeRequest join = ADD_NODE_REQUEST__INIT;
    join.id = 2;
    join.address = address;
    ask(&h, "/ToyDBAdmin/Join", &join.base, 5000000, &answer);
    assert_int_equal(answer.status, GRPC_INVALID_ARGUMENT); /* without a uid */
    join.uid = 5;
    join.address = nowhere;
    ask(&h, "/ToyDBAdmin/Join", &join.base, 5000000, &answer);
    assert_int_equal(answer.status, GRPC_INVALID_ARGUMENT);
    join.id = 0;
    join.address = address;
    ask(&h, "/ToyDBAdmin/Join", &join.base, 5000000, &answer);
    assert_int_equal(answer.status, GRPC_INVALID_ARGUMENT);
    join.id = 1; /* this node's own number, with another directory */
    ask(&h, "/ToyDBAdmin/Join", &join.base, 5000000, &answer);
    assert_int_equal(answer.status, GRPC_ALREADY_EXISTS);
    static const char cut[] = "\x08\x02\x12\x09h:1\0:evil"; /* id, address */
    for (int i = 0; i < 2; i++) {
        ask_bytes(&h, i ? "/ToyDBAdmin/Join" : "/ToyDBAdmin/AddNode",
                  slice_make(cut, sizeof cut - 1), 5000000, &answer);
        assert_int_equal(answer.status, GRPC_INVALID_ARGUMENT);
        assert_string_equal(answer.message, "address has a NUL character in it");
    }
    static const char *const paths[] = {"/ToyDBAdmin/Join", "/ToyDBAdmin/AddNode",
                                        "/ToyDBAdmin/RemoveNode", "/ToyDBAdmin/PromoteNode",
                                        "/ToyDBAdmin/TransferLeader"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ask_bytes(&h, paths[i], slice_from_string("\xff\xff\xff"), 5000000, &answer);
        assert_int_equal(answer.status, GRPC_INVALID_ARGUMENT);
    }
    harness_close(&h);
}

/* Without a leader a request ends with its deadline; a client that leaves takes it along. */
static void test_no_leader(void **state)
{
    (void)state;
    struct harness h;
    struct answer answer;
    struct error error;
    struct server_config config = {.id = 1, .tick_ms = 5};
    assert_int_equal(
        server_peers_parse("1=127.0.0.1:1,2=127.0.0.1:2,3=127.0.0.1:3", &config, &error), OK);
    harness_open_config(&h, &config);
    client_open(&h);
    NodeRequest remove = NODE_REQUEST__INIT;
    remove.id = 3;
    ask(&h, "/ToyDBAdmin/RemoveNode", &remove.base, 500000, &answer);
    assert_int_equal(answer.status, GRPC_UNAVAILABLE);
    assert_string_equal(answer.message, "no leader was found in time");
    uint8_t packed[32];
    struct answer left = {0};
    struct grpc_call *call =
        grpc_call_start(h.clients[0].conn, "/ToyDBAdmin/RemoveNode", &handlers, &left, NULL);
    grpc_call_send(call, slice_make(packed, node_request__pack(&remove, packed)));
    grpc_call_half_close(call);
    harness_turns(&h, 5);
    client_cut(&h.clients[0]);
    h.client_count--;
    harness_turns(&h, 5);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
