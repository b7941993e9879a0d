/* Runs one script of tests/golden/sql. Commands:
 *   sql [session=N] [params=TYPE:TEXT,...]   runs the input; prints what a client sees. TYPE is
 *           int, double, bool, text or null. No commas or spaces in TEXT.
 *   trace   the same, with every event
 *   copy    the first line is run with the others as its parameter
 *   refuse STATUS N   the next N commits are refused: CONFLICT, TOO_OLD, OUTCOME_UNKNOWN
 *   no_quorum N       the next N transactions cannot begin
 *   unconfirmed N     the next N transactions that may be unconfirmed are
 *   stale             the next unconfirmed one sees the state as it is now
 *   cancel N          the next text is cancelled when it has made N events
 *   state             of the session's transaction */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "env_sim.h"
#include "golden.h"
#include "sql/exec/exec.h"
#include "sql_driver.h"

enum { PARAMETERS_MAX = 8 };

static struct value parameter(const char *text)
{
    if (strncmp(text, "int:", 4) == 0)
        return value_integer(strtoll(text + 4, NULL, 10));
    if (strncmp(text, "double:", 7) == 0)
        return value_double(strtod(text + 7, NULL));
    if (strncmp(text, "bool:", 5) == 0)
        return value_boolean(strcmp(text + 5, "true") == 0);
    if (strncmp(text, "text:", 5) == 0)
        return value_text(slice_from_string(text + 5));
    return value_null(SQL_UNKNOWN);
}

static uint32_t parameters_read(const struct golden_case *c, char *text, size_t size,
                                struct value *parameters)
{
    uint32_t count = 0;
    if (!golden_arg_text(c, "params", text, size))
        return 0;
    for (char *at = text; at && count < PARAMETERS_MAX;) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        parameters[count++] = parameter(at);
        at = comma ? comma + 1 : NULL;
    }
    return count;
}

static status_t status_read(const char *name)
{
    if (strncmp(name, "TOO_OLD", 7) == 0)
        return ERR_TOO_OLD;
    return strncmp(name, "OUTCOME_UNKNOWN", 15) == 0 ? ERR_OUTCOME_UNKNOWN : ERR_CONFLICT;
}

static uint32_t last_number(const char *text)
{
    const char *space = strrchr(text, ' ');
    return (uint32_t)strtoul(space ? space + 1 : text, NULL, 10);
}

static void run_text(struct sql_driver *driver, const struct golden_case *c, struct buffer *out)
{
    char text[256];
    struct value parameters[PARAMETERS_MAX];
    uint32_t count = parameters_read(c, text, sizeof text, parameters);
    long number = golden_arg_long(c, "session", 0);
    driver->trace = strcmp(c->command, "trace") == 0;
    sql_driver_run(driver, sql_driver_session(driver, (uint32_t)number),
                   slice_from_string(c->input), parameters, count, out);
}

static void run_copy(struct sql_driver *driver, struct sql_session *session,
                     const struct golden_case *c, struct buffer *out)
{
    const char *end = strchr(c->input, '\n');
    size_t size = end ? (size_t)(end - c->input) : strlen(c->input);
    struct value data = value_text(slice_from_string(end ? end + 1 : ""));
    sql_driver_run(driver, session, slice_make(c->input, size), &data, 1, out);
}

static char between[1024];
static struct env_sim *machine;

static void run(void *context, const struct golden_case *c, struct buffer *out)
{
    static const char *const states[] = {"idle", "in transaction", "failed"};
    struct sql_driver *driver = context;
    struct sql_session *session =
        sql_driver_session(driver, (uint32_t)golden_arg_long(c, "session", 0));
    if (strcmp(c->command, "sql") == 0 || strcmp(c->command, "trace") == 0) {
        run_text(driver, c, out);
    } else if (strcmp(c->command, "copy") == 0) {
        run_copy(driver, session, c, out);
    } else if (strcmp(c->command, "refuse") == 0) {
        driver->refuse_status = status_read(c->args);
        driver->refuse_commits = last_number(c->args);
    } else if (strcmp(c->command, "no_quorum") == 0) {
        driver->refuse_begins = last_number(c->args);
    } else if (strcmp(c->command, "unconfirmed") == 0) {
        driver->unconfirmed = last_number(c->args);
    } else if (strcmp(c->command, "stale") == 0) {
        sql_driver_keep_stale(driver);
    } else if (strcmp(c->command, "cancel") == 0) {
        driver->cancel_after = last_number(c->args);
    } else if (strcmp(c->command, "drop") == 0) {
        driver->drop_after = last_number(c->args);
    } else if (strcmp(c->command, "seconds") == 0) {
        env_sim_advance_us(machine, last_number(c->args) * UINT64_C(1000000));
    } else if (strcmp(c->command, "between") == 0) {
        snprintf(between, sizeof between, "%s", c->input);
        driver->between = between;
        driver->between_after = last_number(c->args);
    } else if (strcmp(c->command, "state") == 0) {
        buffer_printf(out, "%s\n", states[sql_session_state(session)]);
    } else {
        buffer_printf(out, "unknown command %s\n", c->command);
    }
}

static void tell(void *context, const char *problem)
{
    fprintf(context, "%s\n", problem);
}

/* What a script leaves behind must hold together, as `toydb check --data` asks it. */
static uint64_t store_problems(const struct sql_driver *driver, struct env *env)
{
    struct arena arena = {0};
    struct problems problems = {.report = tell, .context = stderr};
    struct exec_verified verified;
    struct error error = {0};
    struct store_txn *txn = store_memory_begin(driver->store);
    struct exec_context context = {.env = env, .txn = txn, .arena = &arena};
    if (exec_verify(&context, &problems, &verified, &error) != OK)
        problem_add_error(&problems, "verify: ", &error);
    store_memory_rollback(txn);
    arena_free(&arena);
    return problems.count;
}

int main(int count, char **arguments)
{
    const char *root = getenv("TOYDB_SOURCE_ROOT");
    struct sql_driver driver;
    char path[1024];
    if (count != 2 || !root) {
        fprintf(stderr, "usage: TOYDB_SOURCE_ROOT=... golden_sql SCRIPT\n");
        return 64;
    }
    /* Its clock stands still, so that figures of time are alike in each run. */
    struct env_sim *sim = env_sim_create(1);
    machine = sim;
    sql_driver_init(&driver, env_sim_env(sim));
    struct error error;
    if (sql_engine_spill_set(driver.engine, "/spill", &error) != OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    snprintf(path, sizeof path, "%s/tests/golden/sql/%s.golden", root, arguments[1]);
    int mismatches = golden_run(path, run, &driver);
    uint64_t problems = store_problems(&driver, env_sim_env(sim));
    sql_driver_free(&driver);
    env_sim_destroy(sim);
    return mismatches == 0 && problems == 0 ? 0 : 1;
}
