#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/bin_int.h"
#include "bin/text_int.h"

struct toydb_status *bin__status_leader(const struct toydb_status *status)
{
    struct toydb_options options = {.connect_timeout_ms = 500, .failover_timeout_ms = 500};
    struct toydb_status *out = NULL;
    for (uint32_t i = 0; i < status->node_count; i++) {
        const struct toydb_node *node = &status->nodes[i];
        if (node->id != status->leader || node->id == status->id)
            continue;
        struct toydb_session *session = toydb_session_open(node->address, &options, NULL);
        if (session && toydb_status(session, &out, NULL) != TOYDB_OK)
            out = NULL;
        toydb_session_close(session);
    }
    return out;
}

/* The view that knows how far each node has come: the leader's, whoever has it. NULL: nobody. */
static const struct toydb_status *knowing(const struct toydb_status *status,
                                          const struct toydb_status *leader_view)
{
    if (leader_view && leader_view->leader == leader_view->id)
        return leader_view;
    return status->leader == status->id && status->leader ? status : NULL;
}

static const struct toydb_node *node_find(const struct toydb_status *status, uint32_t id)
{
    for (uint32_t i = 0; status && i < status->node_count; i++)
        if (status->nodes[i].id == id)
            return &status->nodes[i];
    return NULL;
}

static struct toydb_value text_value(const char *text)
{
    return (struct toydb_value){.type = TOYDB_TEXT, .text = {text, strlen(text)}};
}

static void print_summary(struct bin__output *output, const struct toydb_status *status)
{
    struct buffer *out = &output->buffer;
    char up[32], data[32], log[32];
    const char *bold = output->colour ? "\033[1m" : "";
    const char *plain = output->colour ? "\033[0m" : "";
    bin__duration_text(status->uptime_us, up, sizeof up);
    bin__bytes_text(status->kv_used_bytes, data, sizeof data);
    bin__bytes_text(status->log_bytes, log, sizeof log);
    buffer_printf(out, "%sCluster %s%s  %" PRIu32 " node%s, ", bold,
                  *status->cluster_id ? status->cluster_id : "of unknown name", plain,
                  status->node_count, status->node_count == 1 ? "" : "s");
    if (status->leader)
        buffer_printf(out, "leader: node %" PRIu32 ", term %" PRIu64 "\n", status->leader,
                      status->term);
    else
        buffer_printf(out, "no leader, term %" PRIu64 "\n", status->term);
    buffer_printf(out, "%sNode %" PRIu32 "%s  %s, toyDB %s, up %s, %" PRIu32 " session%s\n", bold,
                  status->id, plain, status->role, status->version, up, status->sessions,
                  status->sessions == 1 ? "" : "s");
    buffer_printf(out,
                  "%sData%s    %s, log %s; last entry %" PRIu64 ", committed %" PRIu64
                  ", applied %" PRIu64 ", checkpoint %" PRIu64 "\n\n",
                  bold, plain, data, log, status->last_log_index, status->commit_index,
                  status->applied_index, status->checkpoint_index);
}

/* "yes", or why not. */
static const char *votes_text(const struct toydb_node *node)
{
    if (node->voter)
        return "yes";
    return node->promote ? "soon" : "no";
}

