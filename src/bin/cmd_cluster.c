/* toydb cluster: a local cluster of real processes. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/bin_int.h"

static const char command[] = "toydb cluster";

static const char help[] =
    "Usage: toydb cluster [OPTIONS]\n"
    "Starts a cluster of nodes on this machine, each a process of its own. Ctrl-C stops them; "
    "their\n"
    "data stays for the next time.\n"
    "\n"
    "      --nodes N         how many, 1 to 16 [5]\n"
    "      --dir DIR         node N keeps its data in DIR/nodeN and its log in DIR/nodeN.log\n"
    "                        [cluster]\n"
    "      --base-port PORT  node N listens on 127.0.0.1:PORT+N-1; auto: on ports that are free,\n"
    "                        from 9601 on [9601]\n"
    "      --engine ENGINE   how new directories store their data: btree or lsm [btree]\n"
    "      --quiet           say nothing while all is well\n"
    "      --help            show this\n";

enum { OPTION_NODES = 256, OPTION_DIR, OPTION_PORT, OPTION_QUIET, OPTION_ENGINE, OPTION_HELP };

static const struct option options[] = {{"nodes", required_argument, NULL, OPTION_NODES},
                                        {"dir", required_argument, NULL, OPTION_DIR},
                                        {"base-port", required_argument, NULL, OPTION_PORT},
                                        {"quiet", no_argument, NULL, OPTION_QUIET},
                                        {"engine", required_argument, NULL, OPTION_ENGINE},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

static int take_number(const char *name, uint64_t high, uint64_t *out)
{
    if (bin__number_parse(optarg, 1, high, out))
        return -1;
    return bin__usage_error(command, "%s takes a number from 1 to %llu, not \"%s\"", name,
                            (unsigned long long)high, optarg);
}

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct cluster_config *config)
{
    int option;
    int code = -1;
    uint64_t nodes = 5;
    uint64_t port = SERVER_PORT_DEFAULT;
    opterr = 0;
    snprintf(config->dir, sizeof config->dir, "cluster");
    while (code < 0 && (option = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (option) {
        case OPTION_NODES:
            code = take_number("--nodes", SERVER_NODES_MAX, &nodes);
            break;
        case OPTION_DIR:
            if (snprintf(config->dir, sizeof config->dir, "%s", optarg) >= (int)sizeof config->dir)
                return bin__usage_error(command, "--dir is too long");
            break;
        case OPTION_PORT:
            port = 0;
            if (strcmp(optarg, "auto") != 0)
                code = take_number("--base-port", UINT16_MAX, &port);
            break;
        case OPTION_QUIET:
            config->quiet = true;
            break;
        case OPTION_ENGINE:
            config->engine = kv_engine_from_name(optarg);
            if (config->engine == KV_ENGINE_ANY)
                return bin__usage_error(command, "--engine takes btree or lsm, not \"%s\"", optarg);
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        default:
            return bin__option_error(command, option, argv);
        }
    }
    if (code < 0)
        code = bin__no_more_arguments(command, argc, argv);
    if (code < 0 && port + nodes - 1 > UINT16_MAX)
        return bin__usage_error(command, "there is no port %llu",
                                (unsigned long long)(port + nodes - 1));
    config->nodes = (uint32_t)nodes;
    config->base_port = (uint16_t)port;
    return code;
}

int bin__cluster(int argc, char **argv)
{
    struct cluster_config config = {0};
    struct error error;
    int code = arguments_parse(argc, argv, &config);
    if (code >= 0)
        return code;
    char program[4096];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size < 0) {
        fprintf(stderr, "%s: could not find this program itself under /proc\n", command);
        return BIN__EXIT_FAILED;
    }
    ASSERT((size_t)size < sizeof program);
    program[size] = '\0';
    config.program = program;
    if (cluster_run(&config, &error) == OK)
        return BIN__EXIT_OK;
    bin__error_print(command, &error);
    return BIN__EXIT_FAILED;
}
