/* toydb dump-log: the records of a node's log. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/bin_int.h"
#include "replica/replica.h"
#include "wal/wal.h"

static const char command[] = "toydb dump-log";

static const char help[] =
    "Usage: toydb dump-log --data DIR [OPTIONS]\n"
    "Prints what is in the log of a node, DIR/log, file by file as it lies there: records that\n"
    "later ones replace, too. Each line begins with the offset in the file. Damage is told where "
    "it\n"
    "is met, and the next file is gone on with.\n"
    "\n"
    "  entry INDEX term TERM   a log entry, and what it does\n"
    "  state                   term, vote and commit index of the node from there on\n"
    "  begins                  entries before that index were dropped\n"
    "  anew                    all entries were: the tree came as a snapshot\n"
    "\n"
    "Nothing is locked or changed. Beside a running node the newest file may seem torn.\n"
    "\n"
    "      --data DIR   where a node keeps its data\n"
    "      --from I     only entries from this index on\n"
    "      --to I       only entries up to this index\n"
    "      --help       show this\n"
    "\n"
    "Exit code 0: all of it could be read. 1: something is damaged. 2: there is no log.\n";

enum { OPTION_DATA = 256, OPTION_FROM, OPTION_TO, OPTION_HELP };

static const struct option options[] = {{"data", required_argument, NULL, OPTION_DATA},
                                        {"from", required_argument, NULL, OPTION_FROM},
                                        {"to", required_argument, NULL, OPTION_TO},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

struct dump {
    const char *data;
    uint64_t from, to; /* to 0: not given */
    uint64_t damaged;
    uint64_t records; /* printed */
};

static int take_index(const char *name, uint64_t *out)
{
    return bin__number_parse(optarg, 1, UINT64_MAX, out)
               ? -1
               : bin__usage_error(command, "%s takes the index of an entry, not \"%s\"", name,
                                  optarg);
}

/* -1: go on; else what to end with. */
static int arguments_parse(int argc, char **argv, struct dump *out)
{
    int option;
    int code = -1;
    opterr = 0;
    while (code < 0 && (option = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        switch (option) {
        case OPTION_DATA:
            out->data = optarg;
            break;
        case OPTION_FROM:
            code = take_index("--from", &out->from);
            break;
        case OPTION_TO:
            code = take_index("--to", &out->to);
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
    if (code < 0 && !out->data)
        return bin__usage_error(command, "say which --data");
    return code;
}

static bool on_file(void *context, const struct wal_dump_file *file)
{
    MAYBE(context);
    printf("wal-%016" PRIx64 ".log: %" PRIu64 " bytes, format %" PRIu32 ", of node %" PRIu64
           "; begun with term %" PRIu64 ", vote %" PRIu64 ", commit %" PRIu64,
           file->sequence, file->size, file->version, file->node_id, file->hard_state.term,
           file->hard_state.vote, file->hard_state.commit);
    if (file->first_index < file->next_index)
        printf("; entries %" PRIu64 " to %" PRIu64 " come before it", file->first_index,
               file->next_index - 1);
    putchar('\n');
    return true;
}

static void print_entry(struct dump *dump, const struct wal_dump_record *record)
{
    struct raft_entry entry = {.index = record->index,
                               .term = record->term,
                               .type = (uint8_t)record->entry_type,
                               .data = record->data};
    struct buffer text = {0};
    if (replica_entry_print(&entry, &text) != OK)
        dump->damaged++;
    printf("%10" PRIu64 "  entry %" PRIu64 " term %" PRIu64 ", %zu bytes: %.*s\n", record->offset,
           record->index, record->term, record->data.size, (int)text.size, (const char *)text.data);
    buffer_free(&text);
}

static bool on_record(void *context, const struct wal_dump_record *record)
{
    struct dump *dump = context;
    bool ranged = dump->from || dump->to;
    bool within = record->index >= dump->from && (!dump->to || record->index <= dump->to);
    if (ranged && (record->type != WAL_RECORD_ENTRY || !within))
        return true;
    dump->records++;
    switch (record->type) {
    case WAL_RECORD_ENTRY:
        print_entry(dump, record);
        break;
    case WAL_RECORD_HARD_STATE:
        printf("%10" PRIu64 "  state: term %" PRIu64 ", vote %" PRIu64 ", commit %" PRIu64 "\n",
               record->offset, record->hard_state.term, record->hard_state.vote,
               record->hard_state.commit);
        break;
    case WAL_RECORD_COMPACT:
    case WAL_RECORD_RESET:
        printf("%10" PRIu64 "  %s: the next entry is %" PRIu64
               ", the one before it of term %" PRIu64 "\n",
               record->offset, record->type == WAL_RECORD_COMPACT ? "begins" : "anew",
               record->index, record->term);
        break;
    }
    return !ferror(stdout);
}

static bool on_end(void *context, uint64_t offset, enum wal_dump_end end)
{
    struct dump *dump = context;
    static const char *const texts[] = {
        [WAL_DUMP_CLEAN] = "end of the records",
        [WAL_DUMP_TORN] = "end of the records; remains of a write that was not finished follow",
        [WAL_DUMP_CORRUPT] = "DAMAGED: records that were durable follow, and cannot be read",
        [WAL_DUMP_BAD_HEADER] = "DAMAGED: the header of the file",
    };
    dump->damaged += end == WAL_DUMP_CORRUPT || end == WAL_DUMP_BAD_HEADER;
    printf("%10" PRIu64 "  %s\n", offset, texts[end]);
    return true;
}

int bin__dump_log(int argc, char **argv)
{
    struct dump dump = {0};
    struct error error;
    int code = arguments_parse(argc, argv, &dump);
    if (code >= 0)
        return code;
    struct wal_dump walk = {.context = &dump, .file = on_file, .record = on_record, .end = on_end};
    char *dir = bin__path(dump.data, "log");
    log_configure(LOG_OFF, NULL, NULL);
    status_t status = wal_dump(env_real(), dir, &walk, &error);
    mem_free(dir);
    if (status != OK)
        return bin__files_failed(command, dump.data, &error);
    printf("%" PRIu64 " records%s\n", dump.records, dump.damaged ? "; the log is DAMAGED" : "");
    return dump.damaged || ferror(stdout) ? BIN__EXIT_FAILED : BIN__EXIT_OK;
}
