/* Safety by random histories: clusters of 3 and 5 nodes under lost, repeated and reordered
 * messages, partitions, slow disks and power cuts, one seed a history; while members come, go and
 * change their role, leadership is handed over, logs are cut and followers are brought snapshots.
 * What must hold is in history.h.
 *
 * Half of the histories are wild, with all of that at a time. The others are calm: less fails, but
 * leaders are left alone for long enough to be deposed, and asked for reads all the while. In most
 * of those reads may use a lease; then no node's ticks come faster than time passes.
 *
 * RAFT_SEEDS=n in the environment runs n histories instead, RAFT_SEED=n just that one. */
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
#include "history.h"

enum {
    STEPS = 2000,
    CALM_STEPS = 5000,
    TICK_US = 1000,
    TIMEOUT_TICKS = 5,
    /* Five ticks, the first of which may come at once. */
    LEASE_US = (TIMEOUT_TICKS - 1) * TICK_US,
};

/* What is broken on purpose, to see it caught. */
enum sabotage { NOTHING_BROKEN, PROMISES_EARLY, LEASE_TOO_LONG };

static void clock_tell(struct history *h, struct node *node)
{
    if (h->c.config.lease_us > 0)
        raft_time(node->raft, h->now_us);
}

static void after(struct history *h, struct node *node)
{
    /* First the checkers, for applying and answering rely on what they noted. */
    history_check(h);
    node_pump(node);
    history_check(h);
}

static void act_crash(struct history *h, struct node *node)
{
    uint32_t bundles = (uint32_t)prng_below(&h->prng, node->bundle_count + 1);
    uint32_t applied =
        (uint32_t)prng_between(&h->prng, node->applied_count / 2, node->applied_count);
    if (bundles < node->bundle_count && prng_chance(&h->prng, 1, 2)) {
        uint32_t count = node->bundles[bundles].entry_count;
        node_tear(node, bundles, (uint32_t)prng_below(&h->prng, count + 1));
        bundles = 0;
    }
    node_crash(node, bundles, applied);
    h->commit_seen[node->id - 1] = 0;
}

static void act_start(struct history *h, struct node *node)
{
    uint64_t *terms = h->handed_terms[node->id - 1];
    memset(terms, 0, LOG_MAX * sizeof *terms);
    for (uint64_t i = node->disk.base; i <= disk_last_index(&node->disk); i++)
        terms[i] = disk_term_at(&node->disk, i);
    node_start(node);
    clock_tell(h, node);
    after(h, node);
}

static void act_propose(struct history *h, struct node *node)
{
    char text[3][64];
    struct slice datas[3];
    uint32_t count = (uint32_t)prng_between(&h->prng, 1, 3);
    for (uint32_t i = 0; i < count; i++) {
        int n =
            snprintf(text[i], sizeof text[i], "%" PRIu64 " of %" PRIu64, h->proposals++, node->id);
        datas[i] = slice_make(text[i], (size_t)n);
    }
    uint64_t first;
    status_t status = raft_propose(node->raft, datas, count, &first);
    history_require(h, status == OK || status == ERR_NOT_LEADER || status == ERR_BUSY,
                    "a proposal was refused oddly");
    if (prng_chance(&h->prng, 3, 4))
        after(h, node);
}

/* A node comes, goes, or changes its role; sometimes two do, which is refused for voters. */
static void act_members(struct history *h, struct node *node)
{
    struct raft_members members;
    raft_members(node->raft, &members);
    for (uint32_t times = prng_chance(&h->prng, 1, 8) ? 2 : 1; times > 0; times--) {
        uint64_t id = prng_between(&h->prng, 1, h->c.count);
        uint32_t at = 0;
        while (at < members.count && members.items[at].id != id)
            at++;
        if (at == members.count)
            members.items[members.count++] =
                (struct raft_member){.id = id, .voter = prng_chance(&h->prng, 1, 2)};
        else if (prng_chance(&h->prng, 1, 2))
            members.items[at].voter = !members.items[at].voter;
        else
            members.items[at] = members.items[--members.count];
    }
    uint64_t index;
    status_t status = raft_propose_members(node->raft, &members, &index);
    history_require(
        h, status == OK || status == ERR_NOT_LEADER || status == ERR_BUSY || status == ERR_INVALID,
        "a membership was refused oddly");
    h->changes += status == OK;
    after(h, node);
}

