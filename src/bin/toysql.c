/* toysql: the SQL shell. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/shell_int.h"
#include "bin/text_int.h"

static const char help[] =
    "Usage: toysql [OPTIONS]\n"
    "Runs SQL on a toyDB cluster. Without -c and -f it is interactive on a terminal and\n"
    "otherwise reads standard input.\n"
    "\n"
    "  -H, --host HOST:PORT,...  nodes to try, in this order [TOYDB_HOST or localhost:9601]\n"
    "      --embedded DIR        open the database in DIR in this process, without a server\n"
    "      --engine ENGINE       with --embedded: how a new DIR stores its data, btree or lsm "
    "[btree]\n"
    "  -c, --command SQL         run these statements and end; may be given several times\n"
    "  -f, --file FILE           run the statements in FILE (-: standard input) and end\n"
    "      --format FORMAT       table, csv, tsv, json or line [table]\n"
    "      --help                show this\n"
    "      --version             show the version\n"
    "\n"
    "A script stops at its first error. Exit codes: 0 ok, 1 SQL error, 2 cannot connect,\n"
    "64 wrong arguments. History: ~/.toysql_history, or the file TOYSQL_HISTORY names.\n";

enum { OPTION_EMBEDDED = 256, OPTION_ENGINE, OPTION_FORMAT, OPTION_HELP, OPTION_VERSION };

static const struct option options[] = {{"host", required_argument, NULL, 'H'},
                                        {"embedded", required_argument, NULL, OPTION_EMBEDDED},
                                        {"engine", required_argument, NULL, OPTION_ENGINE},
                                        {"command", required_argument, NULL, 'c'},
                                        {"file", required_argument, NULL, 'f'},
                                        {"format", required_argument, NULL, OPTION_FORMAT},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {"version", no_argument, NULL, OPTION_VERSION},
                                        {NULL, 0, NULL, 0}};

struct task {
    bool is_file;
    const char *text;
};

struct arguments {
    const char *host;
    const char *embedded;
    enum kv_engine engine;
    enum bin__format format;
    struct task *tasks; /* -c and -f in the order given */
    uint32_t task_count;
    uint32_t task_capacity;
};

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct arguments *out)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":H:c:f:h", options, NULL)) != -1) {
        int format;
        switch (option) {
        case 'H':
            out->host = optarg;
            break;
        case OPTION_EMBEDDED:
            out->embedded = optarg;
            break;
        case OPTION_ENGINE:
            out->engine = kv_engine_from_name(optarg);
            if (out->engine == KV_ENGINE_ANY)
                return bin__usage_error("toysql", "--engine takes btree or lsm, not \"%s\"",
                                        optarg);
            break;
        case 'c':
        case 'f':
            out->tasks =
                vec_grow(out->tasks, &out->task_capacity, out->task_count + 1, sizeof *out->tasks);
            out->tasks[out->task_count++] = (struct task){option == 'f', optarg};
            break;
        case OPTION_FORMAT:
            format = bin__format_parse(optarg);
            if (format < 0)
                return bin__usage_error("toysql", "unknown format \"%s\"", optarg);
            out->format = (enum bin__format)format;
            break;
        case 'h':
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        case OPTION_VERSION:
            printf("toysql %s\n", TOYDB_VERSION);
            return BIN__EXIT_OK;
        case ':':
            return bin__usage_error("toysql", "%s needs a value", argv[optind - 1]);
        default:
            return bin__usage_error("toysql", "unknown option %s", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return bin__usage_error("toysql", "unexpected argument \"%s\"", argv[optind]);
    if (out->host && out->embedded)
        return bin__usage_error("toysql", "-H and --embedded exclude each other");
    if (out->engine != KV_ENGINE_ANY && !out->embedded)
        return bin__usage_error("toysql", "--engine goes with --embedded");
    return -1;
}

static int run_tasks(struct bin__shell *shell, const struct arguments *arguments)
{
    int code = BIN__EXIT_OK;
    for (uint32_t i = 0; i < arguments->task_count && code == BIN__EXIT_OK && !shell->quit; i++) {
        const struct task *task = &arguments->tasks[i];
        code =
            task->is_file ? bin__shell_file(shell, task->text) : bin__shell_text(shell, task->text);
    }
    return code;
}

static int run(const struct arguments *arguments)
{
    struct bin__shell shell = {0};
    bool terminal = isatty(STDOUT_FILENO);
    bin__output_init(&shell.output, bin__write_stdout, NULL);
    shell.output.format = arguments->format;
    shell.output.pretty = terminal;
    shell.output.colour = bin__colour(STDOUT_FILENO);
    shell.colour_errors = bin__colour(STDERR_FILENO);
    shell.interactive = !arguments->task_count && isatty(STDIN_FILENO) && terminal;
    shell.timing = shell.interactive;
    if (shell.interactive) {
        shell.output.expanded = BIN__EXPANDED_AUTO;
        shell.output.write = bin__pager_write;
        shell.output.context = &shell.pager;
        bin__pager_open(&shell.pager);
    }
    const char *host = arguments->host ? arguments->host : bin__host_default();
    int code = bin__shell_open(&shell, host, arguments->embedded, arguments->engine);
    if (code != BIN__EXIT_OK)
        return code;
    if (shell.interactive)
        code = bin__shell_interact(&shell);
    else if (arguments->task_count)
        code = run_tasks(&shell, arguments);
    else
        code = bin__shell_stream(&shell, stdin);
    bin__output_free(&shell.output);
    bin__shell_close(&shell);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    bin__text_init();
    int code = arguments_parse(argc, argv, &arguments);
    if (code < 0)
        code = run(&arguments);
    mem_free(arguments.tasks);
    return code;
}
