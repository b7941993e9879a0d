/* toydb check: whether what is stored is what it should be. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/bin_int.h"

static const char help[] =
    "Usage: toydb check --data DIR\n"
    "       toydb check --cluster [OPTIONS]\n"
    "\n"
    "With --data: proves the data directory of a node that is stopped, or a copy of one, without\n"
    "changing it. Every page is read and must be good, in its place, and used once or free; every\n"
    "version must be one that was applied; the schema must load; each row must be one of its\n"
    "table, have its entry in each index, and its parent by each foreign key, and no index may\n"
    "hold anything else; the log must hold together and reach from the last checkpoint on. What\n"
    "is wrong is printed, a line each, then a summary.\n"
    "\n"
    "With --cluster: compares what the nodes of a cluster hold, all of it, at one point of the\n"
    "log. It runs beside the cluster's work. A node that differs from the majority of the voters\n"
    "is named, stops, and does not start again (quarantine) until somebody has looked at it.\n"
    "\n"
    "  -H, --host HOST:PORT,...  nodes to try; the first that answers is asked\n"
    "                            [TOYDB_HOST or localhost:9601]\n"
    "      --timeout SECONDS     how long to wait for the nodes [60]\n"
    "      --help                show this\n"
    "\n"
    "Exit code 0: all is well; all voters agree. 1: damage was found; or the voters do not agree,\n"
    "some have not answered, or it could not be found out. 2: no node's data is there, a node "
    "runs\n"
    "on it, or it could not be read; no node answers.\n";

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

static bool is_silent(const struct toydb_checked_node *node)
{
    return !node->answered;
}

static bool is_odd(const struct toydb_checked_node *node)
{
    return node->differs;
}

/* "node 3" or "nodes 3, 5"; how many there are. */
static uint32_t name_nodes(const struct toydb_check *check,
                           bool (*is)(const struct toydb_checked_node *), struct buffer *out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < check->count; i++)
        count += is(&check->nodes[i]);
    const char *before = count > 1 ? "nodes " : "node ";
    for (uint32_t i = 0; i < check->count; i++)
        if (is(&check->nodes[i])) {
            buffer_printf(out, "%s%" PRIu32, before, check->nodes[i].id);
            before = ", ";
        }
    buffer_append_byte(out, '\0');
    return count;
}

/* Prints the summary; are all voters equal? */
static bool judge(const struct toydb_check *check)
{
    struct buffer odd_names = {0}, silent_names = {0};
    uint32_t odd = name_nodes(check, is_odd, &odd_names);
    uint32_t silent = name_nodes(check, is_silent, &silent_names);
    uint32_t answered = check->count - silent;
    if (!check->majority)
        printf("no majority of the voters agrees at log index %" PRIu64 ": nothing can be said\n",
               check->index);
    else if (odd)
        printf("%s differ%s from the others at log index %" PRIu64 "\n",
               (const char *)odd_names.data, odd == 1 ? "s" : "", check->index);
    else if (silent)
        printf("the %" PRIu32 " nodes that answered hold the same at log index %" PRIu64 "\n",
               answered, check->index);
    else
        printf("all %" PRIu32 " nodes hold the same at log index %" PRIu64 "\n", check->count,
               check->index);
    if (silent)
        printf("%s did not answer in time: not running, not to be reached, or far behind; "
               "\"toydb status\" tells which\n",
               (const char *)silent_names.data);
    buffer_free(&odd_names);
    buffer_free(&silent_names);
    return check->majority && odd == 0 && silent == 0;
}

/* ---- a directory ------------------------------------------------------------------------------
 */

/* A lost index would be a line for each row. */
enum { PROBLEMS_PRINTED_MAX = 1000 };

static void print_problem(void *context, const char *problem)
{
    uint64_t *printed = context;
    if ((*printed)++ < PROBLEMS_PRINTED_MAX)
        printf("%s\n", problem);
}

static void print_proof(const struct server_proof *proof)
{
    printf("node %" PRIu64 ": %" PRIu64 " pages (%" PRIu64 " free), %" PRIu64 " keys in %" PRIu64
           " versions, %" PRIu32 " tables with %" PRIu64 " rows, %" PRIu64
           " index entries, %" PRIu64 " references; checkpoint at log entry %" PRIu64
           ", log of entries %" PRIu64 " to %" PRIu64 "\n",
           proof->id, proof->pages, proof->pages_free, proof->keys, proof->versions, proof->tables,
           proof->rows, proof->entries, proof->references, proof->index, proof->log_first,
           proof->log_last);
    if (proof->quarantine)
        printf("it is in quarantine: a consistency check found other data in it than in most of "
               "the cluster\n");
}

static int directory_check(const struct bin__admin *admin)
{
    uint64_t printed = 0;
    struct problems problems = {.report = print_problem, .context = &printed};
    struct server_proof proof;
    struct error error;
    log_configure(LOG_OFF, NULL, NULL); /* all there is to say is a problem, or an error */
    status_t status = server_prove(admin->data, &problems, &proof, &error);
    if (printed > PROBLEMS_PRINTED_MAX)
        printf("... and %" PRIu64 " more\n", printed - PROBLEMS_PRINTED_MAX);
    if (status == OK)
        print_proof(&proof);
    if (problems.count)
        printf("%s: %" PRIu64 " problem%s\n", admin->data, problems.count,
               problems.count == 1 ? "" : "s");
    else if (status == OK)
        printf("%s: no problems\n", admin->data);
    if (status != OK)
        return bin__files_failed(admin->command, admin->data, &error);
    return problems.count ? BIN__EXIT_FAILED : BIN__EXIT_OK;
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
    if (admin.cluster == (admin.data != NULL))
        return bin__usage_error(admin.command, "say what to check: --data DIR or --cluster");
    if (admin.data)
        return directory_check(&admin);
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