/* The time at which members are changed is chosen badly: at once when a leader is new. */
static void act_new_leader(struct history *h)
{
    struct node *node = h->new_leader ? cluster_node(&h->c, h->new_leader) : NULL;
    h->new_leader = 0;
    if (node && node->raft && h->hasty && prng_chance(&h->prng, 3, 4))
        act_members(h, node);
}

static void act_transfer(struct history *h, struct node *node)
{
    uint64_t to = prng_below(&h->prng, h->c.count + 1);
    h->transfers += raft_transfer(node->raft, to) == OK;
    after(h, node);
}

static void act_compact(struct history *h, struct node *node)
{
    struct raft_status s;
    raft_status(node->raft, &s);
    uint64_t limit = s.applied < s.persisted ? s.applied : s.persisted;
    if (limit > node->disk.base)
        node_compact(node, prng_between(&h->prng, node->disk.base, limit));
}

static bool needs_snapshot(const struct node *leader, uint64_t id)
{
    struct raft_status s;
    raft_status(leader->raft, &s);
    for (uint32_t i = 0; i < s.peer_count; i++)
        if (s.peers[i].id == id)
            return s.peers[i].state == RAFT_PROGRESS_SNAPSHOT;
    return false;
}

/* Someone was asked to bring somebody a state: it arrives, or fails. */
static void act_snapshot(struct history *h, struct node *leader, struct node *to)
{
    bool *wanted = &h->wanted[leader->id - 1][to->id - 1];
    if (!*wanted || leader->raft == NULL || to->raft == NULL || h->failure != NULL)
        return;
    if (!needs_snapshot(leader, to->id)) {
        *wanted = false;
        return;
    }
    clock_tell(h, to);
    /* Any node's state will do, but may be of no use to this one. */
    struct node *from = &h->c.nodes[prng_below(&h->prng, h->c.count)];
    if (from->raft == NULL || from == to || prng_chance(&h->prng, 1, 2))
        from = leader;
    status_t status = prng_chance(&h->prng, 1, 4) ? ERR_TIMEOUT : node_restore(to, from);
    if (status == ERR_BUSY)
        return;
    if (status == OK) {
        h->snapshots++;
        h->handed_terms[to->id - 1][to->disk.base] = to->disk.base_term;
    } else {
        history_require(h, status == ERR_TIMEOUT || status == ERR_EXISTS || status == ERR_INVALID,
                        "a state was refused oddly");
        *wanted = false;
        raft_snapshot_failed(leader->raft, to->id);
        after(h, leader);
    }
    after(h, to);
}

static void act_snapshots(struct history *h)
{
    for (uint32_t i = 0; i < h->c.count; i++)
        for (uint32_t k = 0; k < h->c.count; k++)
            act_snapshot(h, &h->c.nodes[i], &h->c.nodes[k]);
}

static void act_tick(struct history *h, struct node *node)
{
    uint64_t *ticked = &h->ticked_us[node->id - 1];
    if (node->id == h->drowsy || (h->c.config.lease_us > 0 && h->now_us - *ticked < TICK_US))
        return;
    *ticked = h->now_us;
    clock_tell(h, node);
    raft_tick(node->raft);
    after(h, node);
}

static void act_read(struct history *h, struct node *node)
{
    if (h->reads == READS_MAX)
        return;
    clock_tell(h, node);
    if (raft_read_index(node->raft, h->reads) == OK) {
        h->read_floor[h->reads] = h->committed;
        h->read_state[h->reads++] = 1;
    }
    if (prng_chance(&h->prng, 3, 4))
        after(h, node);
}

static uint64_t a_leader(struct history *h)
{
    for (uint32_t i = 0; i < h->c.count; i++) {
        struct raft_status s;
        if (h->c.nodes[i].raft == NULL)
            continue;
        raft_status(h->c.nodes[i].raft, &s);
        if (s.role == RAFT_LEADER)
            return s.id;
    }
    return 0;
}

