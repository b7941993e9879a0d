/* Strict reads by primary key, of rows whose content can be told from their key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/text_int.h"
#include "bin/workload_int.h"

enum { PAYLOAD_MAX = 64, ROWS_PER_INSERT = 500 };

static void row_payload(uint64_t id, char out[PAYLOAD_MAX])
{
    struct prng prng;
    prng_seed(&prng, id);
    snprintf(out, PAYLOAD_MAX, "%016" PRIx64, prng_next(&prng));
}

static bool setup(struct bin__workload *workload, struct toydb_session *session)
{
    struct buffer sql = {0};
    bool done = bin__run(session, "DROP TABLE IF EXISTS workload_read") &&
                bin__run(session, "CREATE TABLE workload_read "
                                  "(id INTEGER PRIMARY KEY, payload TEXT NOT NULL)");
    for (uint64_t id = 1; id <= workload->rows && done;) {
        buffer_reset(&sql);
        buffer_append_string(&sql, "INSERT INTO workload_read VALUES ");
        for (uint32_t i = 0; i < ROWS_PER_INSERT && id <= workload->rows; i++, id++) {
            char payload[PAYLOAD_MAX];
            row_payload(id, payload);
            buffer_printf(&sql, "%s(%" PRIu64 ", '%s')", i ? ", " : "", id, payload);
        }
        buffer_append_byte(&sql, '\0');
        done = bin__run(session, (const char *)sql.data);
    }
    buffer_free(&sql);
    return done;
}

struct answer {
    char payload[PAYLOAD_MAX];
    uint32_t rows;
    bool right;
};

static bool take_row(void *context, const struct toydb_event *event)
{
    struct answer *answer = context;
    if (event->kind != TOYDB_ROW)
        return true;
    answer->rows++;
    answer->right = event->column_count == 1 && event->values[0].type == TOYDB_TEXT &&
                    strcmp(event->values[0].text.data, answer->payload) == 0;
    return true;
}

static enum toydb_result operate(struct bin__client *client, struct toydb_error *error)
{
    struct answer answer = {0};
    uint64_t id = prng_between(&client->prng, 1, client->workload->rows);
    struct toydb_value key = bin__integer((int64_t)id);
    row_payload(id, answer.payload);
    enum toydb_result result =
        toydb_execute(client->session, "SELECT payload FROM workload_read WHERE id = $1", &key, 1,
                      take_row, &answer, error);
    if (result == TOYDB_OK && (answer.rows != 1 || !answer.right)) {
        atomic_fetch_add(&client->workload->wrong, 1);
        bin__workload_complain(client->workload,
                               "%s answered with %" PRIu32 " rows%s for id %" PRIu64,
                               toydb_peer(client->session), answer.rows,
                               answer.right ? "" : " and not the content inserted", id);
    }
    return result;
}

static bool verify(struct bin__workload *workload)
{
    struct buffer text = {0};
    bin__count_text(&text, atomic_load(&workload->done));
    bool right = atomic_load(&workload->wrong) == 0;
    if (right)
        printf("verified: all %.*s answers were the row asked for\n", (int)text.size,
               (const char *)text.data);
    buffer_free(&text);
    return right;
}

const struct bin__workload_kind bin__workload_read = {
    .name = "read", .unit = "reads", .setup = setup, .operate = operate, .verify = verify};
