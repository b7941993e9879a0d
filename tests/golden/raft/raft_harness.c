/* Plays the scripts beside this file: stories of a small cluster, told in commands.
 *
 *     cluster 3 [prevote=off] [check_quorum=off] [inflight=2] [append_bytes=40] [uncommitted=1000]
 *     preload 1 term=8 1 1 4 5      node 1 comes back with a disk holding entries of these terms
 *     tick 1 [count]                time passes on node 1
 *     campaign 1
 *     propose 1 x y                 two commands at node 1
 *     read 1 700                    a read index request with context 700
 *     deliver [from=1] [to=2] [max=1] [quiet]    oldest messages first, until none is left; quiet:
 * show what comes of them, not the messages themselves drop [from=1] [to=2]          loses what is
 * on the way isolate 1 / heal              cuts node 1 off: what it sends and is sent is lost disk
 * 1 slow|fast              slow: bundles wait for `persist` persist 1                     one
 * bundle becomes durable crash 1 / start 1             power off: what was not durable is gone
 *     status [1]
 *     log 1
 *
 * Entries are written index/term. Disks are fast and state machines prompt unless told otherwise.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "golden.h"
#include "raft/raft_int.h"
#include "raft_cluster.h"

struct stage {
    struct cluster c;
    bool open;
    bool slow[CLUSTER_NODES_MAX];
    bool cut[CLUSTER_NODES_MAX];
    bool quiet;
    struct buffer *out;
};

static void put_entry(struct buffer *out, const struct raft_entry *e)
{
    buffer_printf(out, "%" PRIu64 "/%" PRIu64 " ", e->index, e->term);
    if (e->type == RAFT_ENTRY_NOOP)
        buffer_append_string(out, "(noop)");
    else
        buffer_append_slice(out, e->data);
}

static void put_message(struct buffer *out, const struct raft_message *m)
{
    buffer_printf(out, "  %" PRIu64 " -> %" PRIu64 "  %s term=%" PRIu64, m->from, m->to,
                  raft_message_type_name(m->type), m->term);
    switch (m->type) {
    case RAFT_PREVOTE:
    case RAFT_VOTE:
        buffer_printf(out, " last=%" PRIu64 "/%" PRIu64, m->log_index, m->log_term);
        break;
    case RAFT_PREVOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
        buffer_append_string(out, m->reject ? " no" : " yes");
        break;
    case RAFT_APPEND:
        buffer_printf(out, " after=%" PRIu64 "/%" PRIu64 " commit=%" PRIu64 " [", m->log_index,
                      m->log_term, m->commit);
        for (uint32_t i = 0; i < m->entry_count; i++) {
            buffer_append_string(out, i > 0 ? ", " : "");
            put_entry(out, &m->entries[i]);
        }
        buffer_append_string(out, "]");
        break;
    case RAFT_APPEND_RESPONSE:
        if (m->reject)
            buffer_printf(out, " refuses %" PRIu64 ", try %" PRIu64 "/%" PRIu64, m->log_index,
                          m->hint_index, m->hint_term);
        else
            buffer_printf(out, " holds %" PRIu64, m->log_index);
        break;
    case RAFT_HEARTBEAT:
        buffer_printf(out, " commit=%" PRIu64 " round=%" PRIu64, m->commit, m->read_sequence);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    case RAFT_HEARTBEAT_RESPONSE:
        buffer_printf(out, " commit=%" PRIu64 " round=%" PRIu64, m->commit, m->read_sequence);
        break;
    }
    buffer_append_string(out, "\n");
}

static void on_bundle(void *context, struct node *node, const struct raft_ready *ready)
{
    struct stage *stage = context;
    if (ready->soft_changed)
        buffer_printf(stage->out, "node %" PRIu64 ": %s in term %" PRIu64 ", leader %" PRIu64 "\n",
                      node->id, raft_role_name(ready->role), ready->term, ready->leader);
    if (ready->sequence != 0 && stage->slow[node->id - 1]) {
        buffer_printf(stage->out, "node %" PRIu64 ": bundle %" PRIu64 " to the log:", node->id,
                      ready->sequence);
        if (ready->has_hard_state)
            buffer_printf(stage->out, " term=%" PRIu64 " vote=%" PRIu64, ready->hard_state.term,
                          ready->hard_state.vote);
        for (uint32_t i = 0; i < ready->entry_count; i++) {
            buffer_append_string(stage->out, " ");
            put_entry(stage->out, &ready->entries[i]);
        }
        buffer_printf(stage->out, "; messages held back: %u\n",
                      (unsigned)ready->messages_after_persist_count);
    }
    for (uint32_t i = 0; i < ready->committed_count; i++) {
        if (i == 0)
            buffer_printf(stage->out, "node %" PRIu64 ": applies ", node->id);
        put_entry(stage->out, &ready->committed[i]);
        buffer_append_string(stage->out, i + 1 < ready->committed_count ? ", " : "\n");
    }
}

static void on_read(void *context, struct node *node, const struct raft_read_state *read)
{
    struct stage *stage = context;
    if (read->status == OK)
        buffer_printf(stage->out, "node %" PRIu64 ": read %" PRIu64 " at index %" PRIu64 "\n",
                      node->id, read->context, read->index);
    else
        buffer_printf(stage->out, "node %" PRIu64 ": read %" PRIu64 " refused, %s\n", node->id,
                      read->context, status_name(read->status));
}

/* Everything that happens without a command: bundles are taken, fast disks write. */
static void settle(struct stage *stage)
{
    struct cluster *c = &stage->c;
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < c->count; i++) {
            node_pump(&c->nodes[i]);
            if (!stage->slow[i] && node_persist(&c->nodes[i]))
                again = true;
        }
    }
    for (uint32_t i = 0; i < c->network_count;) {
        const struct raft_message *m = &c->network[i]->m;
        if (stage->cut[m->from - 1] || stage->cut[m->to - 1])
            cluster_drop(c, i);
        else
            i++;
    }
}