/* The leader cut off, from all or all but one, and it does not notice how long. */
static void act_isolate_leader(struct history *h)
{
    uint64_t leader = a_leader(h);
    memset(h->cut, 0, sizeof h->cut);
    h->drowsy = 0;
    if (leader == 0 || prng_chance(&h->prng, 1, 3))
        return;
    h->drowsy = leader;
    uint64_t but = prng_below(&h->prng, 2 * h->c.count);
    for (uint32_t i = 0; i < h->c.count; i++)
        if (i != but)
            h->cut[i][leader - 1] = h->cut[leader - 1][i] = true;
}

/* A short failure of power: what the node promised it has forgotten, unless it is on disk. */
static void act_restart(struct history *h, struct node *node)
{
    act_crash(h, node);
    act_start(h, node);
}

static void act_partition(struct history *h)
{
    if (h->calm && prng_chance(&h->prng, 3, 4)) {
        act_isolate_leader(h);
        return;
    }
    bool side[CLUSTER_NODES_MAX];
    bool heal = prng_chance(&h->prng, 1, 2);
    bool one_way = prng_chance(&h->prng, 1, 4);
    h->drowsy = prng_chance(&h->prng, 1, 2) ? a_leader(h) : 0;
    for (uint32_t i = 0; i < h->c.count; i++)
        side[i] = prng_chance(&h->prng, 1, 2);
    for (uint32_t i = 0; i < h->c.count; i++)
        for (uint32_t k = 0; k < h->c.count; k++)
            h->cut[i][k] = !heal && side[i] != side[k] && (!one_way || side[i]);
}

static void act_network(struct history *h)
{
    struct cluster *c = &h->c;
    if (c->network_count == 0)
        return;
    /* Mostly near the front: reordering, but not only old news. */
    uint32_t window = c->network_count < 8 || prng_chance(&h->prng, 1, 8) ? c->network_count : 8;
    uint32_t at = (uint32_t)prng_below(&h->prng, window);
    const struct raft_message *m = &c->network[at]->m;
    uint64_t to = m->to;
    if (h->cut[m->from - 1][to - 1] || prng_chance(&h->prng, 1, 20)) {
        cluster_drop(c, at);
        return;
    }
    if (prng_chance(&h->prng, 1, 20))
        cluster_duplicate(c, at);
    if (c->nodes[to - 1].raft)
        clock_tell(h, &c->nodes[to - 1]);
    status_t status = cluster_deliver(c, at);
    history_require(h, status == OK, "a message of a correct node was refused");
    if (c->nodes[to - 1].raft)
        after(h, cluster_node(c, to));
}

static void act(struct history *h)
{
    struct cluster *c = &h->c;
    struct node *node = &c->nodes[prng_below(&h->prng, c->count)];
    uint64_t dice = prng_below(&h->prng, 1000);
    h->now_us += prng_below(&h->prng, TICK_US / 20);
    act_new_leader(h);
    uint64_t members = h->hasty ? 640 : 606;
    if (dice < (h->calm ? 2 : 4)) {
        act_partition(h);
    } else if (node->raft == NULL) {
        if (dice < 200)
            act_start(h, node);
    } else if (dice < (h->calm ? 3 : 8)) {
        act_crash(h, node);
    } else if (dice < (h->calm ? 6 : 9)) {
        act_restart(h, node);
    } else if (dice < 10) {
        raft_campaign(node->raft);
        after(h, node);
    } else if (dice < 170) {
        act_tick(h, node);
    } else if (dice < 340) {
        node_persist(node);
        after(h, node);
    } else if (dice < 400) {
        act_propose(h, node);
    } else if (dice < (h->calm ? 560 : 440)) {
        act_read(h, node);
    } else if (dice < 600) {
        node_ack_applied(node);
        after(h, node);
    } else if (dice < members) {
        act_members(h, node);
    } else if (dice < members + 4) {
        act_transfer(h, node);
    } else if (dice < members + 12) {
        act_compact(h, node);
    } else if (dice < members + 42) {
        act_snapshots(h);
    } else {
        act_network(h);
    }
}

