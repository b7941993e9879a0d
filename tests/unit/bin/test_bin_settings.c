/* Settings of toydb start, and the latencies of toydb workload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bin/bin_int.h"
#include "bin/latency_int.h"

static status_t from_text(struct bin__config *config, const char *text, struct error *error)
{
    return bin__config_text(config, "toydb.conf", slice_from_string(text), error);
}

static void test_precedence(void **state)
{
    (void)state;
    struct bin__config config = {0};
    struct server_config server;
    struct error error;
    setenv("TOYDB_ID", "2", 1);
    setenv("TOYDB_LISTEN", "h:2", 1);
    setenv("TOYDB_LOG_LEVEL", "", 1); /* as good as not there */
    bin__config_set(&config, BIN__LISTEN, BIN__FROM_FLAG, "h:3");
    bin__config_environment(&config);
    assert_int_equal(from_text(&config,
                               "# a comment\n\n id = 1\nlisten=h:1\n data = \"/a b\" \r\n"
                               "log_level = debug\n",
                               &error),
                     OK);
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_string_equal(server.listen, "h:3");
    assert_int_equal(server.id, 2);
    assert_string_equal(server.data_dir, "/a b");
    assert_int_equal(server.log_level, LOG_DEBUG);
    assert_int_equal(server.peer_count, 0);
    bin__config_free(&config);
    unsetenv("TOYDB_ID");
    unsetenv("TOYDB_LISTEN");
    unsetenv("TOYDB_LOG_LEVEL");
}

static void test_sizes(void **state)
{
    (void)state;
    struct bin__config config = {0};
    struct server_config server;
    struct error error;
    assert_int_equal(
        from_text(&config, "data = d\nlog-keep = 1\nsnapshot_rate = 1048576\n", &error), OK);
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_int_equal(server.log_keep_bytes, 1 << 20);
    assert_int_equal(server.log_keep_max_bytes, 0);
    assert_int_equal(server.snapshot_bytes_per_second, (uint64_t)1 << 40);
    static const char *const wrong[] = {"0", "1048577", "64MiB", "-1", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bin__config_set(&config, BIN__LOG_KEEP_MAX, BIN__FROM_FLAG, wrong[i]);
        assert_int_equal(bin__config_resolve(&config, &server, &error), ERR_INVALID);
        assert_non_null(strstr(error.message, "--log-keep-max must be a number of MiB"));
    }
    bin__config_free(&config);
}

static void test_engine(void **state)
{
    (void)state;
    struct bin__config config = {0};
    struct server_config server;
    struct error error;
    assert_int_equal(from_text(&config, "data = d\nengine = lsm\n", &error), OK);
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_int_equal(server.engine, KV_ENGINE_LSM);
    bin__config_set(&config, BIN__ENGINE, BIN__FROM_FLAG, "btree");
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_int_equal(server.engine, KV_ENGINE_BTREE);
    bin__config_set(&config, BIN__ENGINE, BIN__FROM_FLAG, "any");
    assert_int_equal(bin__config_resolve(&config, &server, &error), ERR_INVALID);
    assert_string_equal(error.message, "--engine must be btree or lsm, not \"any\"");
    bin__config_free(&config);
}

static void test_defaults(void **state)
{
    (void)state;
    struct bin__config config = {0};
    struct server_config server;
    struct error error;
    bin__config_set(&config, BIN__DATA, BIN__FROM_FLAG, "d");
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_int_equal(server.id, 1);
    assert_string_equal(server.listen, "127.0.0.1:9601");
    bin__config_set(&config, BIN__ID, BIN__FROM_FLAG, "2");
    bin__config_set(&config, BIN__PEERS, BIN__FROM_FLAG, "1=a:1,2=[::1]:2");
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_int_equal(server.peer_count, 2);
    assert_string_equal(server.listen, "[::1]:2");
    bin__config_free(&config);
}

/* Where a node listens, and where it says it is, from whatever was given of the two, peers and the
 * cluster to join. */
static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *listen, *advertise, *peers, *join;
        const char *listens, *says;
        bool known; /* the data directory is asked first */
    } cases[] = {
        {NULL, NULL, NULL, NULL, "127.0.0.1:9601", "", true},
        {"h:1", NULL, NULL, NULL, "h:1", "h:1", false},
        {"0.0.0.0:1", NULL, NULL, NULL, "0.0.0.0:1", "", false},
        {"[::]:1", "h:2", NULL, "a:1", "[::]:1", "h:2", false},
        {NULL, "h:2", NULL, "a:1,b:1", "127.0.0.1:9601", "h:2", true},
        {"h:3", NULL, NULL, "a:1", "h:3", "h:3", false},
        {NULL, NULL, "1=a:1,2=b:1", NULL, "a:1", "a:1", false},
        {"0.0.0.0:1", NULL, "1=a:1,2=b:1", NULL, "0.0.0.0:1", "a:1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bin__config config = {0};
        struct server_config server;
        struct error error;
        bin__config_set(&config, BIN__DATA, BIN__FROM_FLAG, "d");
        const char *given[] = {cases[i].listen, cases[i].advertise, cases[i].peers, cases[i].join};
        static const enum bin__setting settings[] = {BIN__LISTEN, BIN__ADVERTISE, BIN__PEERS,
                                                     BIN__JOIN};
        for (int k = 0; k < 4; k++)
            if (given[k])
                bin__config_set(&config, settings[k], BIN__FROM_FLAG, given[k]);
        assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
        assert_string_equal(server.listen, cases[i].listens);
        assert_string_equal(server.advertise, cases[i].says);
        assert_string_equal(server.join, cases[i].join ? cases[i].join : "");
        assert_int_equal(server.listen_known, cases[i].known);
        bin__config_free(&config);
    }
}

