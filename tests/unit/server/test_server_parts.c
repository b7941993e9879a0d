/* The parts of the server by themselves: configuration, jobs, the wire, the store's binding. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"
#include "server/session_int.h"
#include "server/wire_int.h"

/* ---- configuration ------------------------------------------------------------------------------
 */

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {{"localhost:9601", "localhost", 9601},
                {"127.0.0.1:1", "127.0.0.1", 1},
                {"[::1]:65535", "::1", 65535},
                {"::1:80", "::1", 80},
                {"a.b-c:00080", "a.b-c", 80}};
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "host",
                                      "host:",
                                      "host:0",
                                      "h:x",
                                      "h:80x",
                                      "h:+80",
                                      "h: 80",
                                      "h:-1",
                                      "h:65536",
                                      "[]:80",
                                      "h:99999999999999999999",
                                      "h:18446744073709551617"};
    char host[20];
    uint16_t port;
    struct error error;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(server_address_parse(good[i].text, host, sizeof host, &port, &error), OK);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(server_address_parse(bad[i], host, sizeof host, &port, &error),
                         ERR_INVALID);
    assert_int_equal(server_address_parse("a-host-of-20-letters:1", host, 20, &port, &error),
                     ERR_INVALID);
}

static void test_peers(void **state)
{
    (void)state;
    static const char *const bad[] = {"1",
                                      "1=",
                                      "=h:1",
                                      "0=h:1",
                                      "1=h:1,1=h:2",
                                      "x=h:1",
                                      "1=h:1,,2=h:2",
                                      "1=h",
                                      "-1=h:1",
                                      "4294967296=h:1",
                                      "1=h:1,2=h:1",
                                      "1=h:1,2=h:2,3=H:01",
                                      "1=[::1]:5,2=::1:5"};
    static struct server_config config;
    struct error error;
    assert_int_equal(server_peers_parse("1=h:1,22=[::1]:2", &config, &error), OK);
    assert_int_equal(config.peer_count, 2);
    assert_int_equal(config.peers[1].id, 22);
    assert_string_equal(config.peers[1].address, "[::1]:2");
    assert_int_equal(server_peers_parse("1=h:1,2=h:2,3=g:1", &config, &error), OK);
    assert_int_equal(server_peers_parse("", &config, &error), OK);
    assert_int_equal(config.peer_count, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(server_peers_parse(bad[i], &config, &error), ERR_INVALID);
    char many[400] = "";
    for (int i = 1; i <= SERVER_NODES_MAX + 1; i++) {
        size_t used = strlen(many);
        snprintf(many + used, sizeof many - used, "%s%d=h:%d", i > 1 ? "," : "", i, i);
        assert_int_equal(server_peers_parse(many, &config, &error),
                         i <= SERVER_NODES_MAX ? OK : ERR_INVALID);
    }
    char lengthy[SERVER_ADDRESS_MAX + 40] = "1="; /* the host fits, with its port it does not */
    memset(lengthy + 2, 'h', SERVER_ADDRESS_MAX - 3);
    snprintf(lengthy + 2 + SERVER_ADDRESS_MAX - 3, 20, ":12345");
    assert_int_equal(server_peers_parse(lengthy, &config, &error), ERR_INVALID);
}

static void test_config_refused(void **state)
{
    (void)state;
    struct error error;
    struct server_config config = {.log_level = LOG_OFF};
    assert_int_equal(server_run(&config, &error), ERR_INVALID);
    config.id = 1;
    assert_int_equal(server_run(&config, &error), ERR_INVALID); /* no directory */
    snprintf(config.data_dir, sizeof config.data_dir, "/proc/nowhere");
    assert_int_equal(server_peers_parse("2=h:1", &config, &error), OK);
    assert_int_equal(server_run(&config, &error), ERR_INVALID); /* not among its peers */
    config.peer_count = 0;
    assert_int_not_equal(server_run(&config, &error), OK); /* no such directory can be made */
    config.id = (uint64_t)UINT32_MAX + 1;
    assert_int_equal(server_run(&config, &error), ERR_INVALID);
}

/* ---- jobs ---------------------------------------------------------------------------------------
 */

enum { JOBS = 200 };

struct counted {
    struct job job;
    atomic_uint *runs;
    uint32_t *done;
    uint32_t again;
    struct job_pool *pool;
};

static void count_run(struct job *job)
{
    atomic_fetch_add(((struct counted *)job)->runs, 1);
}

static void count_done(struct job *job)
{
    struct counted *counted = (struct counted *)job;
    (*counted->done)++;
    if (counted->again) {
        counted->again--;
        job_submit(counted->pool, job);
    }
}

static void test_jobs(void **state)
{
    (void)state;
    uv_loop_t loop;
    static struct counted jobs[JOBS];
    atomic_uint runs = 0;
    uint32_t done = 0;
    struct mailbox mailbox;
    assert_int_equal(uv_loop_init(&loop), 0);
    mailbox_init(&mailbox, &loop);
    struct job_pool *pool = job_pool_create("test", 3, &mailbox);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct counted){.job = {.run = count_run, .done = count_done},
                                   .runs = &runs,
                                   .done = &done,
                                   .again = 2,
                                   .pool = pool};
        job_submit(pool, &jobs[i].job);
    }
    while (mailbox.out)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(done, 3 * JOBS);
    assert_int_equal(runs, 3 * JOBS);
    for (int i = 0; i < JOBS; i++)
        job_submit(pool, &jobs[i].job);
    job_pool_destroy(pool); /* runs what is queued */
    assert_int_equal(runs, 4 * JOBS);
    mailbox_drain(&mailbox);
    assert_int_equal(mailbox.out, 0);
    assert_int_equal(done, 4 * JOBS);
    mailbox_close(&mailbox);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    job_pool_destroy(NULL);
}

