/* toydb recover: a cluster that has lost its majority for good goes on with one node. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/bin_int.h"

static const char command[] = "toydb recover";

static const char help[] =
    "Usage: toydb recover --data DIR --id N --listen HOST:PORT\n"
    "The last resort when more than half of the voters are lost for good: makes the data "
    "directory\n"
    "of a survivor a cluster of its own, with this one node and a name of its own. Offline: no "
    "node\n"
    "of the old cluster may run any more, or there will be two databases.\n"
    "\n"
    "What the lost nodes had acknowledged without this one is gone, so take the survivor that has\n"
    "committed most, and among equals the one with the highest last entry: \"toydb status\" shows\n"
    "both. Copy the directory before. How it goes on is told in docs/operations.md.\n"
    "\n"
    "      --data DIR          of the survivor, which is stopped\n"
    "      --id N              its number\n"
    "      --listen HOST:PORT  where it will be reached\n"
    "      --help              show this\n";

enum { OPTION_DATA = 256, OPTION_ID, OPTION_LISTEN, OPTION_HELP };

static const struct option options[] = {{"data", required_argument, NULL, OPTION_DATA},
                                        {"id", required_argument, NULL, OPTION_ID},
                                        {"listen", required_argument, NULL, OPTION_LISTEN},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

struct arguments {
    const char *data;
    const char *listen;
    uint64_t id;
};

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct arguments *out)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (option) {
        case OPTION_DATA:
            out->data = optarg;
            break;
        case OPTION_ID:
            if (!bin__number_parse(optarg, 1, UINT32_MAX, &out->id))
                return bin__usage_error(command,
                                        "--id must be a number from 1 to %" PRIu32 ", not \"%s\"",
                                        UINT32_MAX, optarg);
            break;
        case OPTION_LISTEN:
            out->listen = optarg;
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        default:
            return bin__option_error(command, option, argv);
        }
    }
    int code = bin__no_more_arguments(command, argc, argv);
    if (code >= 0)
        return code;
    if (!out->data || !out->listen || !out->id)
        return bin__usage_error(command, "--data, --id and --listen must all be given");
    return -1;
}

int bin__recover(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct error error;
    int code = arguments_parse(argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (server_recover(arguments.data, arguments.id, arguments.listen, &error) == OK) {
        printf("node %" PRIu64 " is a cluster of its own now. Start it with\n"
               "  toydb start --id %" PRIu64 " --data %s --listen %s\n"
               "and let new nodes, with empty directories and new numbers, join it.\n",
               arguments.id, arguments.id, arguments.data, arguments.listen);
        return BIN__EXIT_OK;
    }
    bin__error_print(command, &error);
    return BIN__EXIT_FAILED;
}