static void test_joining(void **state)
{
    (void)state;
    struct bin__config config = {0};
    struct server_config server;
    struct error error;
    bin__config_set(&config, BIN__DATA, BIN__FROM_FLAG, "d");
    bin__config_set(&config, BIN__LEARNER, BIN__FROM_FLAG, "on");
    assert_int_equal(bin__config_resolve(&config, &server, &error), ERR_INVALID);
    assert_string_equal(error.message, "--learner goes with --join");
    bin__config_set(&config, BIN__JOIN, BIN__FROM_FLAG, "a:1");
    bin__config_set(&config, BIN__DRAIN, BIN__FROM_FLAG, "30");
    bin__config_set(&config, BIN__QUORUM_TIMEOUT, BIN__FROM_FLAG, "60");
    bin__config_set(&config, BIN__READ_LEASE, BIN__FROM_FLAG, "400");
    assert_int_equal(bin__config_resolve(&config, &server, &error), OK);
    assert_true(server.learner);
    assert_int_equal(server.drain_us, 30000000);
    assert_int_equal(server.quorum_timeout_us, 60000000);
    assert_int_equal(server.read_lease_us, 400000);
    bin__config_set(&config, BIN__LISTEN, BIN__FROM_FLAG, "0.0.0.0:1");
    assert_int_equal(bin__config_resolve(&config, &server, &error), ERR_INVALID);
    assert_string_equal(error.message, "other nodes cannot reach this one at \"0.0.0.0:1\": say "
                                       "with --advertise where they can");
    bin__config_set(&config, BIN__PEERS, BIN__FROM_FLAG, "1=a:1");
    assert_int_equal(bin__config_resolve(&config, &server, &error), ERR_INVALID);
    assert_non_null(strstr(error.message, "--join and --peers exclude each other"));
    bin__config_free(&config);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        enum bin__setting setting;
        const char *value, *message;
    } cases[] = {
        {BIN__ID, "0", "--id must be a number from 1 to 4294967295, not \"0\""},
        {BIN__ID, "1x", "--id must be a number from 1 to 4294967295, not \"1x\""},
        {BIN__ID, "-1", "--id must be a number from 1 to 4294967295, not \"-1\""},
        {BIN__ID, "99999999999999999999",
         "--id must be a number from 1 to 4294967295, "
         "not \"99999999999999999999\""},
        {BIN__LOG_LEVEL, "loud",
         "--log-level must be debug, info, warn, error or off, "
         "not \"loud\""},
        {BIN__DRAIN, "0", "--drain must be seconds from 1 to 3600, not \"0\""},
        {BIN__QUORUM_TIMEOUT, "3601",
         "--quorum-timeout must be seconds from 1 to 3600, not \"3601\""},
        {BIN__READ_LEASE, "401", "--read-lease must be milliseconds from 0 to 400, not \"401\""},
        {BIN__LEARNER, "maybe", "--learner must be on or off, not \"maybe\""},
        {BIN__ADVERTISE, "h", "--advertise: \"h\" is not an address of the form host:port"},
        {BIN__ADVERTISE, "[::]:1",
         "other nodes cannot reach this one at \"[::]:1\": say with --advertise where they can"},
        {BIN__PEERS, "2=a:1", "--peers does not name node 1 itself"},
        {BIN__DATA, "", "no data directory given (--data DIR or TOYDB_DATA)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bin__config config = {0};
        struct server_config server;
        struct error error;
        bin__config_set(&config, BIN__DATA, BIN__FROM_FLAG, "d");
        bin__config_set(&config, cases[i].setting, BIN__FROM_FLAG, cases[i].value);
        assert_int_equal(bin__config_resolve(&config, &server, &error), ERR_INVALID);
        assert_string_equal(error.message, cases[i].message);
        bin__config_free(&config);
    }
    static const struct {
        const char *text, *message;
    } files[] = {
        {"\nwhat", "toydb.conf, line 2: \"what\" is not of the form key = value"},
        {"port = 1\n", "toydb.conf, line 1: there is no setting \"port\""},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct bin__config config = {0};
        struct error error;
        assert_int_equal(from_text(&config, files[i].text, &error), ERR_INVALID);
        assert_string_equal(error.message, files[i].message);
        bin__config_free(&config);
    }
    struct bin__config config = {0};
    struct error error;
    assert_int_equal(bin__config_file(&config, "/no/such/file", &error), ERR_NOT_FOUND);
    bin__config_free(&config);
}

static void test_latency(void **state)
{
    (void)state;
    static struct bin__latency a, b;
    assert_int_equal(bin__latency_percentile(&a, 50), 0);
    for (uint64_t us = 1; us <= 100000; us++)
        bin__latency_add(us % 2 ? &a : &b, us);
    bin__latency_merge(&a, &b);
    assert_int_equal(a.count, 100000);
    assert_int_equal(a.max_us, 100000);
    static const double percents[] = {0.01, 1, 50, 90, 99, 99.9, 100};
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        double exact = 1000 * percents[i];
        double told = (double)bin__latency_percentile(&a, percents[i]);
        assert_true(told >= exact && told <= exact * (1 + 1.0 / 32));
    }
    bin__latency_add(&a, UINT64_MAX); /* is counted, as very long */
    assert_true(bin__latency_percentile(&a, 100) >= UINT64_C(1) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_joining),
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_engine),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_latency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
