/* toydb workload: load on a cluster, verified. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/workload_int.h"

static const char command[] = "toydb workload";

static const char help[] =
    "Usage: toydb workload write|read|bank [OPTIONS]\n"
    "Puts load on a cluster, says how fast it was, and verifies what it answered.\n"
    "\n"
    "  write   inserts of single rows; all acknowledged ones must be there exactly once\n"
    "  read    reads by primary key; each must bring the row asked for\n"
    "  bank    transfers between accounts in transactions; the total must stay the same\n"
    "\n"
    "  -H, --host HOST:PORT,...  nodes, dealt out to the clients in turn; verification reads\n"
    "                            from each of them [TOYDB_HOST or localhost:9601]\n"
    "  -c, --clients N           how many at a time [16]\n"
    "  -n, --operations N        how many in all [20000, or no limit with --seconds]\n"
    "      --seconds N           for how long [no limit]\n"
    "      --rows N              read: rows in the table [10000]; bank: customers [100]\n"
    "      --help                show this\n"
    "\n"
    "The tables workload_write, workload_read, or customers and accounts, are dropped and made\n"
    "anew. Ctrl-C ends the load and verifies. Exit code 1: something was not as it must be.\n";

enum { OPTION_SECONDS = 256, OPTION_ROWS, OPTION_HELP };

static const struct option options[] = {{"host", required_argument, NULL, 'H'},
                                        {"clients", required_argument, NULL, 'c'},
                                        {"operations", required_argument, NULL, 'n'},
                                        {"seconds", required_argument, NULL, OPTION_SECONDS},
                                        {"rows", required_argument, NULL, OPTION_ROWS},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

static const struct bin__workload_kind *const kinds[] = {&bin__workload_write, &bin__workload_read,
                                                         &bin__workload_bank};

struct arguments {
    const char *host;
    const char *kind;
    uint64_t clients;
    uint64_t operations; /* 0: not given */
    uint64_t seconds;
    uint64_t rows;
};

static int take_number(const char *name, uint64_t low, uint64_t high, uint64_t *out)
{
    if (bin__number_parse(optarg, low, high, out))
        return -1;
    return bin__usage_error(command, "%s takes a number from %llu to %llu, not \"%s\"", name,
                            (unsigned long long)low, (unsigned long long)high, optarg);
}

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct arguments *out)
{
    int option;
    int code = -1;
    opterr = 0;
    while (code < 0 && (option = getopt_long(argc, argv, "-:H:c:n:", options, NULL)) != -1) {
        switch (option) {
        case 1: /* not an option */
            if (out->kind)
                return bin__usage_error(command, "unexpected argument \"%s\"", optarg);
            out->kind = optarg;
            break;
        case 'H':
            out->host = optarg;
            break;
        case 'c':
            code = take_number("-c", 1, BIN__CLIENTS_MAX, &out->clients);
            break;
        case 'n':
            code = take_number("-n", 1, UINT32_MAX, &out->operations);
            break;
        case OPTION_SECONDS:
            code = take_number("--seconds", 1, 1000000, &out->seconds);
            break;
        case OPTION_ROWS:
            code = take_number("--rows", 2, 100000000, &out->rows);
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        default:
            return bin__option_error(command, option, argv);
        }
    }
    return code;
}

/* Cuts "a,b" into the workload's addresses. False: too many. What each means the client judges. */
static bool addresses_take(struct bin__workload *workload, const char *text)
{
    for (;;) {
        size_t size = strcspn(text, ",");
        if (workload->address_count == BIN__ADDRESSES_MAX)
            return false;
        workload->addresses[workload->address_count++] = mem_strndup(text, size);
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

static int run(const struct arguments *arguments, const struct bin__workload_kind *kind)
{
    struct bin__workload workload = {.kind = kind,
                                     .client_count = (uint32_t)arguments->clients,
                                     .operations = arguments->operations,
                                     .seconds = arguments->seconds,
                                     .rows = arguments->rows};
    if (!workload.operations)
        workload.operations = workload.seconds ? UINT64_MAX : 20000;
    if (!workload.rows)
        workload.rows = kind == &bin__workload_bank ? 100 : 10000;
    int code = addresses_take(&workload, arguments->host)
                   ? bin__workload_run(&workload)
                   : bin__usage_error(command, "more than %d addresses", BIN__ADDRESSES_MAX);
    for (uint32_t i = 0; i < workload.address_count; i++)
        mem_free(workload.addresses[i]);
    return code;
}

int bin__workload(int argc, char **argv)
{
    struct arguments arguments = {.host = bin__host_default(), .clients = 16};
    int code = arguments_parse(argc, argv, &arguments);
    if (code >= 0)
        return code;
    if (!arguments.kind)
        return bin__usage_error(command, "say which: write, read or bank");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(arguments.kind, kinds[i]->name) == 0)
            return run(&arguments, kinds[i]);
    return bin__usage_error(command, "unknown workload \"%s\"", arguments.kind);
}