static bool is_off(const struct golden_case *c, const char *key)
{
    char text[16];
    return golden_arg_text(c, key, text, sizeof text) && strcmp(text, "off") == 0;
}

static void stage_close(struct stage *stage)
{
    if (stage->open)
        cluster_free(&stage->c);
    stage->open = false;
}

static void run_cluster(struct stage *stage, const struct golden_case *c)
{
    struct raft_config config;
    raft_config_default(&config);
    config.pre_vote = !is_off(c, "prevote");
    config.check_quorum = !is_off(c, "check_quorum");
    config.max_inflight_messages = (uint32_t)golden_arg_long(c, "inflight", 64);
    config.max_append_bytes = (size_t)golden_arg_long(c, "append_bytes", 0);
    config.max_uncommitted_bytes = (size_t)golden_arg_long(c, "uncommitted", 0);
    stage_close(stage);
    memset(stage->slow, 0, sizeof stage->slow);
    memset(stage->cut, 0, sizeof stage->cut);
    cluster_init(&stage->c, (uint32_t)strtoul(c->args, NULL, 10), &config, 1);
    stage->c.observer =
        (struct cluster_observer){.context = stage, .bundle = on_bundle, .read = on_read};
    stage->open = true;
}

static struct node *node_of(struct stage *stage, const struct golden_case *c)
{
    return cluster_node(&stage->c, strtoul(c->args, NULL, 10));
}

/* Words of the arguments that are not the node and not key=value. */
static uint32_t words(const struct golden_case *c, char storage[16][32])
{
    uint32_t count = 0;
    const char *at = c->args + strcspn(c->args, " ");
    while (*(at += strspn(at, " "))) {
        size_t length = strcspn(at, " ");
        ASSERT(length < 32 && count < 16);
        if (memchr(at, '=', length) == NULL) {
            memcpy(storage[count], at, length);
            storage[count++][length] = '\0';
        }
        at += length;
    }
    return count;
}

static void run_preload(struct stage *stage, const struct golden_case *c)
{
    struct node *node = node_of(stage, c);
    char terms[16][32];
    uint32_t count = words(c, terms);
    node_crash(node, 0, 0);
    uint64_t term = 0;
    for (uint32_t i = 0; i < count; i++) {
        term = strtoul(terms[i], NULL, 10);
        disk_append(&node->disk, &(struct raft_entry){.index = i + 1,
                                                      .term = term,
                                                      .type = RAFT_ENTRY_COMMAND,
                                                      .data = slice_from_string("c")});
    }
    node->disk.hard_state =
        (struct raft_hard_state){.term = (uint64_t)golden_arg_long(c, "term", (long)term)};
    node_start(node);
}