/* ---- the wire -----------------------------------------------------------------------------------
 */

static void test_wire_parameters(void **state)
{
    (void)state;
    Value values[6];
    Value *pointers[1001];
    struct value *out;
    struct error error;
    struct arena arena = {0};
    for (int i = 0; i < 6; i++) {
        value__init(&values[i]);
        pointers[i] = &values[i];
    }
    values[1].kind_case = VALUE__KIND_BOOLEAN;
    values[1].boolean = true;
    values[2].kind_case = VALUE__KIND_INTEGER;
    values[2].integer = INT64_MIN;
    values[3].kind_case = VALUE__KIND_REAL;
    values[3].real = -0.5;
    values[4].kind_case = VALUE__KIND_TEXT;
    values[4].text = (char *)(uintptr_t) "ä";
    ExecuteRequest request = EXECUTE_REQUEST__INIT;
    request.n_parameters = 5;
    request.parameters = pointers;
    assert_int_equal(wire_parameters(&request, &arena, &out, &error), OK);
    assert_true(out[0].null);
    assert_true(out[1].type == SQL_BOOLEAN && out[1].as.boolean);
    assert_true(out[2].type == SQL_INTEGER && out[2].as.integer == INT64_MIN);
    assert_true(out[3].type == SQL_DOUBLE && out[3].as.real == -0.5);
    assert_true(out[4].type == SQL_TEXT && out[4].as.text.size == 2);
    values[4].text = (char *)(uintptr_t) "\xc3";
    assert_int_equal(wire_parameters(&request, &arena, &out, &error), ERR_SQL);
    assert_string_equal(error.sqlstate, "22021");
    values[4].kind_case = VALUE__KIND_BYTES;
    values[4].bytes.data = (uint8_t *)(uintptr_t) "\0\xff";
    values[4].bytes.len = 2;
    assert_int_equal(wire_parameters(&request, &arena, &out, &error), OK);
    assert_true(out[4].type == SQL_BYTEA && out[4].as.text.size == 2);
    for (int i = 0; i < 1001; i++)
        pointers[i] = &values[0];
    request.n_parameters = 1000;
    assert_int_equal(wire_parameters(&request, &arena, &out, &error), OK);
    request.n_parameters = 1001;
    assert_int_equal(wire_parameters(&request, &arena, &out, &error), ERR_SQL);
    assert_string_equal(error.sqlstate, "54023");
    arena_free(&arena);
}

