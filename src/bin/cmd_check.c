/* toydb check: whether what is stored is what it should be. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/bin_int.h"

static const char help[] =
    "Usage: toydb check --cluster [OPTIONS]\n"
    "Compares what the nodes of a cluster hold, all of it, at one point of the log. It runs "
    "beside\n"
    "the cluster's work. A node that differs from the majority of the voters is named, stops, and\n"
    "does not start again (quarantine) until somebody has looked at it.\n"
    "\n"
    "  -H, --host HOST:PORT,...  nodes to try; the first that answers is asked\n"
    "                            [TOYDB_HOST or localhost:9601]\n"
    "      --timeout SECONDS     how long to wait for the nodes [60]\n"
    "      --help                show this\n"
    "\n"
    "Exit code 0: all voters agree. 1: they do not, some have not answered, or it could not be\n"
    "found out. 2: no node answers.\n";

static struct toydb_value text_value(const char *text)
{
    return (struct toydb_value){.type = TOYDB_TEXT, .text = {text, strlen(text)}};
}

static const char *verdict(const struct toydb_check *check, const struct toydb_checked_node *node)
{
    if (!node->answered)
        return "no answer";
    if (!check->majority)
        return "no majority to compare with";
    return node->differs ? "DIFFERS, in quarantine" : "agrees";
}

static void print(const struct toydb_check *check)
{
    static const struct toydb_column columns[] = {{.name = "node", .type = TOYDB_INTEGER},
                                                  {.name = "votes", .type = TOYDB_TEXT},
                                                  {.name = "hash", .type = TOYDB_TEXT},
                                                  {.name = "verdict", .type = TOYDB_TEXT}};
    struct bin__output output;
    bin__output_init(&output, bin__write_stdout, NULL);
    output.pretty = isatty(STDOUT_FILENO);
    output.colour = bin__colour(STDOUT_FILENO);
    bin__output_begin(&output, columns, 4);
    for (uint32_t i = 0; i < check->count; i++) {
        const struct toydb_checked_node *node = &check->nodes[i];
        struct toydb_value row[] = {{.type = TOYDB_INTEGER, .integer = node->id},
                                    text_value(node->voter ? "yes" : "no"),
                                    text_value(node->hash),
                                    text_value(verdict(check, node))};
        bin__output_row(&output, row);
    }
    bin__table_chunk(&output);
    buffer_append_byte(&output.buffer, '\n');
    bin__output_flush(&output);
    bin__output_free(&output);
}

/* Prints the summary; are all voters equal? */
static bool judge(const struct toydb_check *check)
{
    uint32_t differ = 0, silent = 0;
    for (uint32_t i = 0; i < check->count; i++) {
        differ += check->nodes[i].differs;
        silent += !check->nodes[i].answered;
    }
    if (!check->majority)
        printf("no majority of the voters agrees at log index %" PRIu64 ": nothing can be said\n",
               check->index);
    else if (differ)
        printf("%" PRIu32 " of %" PRIu32 " nodes differ%s at log index %" PRIu64 "\n", differ,
               check->count, differ == 1 ? "s" : "", check->index);
    else if (silent)
        printf("those that answered hold the same at log index %" PRIu64 "; %" PRIu32
               " did not answer\n",
               check->index, silent);
    else
        printf("all %" PRIu32 " nodes hold the same at log index %" PRIu64 "\n", check->count,
               check->index);
    return check->majority && differ == 0 && silent == 0;
}

int bin__check(int argc, char **argv)
{
    struct bin__admin admin = {.command = "toydb check"};
    struct toydb_error error;
    struct toydb_check *check = NULL;
    int code = bin__admin_parse(&admin, argc, argv, help, false, true);
    if (code >= 0)
        return code;
    if (admin.word_count)
        return bin__usage_error(admin.command, "unexpected argument \"%s\"", admin.words[0]);
    if (!admin.cluster)
        return bin__usage_error(admin.command, "say what to check: --cluster");
    code = bin__admin_open(&admin);
    if (code != BIN__EXIT_OK)
        return code;
    enum toydb_result result = toydb_check_cluster(admin.session, admin.timeout_ms, &check, &error);
    bool agree = false;
    if (result == TOYDB_OK) {
        print(check);
        agree = judge(check);
    }
    toydb_check_free(check);
    code = bin__admin_end(&admin, result, &error);
    return code == BIN__EXIT_OK && !agree ? BIN__EXIT_FAILED : code;
}