static void run_propose(struct stage *stage, const struct golden_case *c)
{
    char texts[16][32];
    struct slice datas[16];
    uint32_t count = words(c, texts);
    for (uint32_t i = 0; i < count; i++)
        datas[i] = slice_from_string(texts[i]);
    uint64_t first;
    status_t status = raft_propose(node_of(stage, c)->raft, datas, count, &first);
    if (status == OK)
        buffer_printf(stage->out, "proposed from %" PRIu64 "\n", first);
    else
        buffer_printf(stage->out, "%s\n", status_name(status));
}

static bool matches(const struct golden_case *c, const struct raft_message *m)
{
    long from = golden_arg_long(c, "from", 0), to = golden_arg_long(c, "to", 0);
    return (from == 0 || m->from == (uint64_t)from) && (to == 0 || m->to == (uint64_t)to);
}

static void run_deliver(struct stage *stage, const struct golden_case *c)
{
    bool quiet = strstr(c->args, "quiet") != NULL;
    long max = golden_arg_long(c, "max", 500);
    for (uint32_t i = 0; i < stage->c.network_count && max > 0;) {
        const struct raft_message *m = &stage->c.network[i]->m;
        if (!matches(c, m)) {
            i++;
            continue;
        }
        if (!quiet)
            put_message(stage->out, m);
        uint64_t to = m->to;
        status_t status = cluster_deliver(&stage->c, i);
        if (status != OK)
            buffer_printf(stage->out, "node %" PRIu64 ": %s\n", to, status_name(status));
        settle(stage);
        max--;
        i = 0;
    }
    if (max == 0 && golden_arg_long(c, "max", 0) == 0)
        buffer_append_string(stage->out, "still talking\n");
}

static void run_drop(struct stage *stage, const struct golden_case *c)
{
    for (uint32_t i = 0; i < stage->c.network_count;) {
        if (!matches(c, &stage->c.network[i]->m)) {
            i++;
            continue;
        }
        buffer_append_string(stage->out, "lost:");
        put_message(stage->out, &stage->c.network[i]->m);
        cluster_drop(&stage->c, i);
    }
}

static const char *state_name(enum raft_progress_state state)
{
    return state == RAFT_PROGRESS_PROBE       ? "probe"
           : state == RAFT_PROGRESS_REPLICATE ? "replicate"
                                              : "snapshot";
}

static void put_status(struct buffer *out, struct node *node)
{
    if (node->raft == NULL) {
        buffer_printf(out, "node %" PRIu64 ": down\n", node->id);
        return;
    }
    struct raft_status s;
    raft_status(node->raft, &s);
    buffer_printf(out,
                  "node %" PRIu64 ": %s term=%" PRIu64 " vote=%" PRIu64 " leader=%" PRIu64
                  " last=%" PRIu64 "/%" PRIu64 " durable=%" PRIu64 " commit=%" PRIu64
                  " applied=%" PRIu64 "\n",
                  s.id, raft_role_name(s.role), s.term, s.vote, s.leader, s.last_index, s.last_term,
                  s.persisted, s.commit, s.applied);
    for (uint32_t i = 0; i < s.peer_count; i++)
        buffer_printf(out,
                      "  to %" PRIu64 ": %s match=%" PRIu64 " next=%" PRIu64 " on the way=%u\n",
                      s.peers[i].id, state_name(s.peers[i].state), s.peers[i].match,
                      s.peers[i].next, (unsigned)s.peers[i].inflight_messages);
}

static void run_status(struct stage *stage, const struct golden_case *c)
{
    if (c->args[0] != '\0') {
        put_status(stage->out, node_of(stage, c));
        return;
    }
    for (uint32_t i = 0; i < stage->c.count; i++)
        put_status(stage->out, &stage->c.nodes[i]);
}

static void run_log(struct stage *stage, const struct golden_case *c)
{
    struct node *node = node_of(stage, c);
    for (uint64_t i = 1; node_term(node, i) != 0; i++)
        buffer_printf(stage->out, "%s%" PRIu64 "/%" PRIu64, i > 1 ? " " : "", i,
                      node_term(node, i));
    buffer_append_string(stage->out, "\n");
}