static void test_wire_rows(void **state)
{
    (void)state;
    static const enum sql_type types[] = {SQL_BOOLEAN, SQL_INTEGER, SQL_DOUBLE, SQL_TEXT,
                                          SQL_UNKNOWN};
    struct arena arena = {0};
    struct batch *batch = batch_create(&arena, types, 5, 3);
    for (uint32_t row = 0; row < 3; row++) {
        struct value values[] = {value_boolean(row == 2), value_integer(row), value_double(row),
                                 value_text(slice_from_string(row == 2 ? "" : "text"))};
        for (uint32_t i = 0; i < 4; i++)
            vector_set(&batch->columns[i], row, &values[i]);
        vector_set_null(&batch->columns[4], row);
    }
    vector_set_null(&batch->columns[1], 2);
    uint32_t selection[] = {0, 2};
    batch->row_count = 3;
    batch->selection = selection;
    batch->selected = 2;
    uint32_t from = 0;
    ExecuteResponse *response = wire_rows(&arena, batch, 0, &from);
    assert_int_equal(from, batch->selected);
    size_t size = execute_response__get_packed_size(response);
    uint8_t *bytes = arena_alloc(&arena, size);
    execute_response__pack(response, bytes);
    ExecuteResponse *copy = execute_response__unpack(NULL, size, bytes);
    assert_non_null(copy);
    assert_int_equal(copy->message_case, EXECUTE_RESPONSE__MESSAGE_ROWS);
    assert_int_equal(copy->rows->n_rows, 2);
    Value **first = copy->rows->rows[0]->values, **second = copy->rows->rows[1]->values;
    assert_int_equal(copy->rows->rows[0]->n_values, 5);
    assert_true(!first[0]->boolean && second[0]->boolean);
    assert_int_equal(first[1]->kind_case, VALUE__KIND_INTEGER);
    assert_int_equal(first[1]->integer, 0);
    assert_int_equal(second[1]->kind_case, VALUE__KIND__NOT_SET);
    assert_true(second[2]->real == 2);
    assert_string_equal(first[3]->text, "text");
    assert_int_equal(second[3]->kind_case, VALUE__KIND_TEXT); /* empty, not NULL */
    assert_int_equal(first[4]->kind_case, VALUE__KIND__NOT_SET);
    execute_response__free_unpacked(copy, NULL);
    arena_free(&arena);
}

/* Clients take messages of a few MiB: a batch of large rows becomes several. */
static void test_wire_large_rows(void **state)
{
    (void)state;
    enum { ROWS = 40, LARGE = 300000 };
    static const enum sql_type types[] = {SQL_TEXT, SQL_BYTEA};
    static char large[LARGE];
    memset(large, 'x', sizeof large);
    for (int column = 0; column < 2; column++) {
        struct arena arena = {0};
        struct batch *batch = batch_create(&arena, &types[column], 1, ROWS);
        struct value value =
            column ? value_bytea(slice_make(large, LARGE)) : value_text(slice_make(large, LARGE));
        for (uint32_t row = 0; row < ROWS; row++)
            vector_set(&batch->columns[0], row, &value);
        batch->row_count = batch->selected = ROWS;
        uint32_t from = 0, rows = 0, messages = 0;
        while (from < batch->selected) {
            ExecuteResponse *response = wire_rows(&arena, batch, 0, &from);
            assert_in_range(execute_response__get_packed_size(response), LARGE,
                            WIRE_ROWS_BYTES + LARGE);
            rows += (uint32_t)response->rows->n_rows;
            messages++;
            assert_int_equal(rows, from);
        }
        assert_int_equal(rows, ROWS);
        assert_int_equal(messages, ROWS / 4);
        arena_free(&arena);
    }
}

