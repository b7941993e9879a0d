/* Indexes that are built by many transactions, while others change the table between any two of
 * them, at random: rows before and behind where the building is come, go, take each other's keys,
 * get other primary keys; a second index is built, one is dropped, the table is emptied, altered.
 * Commits are refused now and then, so that pieces are small.
 *
 * In the end rows and indexes must agree, as `toydb check --data` asks it; an index that could not
 * be built for a duplicate must be gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "env_sim.h"
#include "sql/exec/exec.h"
#include "sql_driver.h"

enum { BUILDER, OTHER, SEEDS = 2000, ROWS = 400, STATEMENT_MAX = 400 };

struct world {
    struct env_sim *sim;
    struct sql_driver driver;
    struct prng prng;
    struct buffer out;
    uint32_t statements; /* of others, that were done */
    uint32_t refused;    /* that were not, for a duplicate */
    int last_u;          /* that a row was given */
    bool dropped;        /* the index, by another */
};

static const char *run(struct world *world, uint32_t session, const char *sql)
{
    buffer_reset(&world->out);
    sql_driver_run(&world->driver, sql_driver_session(&world->driver, session),
                   slice_from_string(sql), NULL, 0, &world->out);
    buffer_append_byte(&world->out, '\0');
    return (const char *)world->out.data;
}

static void must(struct world *world, uint32_t session, const char *sql)
{
    const char *answer = run(world, session, sql);
    if (strstr(answer, "ERROR"))
        fail_msg("%s: %s", sql, answer);
}

static int64_t number(struct world *world, int64_t low, int64_t high)
{
    return low + (int64_t)prng_below(&world->prng, (uint64_t)(high - low + 1));
}

/* ---- what others do ---------------------------------------------------------------------------
 */

static void change_rows(struct world *world, char *sql, size_t size)
{
    static const char *const forms[] = {
        "insert into t values (%d, %d, %d) on conflict (id) do nothing",
        "insert into t values (%d, %d, %d) on conflict (id) do update set u = excluded.u",
        "insert into t values (%d, %d, %d) on conflict (id) do update set w = excluded.w",
        "insert into t values (%d, %d, %d) on conflict do nothing",
        "insert into t values (%d, %d, %d)",
        "update t set id = %d where u = %d or w = %d",
        "update t set id = id + 700 where id = %d and u <> %d and w <> %d",
        "update t set u = u + 1 where id = %d or u between %d and %d",
    };
    size_t form = prng_below(&world->prng, sizeof forms / sizeof *forms);
    int id = (int)number(world, -ROWS, ROWS + 40), u = (int)number(world, 0, ROWS + 200);
    world->last_u = u;
    snprintf(sql, size, forms[form], id, u, (int)number(world, 0, 9));
}

static void change_columns(struct world *world, char *sql, size_t size)
{
    static const char *const forms[] = {
        "update t set u = %d where id = %d",
        "update t set u = null, w = %d where id = %d",
        "update t set w = %d where id = %d",
        "update t set u = (select max(u) from t) + 1, w = %d where id = %d",
        "update t set id = -id, w = %d where id = %d",
        "delete from t where u = %d or id = %d",
        "delete from t where u = %d and id > 0 or id = %d",
        "update t set u = u + 300 where u = %d and id > 0 or id = %d",
        "update t set w = w + 1 where u = %d or id = %d",
    };
    size_t form = prng_below(&world->prng, sizeof forms / sizeof *forms);
    int value = (int)number(world, 0, prng_chance(&world->prng, 1, 2) ? 9 : ROWS + 100);
    /* A key somebody has just taken. */
    if (prng_chance(&world->prng, 1, 2))
        value = world->last_u;
    snprintf(sql, size, forms[form], value, (int)number(world, 0, ROWS));
}

static const char *change_schema(struct world *world)
{
    static const char *const forms[] = {
        "alter table t add column x int default 5",
        "alter table t drop column if exists x",
        "reindex table t",
        "create index if not exists second on t (w, u)",
        "create unique index if not exists third on t (u, id) include (w)",
        "drop index if exists second",
        "alter table t drop constraint t_pkey, add constraint t_pkey primary key (id)",
        "truncate t",
        "analyze t",
        "vacuum",
        "drop index if exists built",
        "alter table t drop constraint if exists built",
        "create unique index if not exists built on t (u)",
    };
    size_t form = prng_below(&world->prng, sizeof forms / sizeof *forms);
    /* What ends the story is rare. */
    if (strstr(forms[form], "truncate") && !prng_chance(&world->prng, 1, 20))
        form = 0;
    if (strstr(forms[form], "if exists built") && !prng_chance(&world->prng, 1, 10))
        form = 2;
    return forms[form];
}

