/* toydb start: one node. */
#include <getopt.h>
#include <stdio.h>

#include "base/check.h"
#include "bin/bin_int.h"

static const char command[] = "toydb start";

static const char help[] =
    "Usage: toydb start --data DIR [OPTIONS]\n"
    "Runs one node until it is sent SIGTERM or SIGINT. Then another node leads, if this one did,\n"
    "statements and open transactions may end, and clients are told to go on elsewhere; a second\n"
    "signal cuts that short.\n"
    "\n"
    "      --data DIR               where it keeps its data; made when missing\n"
    "      --id N                   its number in the cluster, from 1 [1]\n"
    "      --listen HOST:PORT       where clients and other nodes reach it\n"
    "                               [its address in the cluster, else 127.0.0.1:9601]\n"
    "      --advertise HOST:PORT    where the others are told to reach it, if elsewhere "
    "[--listen]\n"
    "      --drain SECONDS          how long statements and transactions may take to end when it\n"
    "                               is stopped [10]\n"
    "      --quorum-timeout SECONDS how long a statement waits for a leader; for the outcome of\n"
    "                               a commit that one has taken, twice as long [5]\n"
    "      --read-lease MS          how long a leader answers reads before it asks a majority\n"
    "                               again whether it still leads; the same on all nodes [0]\n"
    "      --log-keep MIB           how much of the log is kept for nodes that were away [64]\n"
    "      --log-keep-max MIB       the same, while one that was heard of lately needs it [512]\n"
    "      --snapshot-rate MIB      a second, to nodes that need what the log has no more [32]\n"
    "      --engine ENGINE          how a new directory stores its data: btree or lsm; one that "
    "has\n"
    "                               data goes on with its own, and refuses another [btree]\n"
    "      --log-level LEVEL        debug, info, warn, error or off [info]\n"
    "      --config FILE            a file of lines like: data = /var/lib/toydb\n"
    "      --help                   show this\n"
    "\n"
    "For its first start, with an empty directory, one of\n"
    "      --peers 1=HOST:PORT,...  all nodes of a new cluster, this one too [a cluster of one]\n"
    "      --join HOST:PORT,...     nodes of the cluster that it is to join; it gets their data,\n"
    "                               then a vote\n"
    "      --learner                with --join: it stays without a vote until it is promoted\n"
    "Later starts know it from the directory.\n"
    "\n"
    "A flag outdoes an environment variable (TOYDB_DATA, TOYDB_LOG_LEVEL and so on), which "
    "outdoes\n"
    "the file.\n";

enum { OPTION_CONFIG = 256, OPTION_PG, OPTION_HTTP, OPTION_HELP };

static const struct option options[] = {
    {"id", required_argument, NULL, BIN__ID},
    {"data", required_argument, NULL, BIN__DATA},
    {"listen", required_argument, NULL, BIN__LISTEN},
    {"advertise", required_argument, NULL, BIN__ADVERTISE},
    {"peers", required_argument, NULL, BIN__PEERS},
    {"join", required_argument, NULL, BIN__JOIN},
    {"learner", no_argument, NULL, BIN__LEARNER},
    {"drain", required_argument, NULL, BIN__DRAIN},
    {"quorum-timeout", required_argument, NULL, BIN__QUORUM_TIMEOUT},
    {"read-lease", required_argument, NULL, BIN__READ_LEASE},
    {"log-keep", required_argument, NULL, BIN__LOG_KEEP},
    {"log-keep-max", required_argument, NULL, BIN__LOG_KEEP_MAX},
    {"snapshot-rate", required_argument, NULL, BIN__SNAPSHOT_RATE},
    {"log-level", required_argument, NULL, BIN__LOG_LEVEL},
    {"engine", required_argument, NULL, BIN__ENGINE},
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"pg", required_argument, NULL, OPTION_PG},
    {"http", required_argument, NULL, OPTION_HTTP},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct bin__config *config, const char **file)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (option) {
        case OPTION_CONFIG:
            *file = optarg;
            break;
        case OPTION_PG:
            return bin__usage_error(command, "this version does not speak the PostgreSQL protocol");
        case OPTION_HTTP:
            return bin__usage_error(command, "this version has no HTTP listener");
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        case ':':
        case '?':
            return bin__option_error(command, option, argv);
        default:
            bin__config_set(config, (enum bin__setting)option, BIN__FROM_FLAG,
                            optarg ? optarg : "on");
            break;
        }
    }
    return bin__no_more_arguments(command, argc, argv);
}

static int run(struct bin__config *config, const char *file)
{
    struct server_config server;
    struct error error;
    bin__config_environment(config);
    if (file && bin__config_file(config, file, &error) != OK)
        return bin__usage_error(command, "%s", error.message);
    if (bin__config_resolve(config, &server, &error) != OK)
        return bin__usage_error(command, "%s", error.message);
    if (server_run(&server, &error) == OK)
        return BIN__EXIT_OK;
    bin__error_print(command, &error);
    return BIN__EXIT_FAILED;
}

int bin__start(int argc, char **argv)
{
    struct bin__config config = {0};
    const char *file = NULL;
    int code = arguments_parse(argc, argv, &config, &file);
    if (code < 0)
        code = run(&config, file);
    bin__config_free(&config);
    return code;
}
