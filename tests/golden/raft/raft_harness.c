/* Plays the scripts beside this file: stories of a small cluster, told in commands.
 *
 *     cluster 3 [nodes=4]           nodes 1 to 3 are voters; further ones wait to be told
 *         [prevote=off] [check_quorum=off] [lease=100] [inflight=2] [append_bytes=40]
 *         [uncommitted=1000] [cached=1]
 *     preload 1 term=8 1 1 4 5      node 1 comes back with a disk holding entries of these terms
 *     tick 1 [count]                a tick passes on node 1
 *     time 1 5000                   the clock of node 1
 *     campaign 1
 *     propose 1 x y                 two commands at node 1
 *     read 1 700                    a read index request with context 700
 *     members 1 1 2 3 4l            node 1 is asked for these members; 4 as a learner
 *     force 1 1 2 3 4               the same, and node 1 does not ask whether it may
 *     transfer 1 [2]
 *     deliver [from=1] [to=2] [type=APPEND] [max=1] [quiet]
 *                                   oldest messages first, until none is left; quiet: show what
 *                                   comes of them, not the messages themselves
 *     drop [from=1] [to=2] [type=APPEND]
 *                                   loses what is on the way
 *     duplicate [from=1] [to=2] [type=APPEND]
 *     isolate 1 / cut 1 2 / heal    what goes between them is lost
 *     disk 1 slow|fast              slow: bundles wait for `persist`
 *     persist 1                     one bundle becomes durable
 *     crash 1 / start 1             power off: what was not durable is gone
 *     compact 1 5                   node 1 drops its log up to 5
 *     snapshot 1 3                  the owner brings node 3 the state of node 1
 *     snapshot_failed 1 3           the owner of leader 1 gave that up
 *     status [1]
 *     who [1]                       the members node 1 goes by
 *     log 1
 *
 * Entries are written index/term. Disks are fast and state machines prompt unless told otherwise.
 */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "golden.h"
#include "raft/raft_int.h"
#include "raft_show.h"

