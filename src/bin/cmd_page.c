/* toydb page: one page of a node's tree. */
#include <getopt.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/bin_int.h"
#include "kv/kv.h"

static const char command[] = "toydb page";

static const char help[] =
    "Usage: toydb page NUMBER --data DIR\n"
    "Shows one page of a node's tree, DIR/data.toydb: of which kind it is, whether checksum and\n"
    "layout are good, what is free in it, who uses it, and what it holds. Pages 0 and 1 are the\n"
    "two meta pages, which say where everything else is. Bytes that are no printable characters\n"
    "are shown as \\x and two digits.\n"
    "\n"
    "Nothing is locked or changed. Beside a running node, what was written since its last\n"
    "checkpoint is not all on record yet.\n"
    "\n"
    "      --data DIR  where a node keeps its data\n"
    "      --help      show this\n"
    "\n"
    "Exit code 0: the page is good, or free. 1: it is not, or the file has no valid meta page. 2: "
    "there is\n"
    "no such file or page.\n";

enum { OPTION_DATA = 256, OPTION_HELP };

static const struct option options[] = {{"data", required_argument, NULL, OPTION_DATA},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

struct arguments {
    const char *data;
    bool numbered;
    uint64_t number;
};

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct arguments *out)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "-:", options, NULL)) != -1) {
        switch (option) {
        case 1: /* not an option */
            if (out->numbered)
                return bin__usage_error(command, "unexpected argument \"%s\"", optarg);
            if (!bin__number_parse(optarg, 0, UINT32_MAX, &out->number))
                return bin__usage_error(command, "\"%s\" is not the number of a page", optarg);
            out->numbered = true;
            break;
        case OPTION_DATA:
            out->data = optarg;
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            return BIN__EXIT_OK;
        default:
            return bin__option_error(command, option, argv);
        }
    }
    if (!out->numbered || !out->data)
        return bin__usage_error(command, "say which page, and of which --data");
    return -1;
}

int bin__page(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct error error;
    struct buffer text = {0};
    bool good = false;
    int code = arguments_parse(argc, argv, &arguments);
    if (code >= 0)
        return code;
    char *path = bin__path(arguments.data, "data.toydb");
    log_configure(LOG_OFF, NULL, NULL);
    status_t status =
        kv_page_print(env_real(), path, (uint32_t)arguments.number, &good, &text, &error);
    if (status == OK)
        code =
            bin__write_stdout(NULL, text.data, text.size) && good ? BIN__EXIT_OK : BIN__EXIT_FAILED;
    else
        code = bin__files_failed(command, arguments.data, &error);
    buffer_free(&text);
    mem_free(path);
    return code;
}
