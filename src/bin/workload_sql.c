#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/workload_int.h"

struct toydb_value bin__text(const char *text)
{
    return (struct toydb_value){.type = TOYDB_TEXT, .text = {text, strlen(text)}};
}

bool bin__is_conflict(const struct toydb_error *error)
{
    return strcmp(error->sqlstate, "40001") == 0;
}

bool bin__run(struct toydb_session *session, const char *sql)
{
    struct toydb_error error;
    if (toydb_execute(session, sql, NULL, 0, NULL, NULL, &error) == TOYDB_OK)
        return true;
    fprintf(stderr, "toydb workload: %s (SQLSTATE %s)\n%s\n", error.message, error.sqlstate, sql);
    return false;
}

struct integers {
    int64_t *out;
    uint32_t count;
    bool found;
    bool malformed;
};

static bool take_integers(void *context, const struct toydb_event *event)
{
    struct integers *integers = context;
    if (event->kind != TOYDB_ROW || integers->found)
        return true;
    integers->found = true;
    integers->malformed = event->column_count < integers->count;
    for (uint32_t i = 0; i < integers->count && !integers->malformed; i++) {
        integers->malformed = event->values[i].type != TOYDB_INTEGER;
        integers->out[i] = event->values[i].integer;
    }
    return true;
}

enum toydb_result bin__query_integers(struct toydb_session *session, const char *sql,
                                      const struct toydb_value *parameters, size_t parameter_count,
                                      int64_t *out, uint32_t count, bool *found,
                                      struct toydb_error *error)
{
    struct integers integers = {.out = out, .count = count};
    ASSERT(count > 0);
    enum toydb_result result =
        toydb_execute(session, sql, parameters, parameter_count, take_integers, &integers, error);
    *found = integers.found;
    if (result != TOYDB_OK || !integers.malformed)
        return result;
    *error = (struct toydb_error){.result = TOYDB_ERROR, .sqlstate = "08P01"};
    snprintf(error->message, sizeof error->message, "the answer has not the columns asked for");
    return TOYDB_ERROR;
}