/* What has no member of its own goes as text; a real as the double that is printed as it is. */
static void test_wire_other_types(void **state)
{
    (void)state;
    static const enum sql_type types[] = {SQL_REAL, SQL_NUMERIC, SQL_BYTEA, SQL_DATE, SQL_UUID};
    struct arena arena = {0};
    struct batch *batch = batch_create(&arena, types, 5, 1);
    struct value values[] = {value_real(0.1), value_numeric(numeric_make(-150, 2)),
                             value_bytea(slice_make("\0\xff", 2)), value_datetime(SQL_DATE, 0),
                             value_uuid((struct uuid){.bytes = {0xab}})};
    for (uint32_t i = 0; i < 5; i++)
        vector_set(&batch->columns[i], 0, &values[i]);
    batch->row_count = batch->selected = 1;
    uint32_t from = 0;
    ExecuteResponse *response = wire_rows(&arena, batch, 0, &from);
    assert_int_equal(from, batch->selected);
    Value **row = response->rows->rows[0]->values;
    assert_true(row[0]->kind_case == VALUE__KIND_REAL && row[0]->real == 0.1);
    assert_int_equal(row[1]->kind_case, VALUE__KIND_TEXT);
    assert_string_equal(row[1]->text, "-1.50");
    assert_true(row[2]->kind_case == VALUE__KIND_BYTES && row[2]->bytes.len == 2);
    assert_memory_equal(row[2]->bytes.data, "\0\xff", 2);
    assert_string_equal(row[3]->text, "1970-01-01");
    assert_string_equal(row[4]->text, "ab000000-0000-0000-0000-000000000000");
    arena_free(&arena);
}

static const struct {
    const char *sqlstate;
    enum grpc_status status;
} wire_statuses[] = {
    {"02000", GRPC_NOT_FOUND},
    {"07001", GRPC_INVALID_ARGUMENT},
    {"08001", GRPC_UNAVAILABLE},
    {"08006", GRPC_UNAVAILABLE},
    {"08007", GRPC_UNKNOWN},
    {"08P01", GRPC_INVALID_ARGUMENT},
    {"0A000", GRPC_UNIMPLEMENTED},
    {"21000", GRPC_INVALID_ARGUMENT},
    {"22012", GRPC_INVALID_ARGUMENT},
    {"22P02", GRPC_INVALID_ARGUMENT},
    {"23503", GRPC_FAILED_PRECONDITION},
    {"23505", GRPC_ALREADY_EXISTS},
    {"25006", GRPC_FAILED_PRECONDITION},
    {"25P02", GRPC_FAILED_PRECONDITION},
    {"26000", GRPC_INVALID_ARGUMENT},
    {"28000", GRPC_UNAUTHENTICATED},
    {"2BP01", GRPC_FAILED_PRECONDITION},
    {"34000", GRPC_INVALID_ARGUMENT},
    {"3F000", GRPC_INVALID_ARGUMENT},
    {"40000", GRPC_ABORTED},
    {"40001", GRPC_ABORTED},
    {"40003", GRPC_UNKNOWN},
    {"42601", GRPC_INVALID_ARGUMENT},
    {"428C9", GRPC_INVALID_ARGUMENT},
    {"42710", GRPC_ALREADY_EXISTS},
    {"42P01", GRPC_INVALID_ARGUMENT},
    {"42P07", GRPC_ALREADY_EXISTS},
    {"53100", GRPC_RESOURCE_EXHAUSTED},
    {"53200", GRPC_RESOURCE_EXHAUSTED},
    {"54000", GRPC_INVALID_ARGUMENT},
    {"54001", GRPC_INVALID_ARGUMENT},
    {"55000", GRPC_FAILED_PRECONDITION},
    {"57014", GRPC_CANCELLED},
    {"57P01", GRPC_UNAVAILABLE},
    {"57P03", GRPC_UNAVAILABLE},
    {"58030", GRPC_INTERNAL},
    {"XX000", GRPC_INTERNAL},
    {"XX001", GRPC_DATA_LOSS},
    {"XX002", GRPC_DATA_LOSS},
    {"", GRPC_UNKNOWN},
    {"99999", GRPC_UNKNOWN},
};