static bool all_applied(struct history *h, uint64_t index)
{
    const struct raft_members *members = cluster_members_at(&h->c, index);
    for (uint32_t i = 0; i < members->count; i++)
        if (cluster_node(&h->c, members->items[i].id)->applied_count < index)
            return false;
    return index > 0;
}

static uint64_t applied_term(struct history *h, uint64_t index)
{
    for (uint32_t i = 0; i < h->c.count; i++)
        if (h->c.nodes[i].applied_count >= index)
            return h->c.nodes[i].applied[index - 1].term;
    return 0;
}

static void heal_disks(struct history *h)
{
    for (uint32_t i = 0; i < h->c.count; i++) {
        node_ack_applied(&h->c.nodes[i]);
        while (node_persist(&h->c.nodes[i]))
            after(h, &h->c.nodes[i]);
    }
}

static void heal_propose(struct history *h, uint64_t *target, uint64_t *target_term)
{
    for (uint32_t i = 0; i < h->c.count; i++) {
        struct node *node = &h->c.nodes[i];
        struct raft_status s;
        raft_status(node->raft, &s);
        if (s.role != RAFT_LEADER || s.term == *target_term)
            continue;
        struct slice data = slice_from_string("the last word");
        if (raft_propose(node->raft, &data, 1, target) == OK)
            *target_term = s.term;
        after(h, node);
    }
}

/* The faults end: does the cluster come to work again? */
static void heal(struct history *h)
{
    struct cluster *c = &h->c;
    memset(h->cut, 0, sizeof h->cut);
    h->drowsy = 0;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i].raft == NULL)
            act_start(h, &c->nodes[i]);
    uint64_t target = 0, target_term = 0;
    for (uint32_t round = 0; round < 300 && h->failure == NULL; round++) {
        h->now_us += TICK_US;
        for (uint32_t i = 0; i < c->count; i++)
            act_tick(h, &c->nodes[i]);
        for (uint32_t budget = 5000; c->network_count > 0 && budget > 0; budget--) {
            struct node *to = cluster_node(c, c->network[0]->m.to);
            clock_tell(h, to);
            history_require(h, cluster_deliver(c, 0) == OK,
                            "a message of a correct node was refused");
            after(h, to);
            heal_disks(h);
        }
        heal_disks(h);
        act_snapshots(h);
        heal_propose(h, &target, &target_term);
        if (all_applied(h, target) && applied_term(h, target) == target_term)
            return;
    }
    history_require(h, false, "the healed cluster does not come to work");
}

struct totals {
    uint64_t histories, elections, commits, reads_ok, changes, transfers, snapshots;
};

static struct history *history_new(uint64_t seed, enum sabotage sabotage)
{
    struct history *h = mem_zalloc(1, sizeof *h);
    h->seed = seed;
    prng_seed(&h->prng, seed);
    struct raft_config config;
    raft_config_default(&config);
    /* Small limits, so that they are met. */
    config.election_timeout_ticks = TIMEOUT_TICKS;
    static const size_t append_bytes[] = {1, 40, 4096};
    config.max_append_bytes = append_bytes[prng_below(&h->prng, 3)];
    config.max_inflight_messages = (uint32_t)prng_between(&h->prng, 1, 6);
    config.max_inflight_bytes = prng_chance(&h->prng, 1, 2) ? 100 : 100000;
    config.max_uncommitted_bytes = prng_chance(&h->prng, 1, 4) ? 500 : 100000;
    config.max_cached_bytes = prng_chance(&h->prng, 1, 2) ? 1 : 400;
    config.max_apply_bytes = prng_chance(&h->prng, 1, 2) ? 1 : 1000;
    config.pre_vote = !prng_chance(&h->prng, 1, 4);
    config.check_quorum = !prng_chance(&h->prng, 1, 4);
    h->calm = sabotage == LEASE_TOO_LONG || prng_chance(&h->prng, 1, 2);
    if (h->calm && (sabotage == LEASE_TOO_LONG || prng_chance(&h->prng, 2, 3))) {
        config.check_quorum = true;
        config.lease_us = sabotage == LEASE_TOO_LONG ? 20 * LEASE_US : LEASE_US;
    }
    h->hasty = sabotage != LEASE_TOO_LONG && prng_chance(&h->prng, 1, 2);
    uint32_t count = (uint32_t)prng_between(&h->prng, 3, 5);
    uint32_t voters =
        prng_chance(&h->prng, 1, 2) ? count : (uint32_t)prng_between(&h->prng, 1, count);
    if (h->hasty && prng_chance(&h->prng, 1, 2))
        voters = count - 1;
    if (sabotage == LEASE_TOO_LONG)
        voters = count;
    cluster_init_some(&h->c, count, voters, &config, seed);
    h->c.break_ack_early = sabotage == PROMISES_EARLY;
    h->c.ack_apply = prng_chance(&h->prng, 1, 2);
    history_watch(h);
    return h;
}