void bin__nodes_table(struct bin__output *output, const struct toydb_status *status,
                      const struct toydb_status *leader_view)
{
    static const struct toydb_column columns[] = {
        {.name = "node", .type = TOYDB_INTEGER},      {.name = "address", .type = TOYDB_TEXT},
        {.name = "role", .type = TOYDB_TEXT},         {.name = "votes", .type = TOYDB_TEXT},
        {.name = "log index", .type = TOYDB_INTEGER}, {.name = "behind", .type = TOYDB_TEXT}};
    const struct toydb_status *known = knowing(status, leader_view);
    struct bin__output table;
    bin__output_init(&table, output->write, output->context);
    table.pretty = output->pretty;
    table.colour = output->colour;
    /* Without the leader nobody knows the last two. */
    bin__output_begin(&table, columns, known ? 6 : 4);
    for (uint32_t i = 0; i < status->node_count; i++) {
        const struct toydb_node *node = &status->nodes[i];
        const struct toydb_node *there = node_find(known, node->id);
        uint64_t match = there ? there->match_index : 0;
        uint64_t last = known ? known->last_log_index : 0;
        char behind[48];
        snprintf(behind, sizeof behind, "%" PRIu64 "%s", last > match ? last - match : 0,
                 there && there->needs_snapshot ? ", gets a snapshot" : "");
        struct toydb_value row[] = {
            {.type = TOYDB_INTEGER, .integer = node->id},
            text_value(*node->address ? node->address : "embedded"),
            text_value(node->role),
            text_value(votes_text(node)),
            {.type = there ? TOYDB_INTEGER : TOYDB_NULL, .integer = (int64_t)match},
            there ? text_value(behind) : (struct toydb_value){.type = TOYDB_NULL},
        };
        bin__output_row(&table, row);
    }
    bin__table_chunk(&table);
    buffer_append_byte(&table.buffer, '\n');
    bin__output_flush(&table);
    output->failed = output->failed || table.failed;
    bin__output_free(&table);
}

void bin__status_table(struct bin__output *output, const struct toydb_status *status,
                       const struct toydb_status *leader_view)
{
    print_summary(output, status);
    bin__output_flush(output);
    bin__nodes_table(output, status, leader_view);
}

static void json_field(struct buffer *out, const char *name, const char *text)
{
    buffer_printf(out, ", \"%s\": ", name);
    bin__json_string(out, slice_from_string(text));
}

static void json_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_printf(out, ", \"%s\": %" PRIu64, name, number);
}

static void json_nodes(struct buffer *out, const struct toydb_status *status,
                       const struct toydb_status *known)
{
    buffer_append_string(out, ",\n \"nodes\": [");
    for (uint32_t i = 0; i < status->node_count; i++) {
        const struct toydb_node *node = &status->nodes[i];
        const struct toydb_node *there = node_find(known, node->id);
        buffer_printf(out, "%s\n  {\"id\": %" PRIu32, i ? "," : "", node->id);
        json_field(out, "address", node->address);
        json_field(out, "role", node->role);
        buffer_printf(out, ", \"voter\": %s, \"promote\": %s", node->voter ? "true" : "false",
                      node->promote ? "true" : "false");
        if (there)
            json_number(out, "match_index", there->match_index);
        else
            buffer_append_string(out, ", \"match_index\": null");
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "]}\n");
}

/* The numbers of the second and later lines, in this order. */
static const struct {
    const char *name;
    size_t offset;
} json_numbers[] = {
    {"commit_index", offsetof(struct toydb_status, commit_index)},
    {"applied_index", offsetof(struct toydb_status, applied_index)},
    {"first_log_index", offsetof(struct toydb_status, first_log_index)},
    {"last_log_index", offsetof(struct toydb_status, last_log_index)},
    {"checkpoint_index", offsetof(struct toydb_status, checkpoint_index)},
    {"last_version_us", offsetof(struct toydb_status, last_version_us)},
    {"kv_file_bytes", offsetof(struct toydb_status, kv_file_bytes)},
    {"kv_used_bytes", offsetof(struct toydb_status, kv_used_bytes)},
    {"log_bytes", offsetof(struct toydb_status, log_bytes)},
};

void bin__status_json(struct buffer *out, const struct toydb_status *status,
                      const struct toydb_status *leader_view)
{
    buffer_printf(out, "{\"id\": %" PRIu32, status->id);
    json_field(out, "version", status->version);
    json_field(out, "cluster_id", status->cluster_id);
    json_field(out, "role", status->role);
    json_number(out, "leader", status->leader);
    json_number(out, "term", status->term);
    json_number(out, "time_us", status->time_us);
    json_number(out, "uptime_us", status->uptime_us);
    json_number(out, "sessions", status->sessions);
    for (size_t i = 0; i < sizeof json_numbers / sizeof *json_numbers; i++) {
        uint64_t number;
        memcpy(&number, (const char *)status + json_numbers[i].offset, sizeof number);
        buffer_printf(out, "%s\"%s\": %" PRIu64, i ? ", " : ",\n ", json_numbers[i].name, number);
    }
    json_nodes(out, status, knowing(status, leader_view));
}