static void test_wire_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wire_statuses / sizeof *wire_statuses; i++)
        if (wire_status(wire_statuses[i].sqlstate) != wire_statuses[i].status)
            fail_msg("%s: %s", wire_statuses[i].sqlstate,
                     grpc_status_name(wire_status(wire_statuses[i].sqlstate)));
}

/* A client that retries does so by the code alone. It must never send again what may have taken
 * place, nor what will fail as often as it is sent: of the codes that this room's statuses have,
 * these may be met again with more luck. */
static void test_wire_status_retried(void **state)
{
    (void)state;
    static const status_t lucky[] = {ERR_NOMEM,    ERR_DISK_FULL, ERR_BUSY,     ERR_NO_QUORUM,
                                     ERR_CONFLICT, ERR_TOO_OLD,   ERR_SHUTDOWN, ERR_UNREACHABLE};
    for (int status = 1; status < STATUS_COUNT; status++) {
        enum grpc_status code = wire_status(status_sqlstate((status_t)status));
        bool retried =
            code == GRPC_UNAVAILABLE || code == GRPC_ABORTED || code == GRPC_RESOURCE_EXHAUSTED;
        bool expected = false;
        for (size_t i = 0; i < sizeof lucky / sizeof *lucky; i++)
            expected |= (int)lucky[i] == status;
        if (retried != expected)
            fail_msg("%s: %s", status_name((status_t)status), grpc_status_name(code));
    }
}

/* ---- clients of other protocols -----------------------------------------------------------------
 */

static void test_strangers(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        size_t size;
        const char *begins; /* what they are told */
    } cases[] = {
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, ""},
        {"P", 1, ""},
        {"", 0, ""},
        {"GET / HTTP/1.1\r\n", 16, "HTTP/1.1 400 "},
        {"POST /x HTTP/1.0\r\n", 18, "HTTP/1.1 400 "},
        {"\0\0\0\x08\x04\xd2\x16\x2f", 8, "N"},       /* may it be TLS? */
        {"\0\0\0\x08\x04\xd2\x16\x30", 8, "N"},       /* GSS? */
        {"\0\0\0\x10\0\x03\0\0user\0x\0\0", 16, "E"}, /* version 3.0 */
        {"\0\0\0\x08\x04\xd2\x16", 7, ""},
        {"\0\0\x12\x04\0\0\0\0\0", 9, ""}, /* a frame of HTTP/2 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff", 8, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        enum stranger stranger = stranger_answer(slice_make(cases[i].first, cases[i].size), &out);
        if (stranger != (*cases[i].begins == 'N' ? STRANGER_ASKS
                         : *cases[i].begins      ? STRANGER_TOLD
                                                 : STRANGER_NOT) ||
            (out.size > 0) != (*cases[i].begins != 0) ||
            !slice_has_prefix(buffer_slice(&out), slice_from_string(cases[i].begins)))
            fail_msg("case %zu", i);
        if (*cases[i].begins == 'E') /* fields behind its length, the last ended by a NUL */
            assert_true(get_u32_be(out.data + 1) == out.size - 1 && out.data[out.size - 1] == 0);
        buffer_free(&out);
    }
}

/* ---- the store's binding ------------------------------------------------------------------------
 */

static struct slice text(const char *bytes)
{
    return slice_from_string(bytes);
}