static const char *run_history(uint64_t seed, enum sabotage sabotage, struct totals *totals)
{
    struct history *h = history_new(seed, sabotage);
    uint32_t steps = h->calm ? CALM_STEPS : STEPS;
    for (uint32_t step = 0; step < steps && h->failure == NULL; step++)
        act(h);
    if (h->failure == NULL)
        heal(h);
    totals->histories++;
    totals->elections += h->elections;
    totals->commits += h->committed;
    totals->reads_ok += h->reads_ok;
    totals->changes += h->changes;
    totals->transfers += h->transfers;
    totals->snapshots += h->snapshots;
    const char *failure = h->failure;
    cluster_free(&h->c);
    mem_free(h);
    return failure;
}

static uint64_t environment_number(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : fallback;
}

static void test_histories(void **state)
{
    (void)state;
    uint64_t first = environment_number("RAFT_SEED", 1);
    uint64_t count = getenv("RAFT_SEED") ? 1 : environment_number("RAFT_SEEDS", 1500);
    struct totals totals = {0};
    uint64_t failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++)
        failed += run_history(seed, NOTHING_BROKEN, &totals) != NULL;
    printf("# %" PRIu64 " histories, %" PRIu64 " elections, %" PRIu64 " commits, %" PRIu64
           " reads, %" PRIu64 " changes, %" PRIu64 " transfers, %" PRIu64 " snapshots, %" PRIu64
           " failed\n",
           totals.histories, totals.elections, totals.commits, totals.reads_ok, totals.changes,
           totals.transfers, totals.snapshots, failed);
    assert_int_equal(failed, 0);
    /* Histories in which nothing happens would prove nothing. */
    assert_true(totals.elections > totals.histories);
    assert_true(totals.commits > totals.histories * 10);
    assert_true(totals.reads_ok > totals.histories);
    assert_true(totals.changes > totals.histories);
    assert_true(totals.transfers * 2 > totals.histories);
    assert_true(totals.snapshots * 2 > totals.histories);
}

static uint64_t caught(enum sabotage sabotage, uint64_t seeds)
{
    struct totals totals = {0};
    uint64_t count = 0;
    setenv("RAFT_QUIET", "1", 1);
    for (uint64_t seed = 1; seed <= seeds; seed++)
        count += run_history(seed, sabotage, &totals) != NULL;
    unsetenv("RAFT_QUIET");
    return count;
}

/* The checkers can fail: an owner that sends promises before they are durable is caught. */
static void test_early_promises_are_caught(void **state)
{
    (void)state;
    uint64_t count = caught(PROMISES_EARLY, 20);
    printf("# early promises: %" PRIu64 " of 20 seeds\n", count);
    assert_true(count > 5);
}

/* So is a lease that outlives the promise it rests on. */
static void test_long_leases_are_caught(void **state)
{
    (void)state;
    uint64_t count = caught(LEASE_TOO_LONG, 120);
    printf("# long leases: %" PRIu64 " of 120 seeds\n", count);
    assert_true(count > 1);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL); /* much goes wrong here on purpose */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_early_promises_are_caught),
        cmocka_unit_test(test_long_leases_are_caught),
    };
    return cmocka_run_group_tests_name("raft_random", tests, NULL, NULL);
}