struct stage {
    struct cluster c;
    bool open;
    bool slow[CLUSTER_NODES_MAX];
    bool cut[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    bool quiet;
    struct buffer *out;
};

static void on_bundle(void *context, struct node *node, const struct raft_ready *ready)
{
    struct stage *stage = context;
    show_bundle(stage->out, node, ready, stage->slow[node->id - 1]);
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
        if (stage->cut[m->from - 1][m->to - 1])
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
    config.max_cached_bytes = (size_t)golden_arg_long(c, "cached", 0);
    config.lease_us = (uint64_t)golden_arg_long(c, "lease", 0);
    uint32_t voters = (uint32_t)strtoul(c->args, NULL, 10);
    uint32_t nodes = (uint32_t)golden_arg_long(c, "nodes", (long)voters);
    stage_close(stage);
    memset(stage->slow, 0, sizeof stage->slow);
    memset(stage->cut, 0, sizeof stage->cut);
    cluster_init_some(&stage->c, nodes, voters, &config, 1);
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
    char type[32];
    if (golden_arg_text(c, "type", type, sizeof type) &&
        strcmp(type, raft_message_type_name(m->type)) != 0)
        return false;
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
            show_message(stage->out, m);
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

static void run_duplicate(struct stage *stage, const struct golden_case *c)
{
    for (uint32_t i = 0, count = stage->c.network_count; i < count; i++)
        if (matches(c, &stage->c.network[i]->m))
            cluster_duplicate(&stage->c, i);
}

static void run_drop(struct stage *stage, const struct golden_case *c)
{
    for (uint32_t i = 0; i < stage->c.network_count;) {
        if (!matches(c, &stage->c.network[i]->m)) {
            i++;
            continue;
        }
        buffer_append_string(stage->out, "lost:");
        show_message(stage->out, &stage->c.network[i]->m);
        cluster_drop(&stage->c, i);
    }
}

static void run_status(struct stage *stage, const struct golden_case *c)
{
    if (c->args[0] != '\0') {
        show_status(stage->out, node_of(stage, c));
        return;
    }
    for (uint32_t i = 0; i < stage->c.count; i++)
        show_status(stage->out, &stage->c.nodes[i]);
}

static void run_log(struct stage *stage, const struct golden_case *c)
{
    show_log(stage->out, node_of(stage, c));
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
    uint64_t id = node_of(stage, c)->id;
    for (uint32_t i = 0; i < stage->c.count; i++)
        stage->cut[i][id - 1] = stage->cut[id - 1][i] = true;
}

/* The number that is word `at` behind the node; 0 when there is none. */
static uint64_t number(const struct golden_case *c, uint32_t at)
{
    char text[16][32];
    return words(c, text) > at ? strtoul(text[at], NULL, 10) : 0;
}

static void run_cut(struct stage *stage, const struct golden_case *c)
{
    uint64_t a = node_of(stage, c)->id, b = number(c, 0);
    stage->cut[a - 1][b - 1] = stage->cut[b - 1][a - 1] = true;
}

static void run_heal(struct stage *stage, const struct golden_case *c)
{
    (void)c;
    memset(stage->cut, 0, sizeof stage->cut);
}

static void members_of(const struct golden_case *c, struct raft_members *members)
{
    char ids[16][32];
    uint32_t count = words(c, ids);
    for (uint32_t i = 0; i < count; i++) {
        char *end;
        uint64_t id = strtoul(ids[i], &end, 10);
        members->items[members->count++] = (struct raft_member){.id = id, .voter = *end != 'l'};
    }
}

static void run_members(struct stage *stage, const struct golden_case *c)
{
    struct raft_members members = {0};
    uint64_t index;
    members_of(c, &members);
    status_t status = raft_propose_members(node_of(stage, c)->raft, &members, &index);
    if (status == OK)
        buffer_printf(stage->out, "proposed as %" PRIu64 "\n", index);
    else
        buffer_printf(stage->out, "%s\n", status_name(status));
}

static void run_force(struct stage *stage, const struct golden_case *c)
{
    struct raft_members members = {0};
    members_of(c, &members);
    struct raft *r = node_of(stage, c)->raft;
    struct raft_entry entry = {
        .index = raft__log_last(&r->log) + 1, .term = r->term, .type = RAFT_ENTRY_MEMBERS};
    struct buffer bytes = {0};
    members.index = entry.index;
    raft_members_encode(&members, &bytes);
    entry.data = buffer_slice(&bytes);
    raft__append_entry(r, &entry);
    buffer_free(&bytes);
    buffer_printf(stage->out, "appended as %" PRIu64 "\n", entry.index);
}

static void run_who(struct stage *stage, const struct golden_case *c)
{
    for (uint32_t i = 0; i < stage->c.count; i++) {
        struct node *node = &stage->c.nodes[i];
        if (node->raft == NULL || (c->args[0] != '\0' && node != node_of(stage, c)))
            continue;
        struct raft_members members;
        raft_members(node->raft, &members);
        buffer_printf(stage->out, "node %" PRIu64 ": ", node->id);
        show_members(stage->out, &members);
        buffer_printf(stage->out, " (entry %" PRIu64 ")\n", members.index);
    }
}

static void put_outcome(struct stage *stage, status_t status)
{
    if (status != OK)
        buffer_printf(stage->out, "%s\n", status_name(status));
}

static void run_transfer(struct stage *stage, const struct golden_case *c)
{
    put_outcome(stage, raft_transfer(node_of(stage, c)->raft, number(c, 0)));
}

static void run_compact(struct stage *stage, const struct golden_case *c)
{
    node_compact(node_of(stage, c), number(c, 0));
}

static void run_snapshot(struct stage *stage, const struct golden_case *c)
{
    put_outcome(stage, node_restore(cluster_node(&stage->c, number(c, 0)), node_of(stage, c)));
}

static void run_snapshot_failed(struct stage *stage, const struct golden_case *c)
{
    raft_snapshot_failed(node_of(stage, c)->raft, number(c, 0));
}

static void run_time(struct stage *stage, const struct golden_case *c)
{
    raft_time(node_of(stage, c)->raft, number(c, 0));
}

static const struct {
    const char *name;
    void (*run)(struct stage *stage, const struct golden_case *c);
} commands[] = {
    {"cluster", run_cluster},
    {"preload", run_preload},
    {"tick", run_tick},
    {"campaign", run_campaign},
    {"propose", run_propose},
    {"read", run_read},
    {"deliver", run_deliver},
    {"drop", run_drop},
    {"isolate", run_isolate},
    {"heal", run_heal},
    {"disk", run_disk},
    {"persist", run_persist},
    {"crash", run_crash},
    {"start", run_start},
    {"status", run_status},
    {"log", run_log},
    {"members", run_members},
    {"force", run_force},
    {"who", run_who},
    {"transfer", run_transfer},
    {"compact", run_compact},
    {"snapshot", run_snapshot},
    {"snapshot_failed", run_snapshot_failed},
    {"time", run_time},
    {"cut", run_cut},
    {"duplicate", run_duplicate},
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

static const char *const stories[] = {
    /* the paper */
    "election",
    "split_vote",
    "figure7",
    "conflict_hints",
    "figure8",
    "restart",
    "vote_persistence",
    "replaced_while_writing",
    "snapshot",
    "snapshot_race",
    /* thesis 3 and 4 */
    "transfer",
    "transfer_lagging",
    "members_add",
    "members_rollback",
    "membership_bug",
    "learner",
    "remove_leader",
    "remove_needed",
    "disruptive",
    /* thesis 6 */
    "check_quorum",
    "reads",
    "stale_leader",
    "lease",
    "lease_transfer",
    /* thesis 9 and 10 */
    "prevote",
    "leader_disk",
    "pipeline",
    "slow_log",
};

enum { STORIES = sizeof stories / sizeof stories[0] };

static void test_story(void **state)
{
    char name[64];
    snprintf(name, sizeof name, "%s.txt", (const char *)*state);
    play(name);
}

/* A script that no test plays tells nothing. */
static void test_all_are_played(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/raft", getenv("TOYDB_SOURCE_ROOT"));
    DIR *dir = opendir(path);
    assert_non_null(dir);
    uint32_t scripts = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        size_t length = strlen(entry->d_name);
        scripts += length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0;
    }
    closedir(dir);
    assert_int_equal(scripts, STORIES);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    struct CMUnitTest tests[STORIES + 1] = {cmocka_unit_test(test_all_are_played)};
    for (uint32_t i = 0; i < STORIES; i++)
        tests[i + 1] = (struct CMUnitTest){.name = stories[i],
                                           .test_func = test_story,
                                           .initial_state = (void *)(uintptr_t)stories[i]};
    return cmocka_run_group_tests_name("raft_stories", tests, NULL, NULL);
}
