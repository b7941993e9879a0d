/* toydb: the server and what goes with it. */
#include <stdio.h>
#include <string.h>

#include "bin/bin_int.h"
#include "bin/text_int.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"start", bin__start, "run one node"},
    {"cluster", bin__cluster, "run a local cluster of five nodes"},
    {"status", bin__status, "show nodes, leader, and how far each has come"},
    {"node", bin__node, "list, add, remove or promote nodes of a cluster"},
    {"transfer-leader", bin__transfer_leader, "have another node lead"},
    {"check", bin__check, "prove a data directory, or compare what the nodes of a cluster hold"},
    {"page", bin__page, "show one page of a node's tree"},
    {"dump-log", bin__dump_log, "show the records of a node's log"},
    {"recover", bin__recover, "go on with one node when the majority is lost for good"},
    {"workload", bin__workload, "put load on a cluster and verify what it answers"},
};

static void print_help(FILE *stream)
{
    fputs("Usage: toydb COMMAND [OPTIONS]\n"
          "A distributed SQL database.\n\n",
          stream);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stream, "  %-16s %s\n", commands[i].name, commands[i].summary);
    fputs("  version          show the version\n"
          "  help             show this\n"
          "\n"
          "\"toydb COMMAND --help\" tells more about each. The shell is another program: toysql.\n",
          stream);
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

int main(int argc, char **argv)
{
    bin__text_init();
    if (argc < 2) {
        print_help(stderr);
        return BIN__EXIT_USAGE;
    }
    const char *name = argv[1];
    if (is_one_of(name, "help", "--help", "-h") && argc < 3) {
        print_help(stdout);
        return BIN__EXIT_OK;
    }
    if (is_one_of(name, "version", "--version", "-V")) {
        printf("toydb %s\n", TOYDB_VERSION);
        return BIN__EXIT_OK;
    }
    /* "help start" is "start --help". */
    char help_flag[] = "--help";
    char *swapped[] = {argv[0], help_flag, NULL};
    bool help = strcmp(name, "help") == 0;
    if (help)
        name = argv[2];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i].name) == 0)
            return help ? commands[i].run(2, swapped) : commands[i].run(argc - 1, argv + 1);
    return bin__usage_error("toydb", "unknown command \"%s\"", name);
}