static void statement(struct world *world)
{
    char sql[STATEMENT_MAX];
    uint64_t kind = prng_below(&world->prng, 24);
    if (kind == 0)
        snprintf(sql, sizeof sql, "%s", change_schema(world));
    else if (kind < 12)
        change_rows(world, sql, sizeof sql);
    else
        change_columns(world, sql, sizeof sql);
    world->dropped |= strstr(sql, "if exists built") != NULL;
    const char *answer = run(world, OTHER, sql);
    bool duplicate = strstr(answer, "ERROR 23505") || strstr(answer, "ERROR 21000");
    /* The index being built is not another's to build: that one waits until it gives up. And a
       constraint's goes with that. */
    bool waited = (strstr(sql, "exists built on") && strstr(answer, "ERROR 40001")) ||
                  (strstr(sql, "drop index") && strstr(answer, "ERROR 2BP01"));
    if (strstr(answer, "ERROR") && !duplicate && !waited && !strstr(answer, "ERROR 42701"))
        fail_msg("%s: %s", sql, answer);
    world->statements += !duplicate;
    world->refused += duplicate;
}

static void meanwhile(void *context)
{
    struct world *world = context;
    struct buffer kept = world->out;
    world->out = (struct buffer){0};
    for (uint64_t n = prng_below(&world->prng, 6); n > 0; n--)
        statement(world);
    buffer_free(&world->out);
    world->out = kept;
    if (prng_chance(&world->prng, 1, 3)) {
        world->driver.refuse_status = ERR_CONFLICT;
        world->driver.refuse_commits = (uint32_t)number(world, 1, 3);
    }
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void tell(void *context, const char *problem)
{
    print_error("seed %u: %s\n", *(const uint32_t *)context, problem);
}

static void check_store(struct world *world, uint32_t seed)
{
    struct arena arena = {0};
    struct problems problems = {.report = tell, .context = &seed};
    struct exec_verified verified;
    struct error error = {0};
    struct store_txn *txn = store_memory_begin(world->driver.store);
    struct exec_context context = {.env = env_sim_env(world->sim), .txn = txn, .arena = &arena};
    assert_int_equal(exec_verify(&context, &problems, &verified, &error), OK);
    store_memory_rollback(txn);
    arena_free(&arena);
    assert_int_equal(problems.count, 0);
}

static const char *const wanted[] = {
    "create unique index built on t (u)",
    "create unique index built on t (u) include (w)",
    "alter table t add constraint built unique (u)",
    "create unique index built on t (u) where w > 2",
    "create unique index built on t ((u * 2), (id % 7)) include (w)",
    "create index built on t (w, u)",
    "create index built on t (u) include (w) where w < 8",
};

static bool play(uint32_t seed, struct world *world)
{
    *world = (struct world){0};
    world->sim = env_sim_create(seed);
    sql_driver_init(&world->driver, env_sim_env(world->sim));
    prng_seed(&world->prng, seed);
    must(world, BUILDER, "create table t (id int primary key, u int, w int)");
    must(world, BUILDER, "insert into t select i, i, i % 10 from generate_series(1, 400) as g (i)");
    must(world, BUILDER, "set online_index_rows = 0");
    /* Refused thrice, the pieces become small. */
    world->driver.refuse_status = ERR_CONFLICT;
    world->driver.refuse_commits = 3;
    world->driver.meanwhile = meanwhile;
    world->driver.meanwhile_context = world;
    char answer[STATEMENT_MAX];
    snprintf(answer, sizeof answer, "%s",
             run(world, BUILDER, wanted[seed % (sizeof wanted / sizeof *wanted)]));
    world->driver.meanwhile = NULL;
    world->driver.refuse_commits = 0;
    bool built = !strstr(answer, "ERROR");
    bool duplicate = strstr(answer, "ERROR 23505") != NULL;
    if (!built && !duplicate && !(world->dropped && strstr(answer, "ERROR 55000")))
        fail_msg("seed %u: %s", seed, answer);
    check_store(world, seed);
    if (duplicate && strstr(run(world, BUILDER, "show indexes from t"), "built | u"))
        fail_msg("seed %u: an index that could not be built is there", seed);
    buffer_free(&world->out);
    sql_driver_free(&world->driver);
    env_sim_destroy(world->sim);
    return built;
}

static void test_rows_and_indexes_agree(void **state)
{
    (void)state;
    uint32_t built = 0, statements = 0, refused = 0;
    struct world world;
    const char *given = getenv("TOYDB_ONLINE_SEEDS");
    uint32_t seeds = given ? (uint32_t)strtoul(given, NULL, 10) : SEEDS;
    for (uint32_t seed = 1; seed <= seeds; seed++) {
        built += play(seed, &world);
        statements += world.statements;
        refused += world.refused;
    }
    print_message("# %u of %u built; others did %u statements, and %u met a duplicate\n", built,
                  seeds, statements, refused);
    assert_true(built > seeds / 10 && built < seeds);
    assert_true(statements > 10 * seeds && refused > seeds / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_indexes_agree),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
