/* Single-row inserts, each a transaction. An insert that was acknowledged must be there, once, with
 * what was written; one whose outcome is not known may be; nothing else is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/text_int.h"
#include "bin/workload_int.h"

enum { PAYLOAD_MAX = 64 };

/* A client's inserts are numbered from 0; so are the clients. */
static int64_t row_id(uint32_t client, uint32_t number)
{
    return (int64_t)((uint64_t)client << 32 | number);
}

/* What can be told from the id, and not mistaken for another row's. */
static void row_payload(int64_t id, char out[PAYLOAD_MAX])
{
    struct prng prng;
    prng_seed(&prng, (uint64_t)id);
    snprintf(out, PAYLOAD_MAX, "row %" PRId64 " %016" PRIx64, id, prng_next(&prng));
}

static bool setup(struct bin__workload *workload, struct toydb_session *session)
{
    MAYBE(workload->client_count > 1);
    return bin__run(session, "DROP TABLE IF EXISTS workload_write") &&
           bin__run(session, "CREATE TABLE workload_write "
                             "(id INTEGER PRIMARY KEY, client INTEGER, payload TEXT)");
}

static enum toydb_result operate(struct bin__client *client, struct toydb_error *error)
{
    char payload[PAYLOAD_MAX];
    uint32_t number = client->insert_count++;
    int64_t id = row_id(client->index, number);
    client->acknowledged = vec_grow(client->acknowledged, &client->insert_capacity,
                                    client->insert_count, sizeof *client->acknowledged);
    client->acknowledged[number] = 0;
    row_payload(id, payload);
    const struct toydb_value values[] = {bin__integer(id), bin__integer(client->index),
                                         bin__text(payload)};
    enum toydb_result result;
    while (
        (result = toydb_execute(client->session, "INSERT INTO workload_write VALUES ($1, $2, $3)",
                                values, 3, NULL, NULL, error)) != TOYDB_OK &&
        bin__is_conflict(error))
        atomic_fetch_add(&client->workload->retries, 1);
    client->acknowledged[number] = result == TOYDB_OK;
    return result;
}

/* ---- verifying ------------------------------------------------------------------------------ */

struct check {
    struct bin__workload *workload;
    uint8_t **seen; /* by client and number */
    const char *address;
    uint64_t bad;
};

static void take_row(struct check *check, const struct toydb_value *row)
{
    char payload[PAYLOAD_MAX];
    int64_t id = row[0].type == TOYDB_INTEGER ? row[0].integer : -1;
    uint32_t client = (uint32_t)((uint64_t)id >> 32);
    uint32_t number = (uint32_t)id;
    if (id < 0 || client >= check->workload->client_count ||
        number >= check->workload->clients[client].insert_count) {
        bin__workload_complain(check->workload, "%s has a row that nobody inserted: id %" PRId64,
                               check->address, id);
        check->bad++;
        return;
    }
    row_payload(id, payload);
    bool same = row[1].type == TOYDB_INTEGER && row[1].integer == client &&
                row[2].type == TOYDB_TEXT && strcmp(row[2].text.data, payload) == 0;
    bool again = check->seen[client][number]++ > 0;
    if (same && !again)
        return;
    bin__workload_complain(check->workload, "%s has row %" PRId64 " %s", check->address, id,
                           again ? "more than once" : "with other content than was inserted");
    check->bad++;
}

static bool each_row(void *context, const struct toydb_event *event)
{
    struct check *check = context;
    if (event->kind == TOYDB_ROW && event->column_count == 3)
        take_row(check, event->values);
    return true;
}

static void find_missing(struct check *check)
{
    for (uint32_t c = 0; c < check->workload->client_count; c++)
        for (uint32_t n = 0; n < check->workload->clients[c].insert_count; n++)
            if (check->workload->clients[c].acknowledged[n] && !check->seen[c][n]) {
                bin__workload_complain(check->workload,
                                       "%s lacks row %" PRId64 ", which was acknowledged",
                                       check->address, row_id(c, n));
                check->bad++;
            }
}

static bool check_node(struct bin__workload *workload, struct toydb_session *session,
                       const char *address)
{
    struct toydb_error error;
    struct check check = {.workload = workload, .address = address};
    check.seen = mem_zalloc(workload->client_count, sizeof *check.seen);
    for (uint32_t c = 0; c < workload->client_count; c++)
        check.seen[c] = mem_zalloc(workload->clients[c].insert_count + 1, 1);
    bool read = toydb_execute(session, "SELECT id, client, payload FROM workload_write", NULL, 0,
                              each_row, &check, &error) == TOYDB_OK;
    if (read)
        find_missing(&check);
    else
        bin__workload_complain(workload, "could not read from %s: %s", address, error.message);
    for (uint32_t c = 0; c < workload->client_count; c++)
        mem_free(check.seen[c]);
    mem_free(check.seen);
    return read && check.bad == 0;
}

static bool verify(struct bin__workload *workload)
{
    struct buffer text = {0};
    uint32_t checked;
    uint64_t acknowledged = 0;
    for (uint32_t c = 0; c < workload->client_count; c++)
        for (uint32_t n = 0; n < workload->clients[c].insert_count; n++)
            acknowledged += workload->clients[c].acknowledged[n];
    bool right = bin__workload_check_all(workload, check_node, &checked);
    bin__count_text(&text, acknowledged);
    if (right)
        printf("verified: all %.*s acknowledged rows are there exactly once, read from %" PRIu32
               " node%s\n",
               (int)text.size, (const char *)text.data, checked, checked == 1 ? "" : "s");
    buffer_free(&text);
    return right;
}

const struct bin__workload_kind bin__workload_write = {
    .name = "write", .unit = "inserts", .setup = setup, .operate = operate, .verify = verify};
