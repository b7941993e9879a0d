/* toydb status: what a cluster is doing. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/bin_int.h"

static const char command[] = "toydb status";

static const char help[] =
    "Usage: toydb status [OPTIONS]\n"
    "Asks a node for its view of the cluster, and the leader how far the others have come.\n"
    "\n"
    "  -H, --host HOST:PORT,...  nodes to try; the first that answers is asked\n"
    "                            [TOYDB_HOST or localhost:9601]\n"
    "      --format FORMAT       table or json [table]\n"
    "      --help                show this\n"
    "\n"
    "Exit code 2: no node answers.\n";

enum { OPTION_FORMAT = 256, OPTION_HELP };

static const struct option options[] = {{"host", required_argument, NULL, 'H'},
                                        {"format", required_argument, NULL, OPTION_FORMAT},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

struct arguments {
    const char *host;
    bool json;
};

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct arguments *out)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:H:", options, NULL)) != -1) {
        switch (option) {
        case 'H':
            out->host = optarg;
            break;
        case OPTION_FORMAT:
            out->json = strcmp(optarg, "json") == 0;
            if (!out->json && strcmp(optarg, "table") != 0)
                return bin__usage_error(command, "unknown format \"%s\"", optarg);
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        default:
            return bin__option_error(command, option, argv);
        }
    }
    return bin__no_more_arguments(command, argc, argv);
}

static bool print(const struct toydb_status *status, bool json)
{
    struct bin__output output;
    struct toydb_status *leader = bin__status_leader(status);
    bin__output_init(&output, bin__write_stdout, NULL);
    output.pretty = isatty(STDOUT_FILENO);
    output.colour = bin__colour(STDOUT_FILENO);
    if (json)
        bin__status_json(&output.buffer, status, leader);
    else
        bin__status_table(&output, status, leader);
    bool written = bin__output_flush(&output);
    bin__output_free(&output);
    toydb_status_free(leader);
    return written;
}

int bin__status(int argc, char **argv)
{
    struct arguments arguments = {.host = bin__host_default()};
    struct toydb_error error;
    struct toydb_status *status = NULL;
    int code = arguments_parse(argc, argv, &arguments);
    if (code >= 0)
        return code;
    struct toydb_session *session = toydb_session_open(arguments.host, NULL, &error);
    if (!session)
        return bin__connect_failed(command, arguments.host, &error);
    if (toydb_status(session, &status, &error) != TOYDB_OK) {
        fprintf(stderr, "%s: %s\n", command, error.message);
        code = BIN__EXIT_UNREACHABLE;
    } else {
        code = print(status, arguments.json) ? BIN__EXIT_OK : BIN__EXIT_FAILED;
    }
    toydb_status_free(status);
    toydb_session_close(session);
    return code;
}