static void test_store(void **state)
{
    (void)state;
    struct harness h;
    struct error error;
    struct bound_txn bound = {0};
    struct store_cursor *cursor;
    struct store_entry entries[10];
    struct slice value;
    uint32_t count;
    bool found;
    harness_open(&h);
    bound_txn_init(&bound);
    assert_int_equal(replica_txn_begin(h.node->replica, &bound.txn, false, &error), OK);
    struct store_txn *txn = &bound.store;
    assert_int_equal(store_get(txn, text("\xf0key"), &found, &value, &error), OK);
    assert_false(found);
    assert_int_equal(store_put(txn, text("\xf0key"), text("value"), &error), OK);
    assert_int_equal(store_put(txn, text("\xf0tie"), text(""), &error), OK);
    assert_int_equal(store_get(txn, text("\xf0key"), &found, &value, &error), OK);
    assert_true(found && slice_equal(value, text("value")));
    assert_int_equal(store_scan_open(txn, text("\xf0"), (struct slice){0}, true, &cursor, &error),
                     OK);
    count = 0;
    assert_int_equal(store_scan_next(cursor, entries, 10, &count, &error), OK);
    assert_int_equal(count, 2);
    assert_true(slice_equal(entries[0].key, text("\xf0tie")));
    count = 0;
    assert_int_equal(store_scan_next(cursor, entries, 10, &count, &error), OK);
    assert_int_equal(count, 0);
    store_scan_close(cursor);
    assert_int_equal(store_remove(txn, text("\xf0key"), &error), OK);
    assert_int_equal(store_get(txn, text("\xf0key"), &found, &value, &error), OK);
    assert_false(found);
    assert_true(txn_has_writes(&bound.txn));
    static uint8_t large[STORE_VALUE_MAX];
    status_t status = OK;
    for (int i = 0; status == OK && i < 10; i++) {
        char key[] = {(char)0xf0, (char)('a' + i), 0};
        status = store_put(txn, text(key), slice_make(large, sizeof large), &error);
    }
    assert_int_equal(status, ERR_SQL);
    assert_string_equal(error.sqlstate, "53200");
    txn_free(&bound.txn);
    assert_int_equal(replica_txn_begin(h.node->replica, &bound.txn, true, &error), OK);
    assert_int_equal(store_put(txn, text("\xf0key"), text("value"), &error), ERR_SQL);
    assert_string_equal(error.sqlstate, "25006");
    txn_free(&bound.txn);
    harness_close(&h);
}

/* Strings may not have a NUL character, at any depth; other bytes may. */
static void test_wire_strings(void **state)
{
    (void)state;
    struct {
        const char *bytes;
        size_t size;
        bool whole;
    } cases[] = {
        {"", 0, true},
        {"\x08\x00", 2, true}, /* sequence: 0 */
        {"\x12\x05\x0a\x03"    /* execute, sql */
         "a\0b",
         7, false},
        {"\x12\x05\x0a\x03"
         "abc",
         7, true},
        {"\x12\x05\x1a\x03" /* request_id */
         "a\0b",
         7, true},
        {"\x12\x05\x12\x03\x22\x01\x00", 7, false},         /* parameters, text */
        {"\x12\x05\x12\x03\x2a\x01\x00", 7, true},          /* parameters, bytes */
        {"\x12\x0b\x12\x09\x19\0\0\0\0\0\0\0\0", 13, true}, /* parameters, real */
        {"\x7a\x01\x00\x12\x03\x0a\x01\x00", 8, false},     /* behind a field not known */
        {"\x12\x06\x8a\x80\x80\x80\x00\x00", 8, true},      /* a long key, an empty sql */
        {"\x12\x07\x8a\x80\x80\x80\x00\x01\x00", 9, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice bytes = slice_make(cases[i].bytes, cases[i].size);
        SessionRequest *message = session_request__unpack(NULL, bytes.size, bytes.data);
        assert_non_null(message);
        session_request__free_unpacked(message, NULL);
        if (wire_strings_whole(&session_request__descriptor, bytes) != cases[i].whole)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_config_refused),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_wire_parameters),
        cmocka_unit_test(test_wire_rows),
        cmocka_unit_test(test_wire_large_rows),
        cmocka_unit_test(test_wire_strings),
        cmocka_unit_test(test_wire_other_types),
        cmocka_unit_test(test_wire_status),
        cmocka_unit_test(test_wire_status_retried),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