static void run_read(struct stage *stage, const struct golden_case *c)
{
    char context[16][32];
    uint32_t count = words(c, context);
    for (uint32_t i = 0; i < count; i++) {
        status_t status = raft_read_index(node_of(stage, c)->raft, strtoul(context[i], NULL, 10));
        if (status != OK)
            buffer_printf(stage->out, "%s\n", status_name(status));
    }
}

static void run_tick(struct stage *stage, const struct golden_case *c)
{
    char count[16][32];
    uint64_t ticks = words(c, count) > 0 ? strtoul(count[0], NULL, 10) : 1;
    for (uint64_t i = 0; i < ticks; i++) {
        raft_tick(node_of(stage, c)->raft);
        settle(stage);
    }
}

static void run_disk(struct stage *stage, const struct golden_case *c)
{
    stage->slow[node_of(stage, c)->id - 1] = strstr(c->args, "slow") != NULL;
}

static void run_persist(struct stage *stage, const struct golden_case *c)
{
    if (!node_persist(node_of(stage, c)))
        buffer_append_string(stage->out, "nothing to write\n");
}

static void run_campaign(struct stage *stage, const struct golden_case *c)
{
    raft_campaign(node_of(stage, c)->raft);
}

static void run_crash(struct stage *stage, const struct golden_case *c)
{
    node_crash(node_of(stage, c), 0, 0);
}

static void run_start(struct stage *stage, const struct golden_case *c)
{
    node_start(node_of(stage, c));
}

static void run_isolate(struct stage *stage, const struct golden_case *c)
{
    stage->cut[node_of(stage, c)->id - 1] = true;
}

static void run_heal(struct stage *stage, const struct golden_case *c)
{
    (void)c;
    memset(stage->cut, 0, sizeof stage->cut);
}

static const struct {
    const char *name;
    void (*run)(struct stage *stage, const struct golden_case *c);
} commands[] = {
    {"cluster", run_cluster},   {"preload", run_preload}, {"tick", run_tick},
    {"campaign", run_campaign}, {"propose", run_propose}, {"read", run_read},
    {"deliver", run_deliver},   {"drop", run_drop},       {"isolate", run_isolate},
    {"heal", run_heal},         {"disk", run_disk},       {"persist", run_persist},
    {"crash", run_crash},       {"start", run_start},     {"status", run_status},
    {"log", run_log},
};

static void run_case(void *context, const struct golden_case *c, struct buffer *out)
{
    struct stage *stage = context;
    stage->out = out;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, c->command) != 0)
            continue;
        if (!stage->open && commands[i].run != run_cluster) {
            buffer_append_string(out, "no cluster yet\n");
            return;
        }
        commands[i].run(stage, c);
        settle(stage);
        if (out->size == 0)
            buffer_append_string(out, "ok\n");
        return;
    }
    buffer_append_string(out, "unknown command\n");
}

static void play(const char *name)
{
    struct stage stage = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/raft/%s", getenv("TOYDB_SOURCE_ROOT"), name);
    int mismatches = golden_run(path, run_case, &stage);
    stage_close(&stage);
    assert_int_equal(mismatches, 0);
}

#define STORY(name)                                                                                \
    static void story_##name(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        play(#name ".txt");                                                                        \
    }

STORY(election)
STORY(split_vote)
STORY(prevote)
STORY(figure7)
STORY(figure8)
STORY(reads)
STORY(restart)
STORY(vote_persistence)
STORY(pipeline)
STORY(check_quorum)
STORY(leader_disk)
STORY(replaced_while_writing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(story_election),    cmocka_unit_test(story_split_vote),
        cmocka_unit_test(story_prevote),     cmocka_unit_test(story_figure7),
        cmocka_unit_test(story_figure8),     cmocka_unit_test(story_reads),
        cmocka_unit_test(story_restart),     cmocka_unit_test(story_vote_persistence),
        cmocka_unit_test(story_pipeline),    cmocka_unit_test(story_check_quorum),
        cmocka_unit_test(story_leader_disk), cmocka_unit_test(story_replaced_while_writing),
    };
    return cmocka_run_group_tests_name("raft_stories", tests, NULL, NULL);
}
