/* Safety by random histories: clusters of 3 and 5 nodes under lost, repeated and reordered
 * messages, partitions, slow disks and power cuts, one seed a history. After each step the checkers
 * below hold the properties of Figure 3 of the paper, and what the header promises:
 *
 *   Election Safety       at most one leader a term
 *   one vote              no node is heard voting twice in a term, over restarts too
 *   Log Matching          (index, term) names one entry and one predecessor, everywhere, for ever
 *   durable quorum        what counts as committed anywhere is on the disks of a majority
 *   Leader Completeness   a new leader's log holds all that is committed
 *   State Machine Safety  no two nodes apply different entries at one index
 *   linearizable reads    the index answered is not below any commit known when the read was asked
 *   liveness              when the faults end, all nodes come to apply a fresh proposal
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
#include "base/mem.h"
#include "raft_cluster.h"

enum { TERMS_MAX = 4096, LOG_MAX = 8192, READS_MAX = 4096, STEPS = 2000 };

/* (index, term) -> content and predecessor: an open hash table. */
struct known_entry {
    uint64_t index, term, previous_term, hash;
};

struct history {
    struct cluster c;
    struct prng prng;
    uint64_t seed;
    uint32_t leader_of_term[TERMS_MAX];
    uint32_t vote_of_term[TERMS_MAX][CLUSTER_NODES_MAX];
    struct known_entry known[LOG_MAX * 2];
    uint64_t committed_term[LOG_MAX]; /* by index */
    uint64_t committed_hash[LOG_MAX]; /* by index, set when first applied */
    uint64_t committed;
    uint64_t commit_seen[CLUSTER_NODES_MAX];
    uint64_t handed_terms[CLUSTER_NODES_MAX][LOG_MAX]; /* mirror of what each node gave its log */
    uint64_t read_floor[READS_MAX];
    uint8_t read_state[READS_MAX]; /* 1 asked, 2 answered */
    uint32_t reads;
    uint64_t reads_ok, elections;
    bool cut[CLUSTER_NODES_MAX][CLUSTER_NODES_MAX];
    uint64_t proposals;
    const char *failure;
};

static void fail_history(struct history *h, const char *what)
{
    if (h->failure == NULL) {
        h->failure = what;
        if (getenv("RAFT_QUIET") == NULL)
            fprintf(stderr, "# seed %" PRIu64 ": %s\n", h->seed, what);
    }
}

static void require(struct history *h, bool holds, const char *what)
{
    if (!holds)
        fail_history(h, what);
}

static void vote_heard(struct history *h, uint64_t term, uint64_t voter, uint64_t candidate)
{
    ASSERT(term < TERMS_MAX);
    uint32_t *vote = &h->vote_of_term[term][voter - 1];
    require(h, *vote == 0 || *vote == candidate, "a node voted twice in one term");
    *vote = (uint32_t)candidate;
}

static void observe_sent(void *context, struct node *node, const struct raft_message *m)
{
    struct history *h = context;
    require(h, m->from == node->id && m->to != node->id, "message with a wrong sender");
    if (m->type == RAFT_VOTE)
        vote_heard(h, m->term, m->from, m->from);
    if (m->type == RAFT_VOTE_RESPONSE && !m->reject)
        vote_heard(h, m->term, m->from, m->to);
}

static void entry_seen(struct history *h, const struct raft_entry *e, uint64_t previous_term)
{
    uint64_t hash = slice_hash(e->data) ^ e->type;
    uint64_t at = (e->index * 31 + e->term * 7919) % (LOG_MAX * 2);
    while (h->known[at].index != 0 &&
           (h->known[at].index != e->index || h->known[at].term != e->term))
        at = (at + 1) % (LOG_MAX * 2);
    struct known_entry *k = &h->known[at];
    if (k->index == 0)
        *k = (struct known_entry){e->index, e->term, previous_term, hash};
    require(h, k->previous_term == previous_term && k->hash == hash, "log matching is broken");
}

static void observe_bundle(void *context, struct node *node, const struct raft_ready *ready)
{
    struct history *h = context;
    uint64_t *terms = h->handed_terms[node->id - 1];
    for (uint32_t i = 0; i < ready->entry_count; i++) {
        const struct raft_entry *e = &ready->entries[i];
        ASSERT(e->index < LOG_MAX);
        entry_seen(h, e, terms[e->index - 1]);
        terms[e->index] = e->term;
    }
    if (ready->has_hard_state && ready->entry_count > 0)
        require(h, ready->hard_state.commit <= ready->entries[ready->entry_count - 1].index,
                "hard state commits more than is stored");
}

static void observe_applied(void *context, struct node *node, const struct raft_entry *e)
{
    struct history *h = context;
    uint64_t hash = slice_hash(e->data) ^ e->type;
    require(h, e->index <= h->committed && h->committed_term[e->index] == e->term,
            "an entry was applied that is not committed");
    if (h->committed_hash[e->index] == 0)
        h->committed_hash[e->index] = hash;
    require(h, h->committed_hash[e->index] == hash, "state machines differ");
    (void)node;
}

static void observe_read(void *context, struct node *node, const struct raft_read_state *read)
{
    struct history *h = context;
    (void)node;
    ASSERT(read->context < h->reads);
    require(h, h->read_state[read->context] == 1, "a read was answered twice");
    h->read_state[read->context] = 2;
    if (read->status == OK) {
        require(h, read->index >= h->read_floor[read->context], "a read went back in time");
        h->reads_ok++;
    }
}

static uint32_t durable_copies(struct history *h, uint64_t index, uint64_t term)
{
    uint32_t copies = 0;
    for (uint32_t i = 0; i < h->c.count; i++) {
        const struct disk *disk = &h->c.nodes[i].disk;
        copies += disk->count >= index && disk->entries[index - 1].term == term;
    }
    return copies;
}

static void check_commits(struct history *h, struct node *node, const struct raft_status *s)
{
    uint64_t *seen = &h->commit_seen[node->id - 1];
    for (uint64_t i = *seen + 1; i <= s->commit; i++) {
        uint64_t term = node_term(node, i);
        if (i > h->committed) {
            require(h, i == h->committed + 1, "commits skip an index");
            h->committed = i;
            h->committed_term[i] = term;
            require(h, durable_copies(h, i, term) >= h->c.count / 2 + 1,
                    "an entry is committed that a majority does not hold on disk");
        }
        require(h, h->committed_term[i] == term, "two nodes commit different entries");
    }
    if (s->commit > *seen)
        *seen = s->commit;
}

static void check_leader(struct history *h, struct node *node, const struct raft_status *s)
{
    ASSERT(s->term < TERMS_MAX);
    uint32_t *leader = &h->leader_of_term[s->term];
    if (*leader == node->id)
        return;
    require(h, *leader == 0, "two leaders in one term");
    *leader = (uint32_t)node->id;
    h->elections++;
    for (uint64_t i = 1; i <= h->committed; i++)
        require(h, node_term(node, i) == h->committed_term[i],
                "a new leader lacks a committed entry");
}

static void check(struct history *h)
{
    for (uint32_t i = 0; i < h->c.count; i++) {
        struct node *node = &h->c.nodes[i];
        if (node->raft == NULL)
            continue;
        struct raft_status s;
        raft_status(node->raft, &s);
        check_commits(h, node, &s);
        if (s.role == RAFT_LEADER)
            check_leader(h, node, &s);
    }
}

static void after(struct history *h, struct node *node)
{
    /* First the checkers, for applying and answering rely on what they noted. */
    check(h);
    node_pump(node);
    check(h);
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
    for (uint32_t i = 0; i < node->disk.count; i++)
        terms[i + 1] = node->disk.entries[i].term;
    node_start(node);
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
    require(h, status == OK || status == ERR_NOT_LEADER || status == ERR_BUSY,
            "a proposal was refused oddly");
    if (prng_chance(&h->prng, 3, 4))
        after(h, node);
}

static void act_read(struct history *h, struct node *node)
{
    if (h->reads == READS_MAX)
        return;
    if (raft_read_index(node->raft, h->reads) == OK) {
        h->read_floor[h->reads] = h->committed;
        h->read_state[h->reads++] = 1;
    }
    if (prng_chance(&h->prng, 3, 4))
        after(h, node);
}

static void act_partition(struct history *h)
{
    bool side[CLUSTER_NODES_MAX];
    bool heal = prng_chance(&h->prng, 1, 2);
    bool one_way = prng_chance(&h->prng, 1, 4);
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
    status_t status = cluster_deliver(c, at);
    require(h, status == OK, "a message of a correct node was refused");
    if (c->nodes[to - 1].raft)
        after(h, cluster_node(c, to));
}

static void act(struct history *h)
{
    struct cluster *c = &h->c;
    struct node *node = &c->nodes[prng_below(&h->prng, c->count)];
    uint64_t dice = prng_below(&h->prng, 1000);
    if (dice < 4) {
        act_partition(h);
    } else if (node->raft == NULL) {
        if (dice < 200)
            act_start(h, node);
    } else if (dice < 8) {
        act_crash(h, node);
    } else if (dice < 170) {
        raft_tick(node->raft);
        after(h, node);
    } else if (dice < 340) {
        node_persist(node);
        after(h, node);
    } else if (dice < 400) {
        act_propose(h, node);
    } else if (dice < 440) {
        act_read(h, node);
    } else if (dice < 480) {
        node_ack_applied(node);
        after(h, node);
    } else {
        act_network(h);
    }
}

static bool all_applied(struct history *h, uint64_t index)
{
    for (uint32_t i = 0; i < h->c.count; i++)
        if (h->c.nodes[i].applied_count < index)
            return false;
    return index > 0;
}

/* The faults end: does the cluster come to work again? */
static void heal(struct history *h)
{
    struct cluster *c = &h->c;
    memset(h->cut, 0, sizeof h->cut);
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i].raft == NULL)
            act_start(h, &c->nodes[i]);
    uint64_t target = 0, target_term = 0;
    for (uint32_t round = 0; round < 300 && h->failure == NULL; round++) {
        for (uint32_t i = 0; i < c->count; i++) {
            raft_tick(c->nodes[i].raft);
            after(h, &c->nodes[i]);
        }
        for (uint32_t budget = 5000; c->network_count > 0 && budget > 0; budget--) {
            uint64_t to = c->network[0]->m.to;
            require(h, cluster_deliver(c, 0) == OK, "a message of a correct node was refused");
            after(h, cluster_node(c, to));
            for (uint32_t i = 0; i < c->count; i++) {
                node_ack_applied(&c->nodes[i]);
                while (node_persist(&c->nodes[i]))
                    after(h, &c->nodes[i]);
            }
        }
        for (uint32_t i = 0; i < c->count; i++) {
            while (node_persist(&c->nodes[i]))
                after(h, &c->nodes[i]);
            struct raft_status s;
            raft_status(c->nodes[i].raft, &s);
            if (s.role != RAFT_LEADER || s.term == target_term)
                continue;
            struct slice data = slice_from_string("the last word");
            if (raft_propose(c->nodes[i].raft, &data, 1, &target) == OK)
                target_term = s.term;
            after(h, &c->nodes[i]);
        }
        if (all_applied(h, target) && h->c.nodes[0].applied[target - 1].term == target_term)
            return;
    }
    require(h, false, "the healed cluster does not come to work");
}

struct totals {
    uint64_t histories, elections, commits, reads_ok;
};

static struct history *history_new(uint64_t seed)
{
    struct history *h = mem_zalloc(1, sizeof *h);
    h->seed = seed;
    prng_seed(&h->prng, seed);
    struct raft_config config;
    raft_config_default(&config);
    /* Small limits, so that they are met. */
    config.election_timeout_ticks = 5;
    static const size_t append_bytes[] = {1, 40, 4096};
    config.max_append_bytes = append_bytes[prng_below(&h->prng, 3)];
    config.max_inflight_messages = (uint32_t)prng_between(&h->prng, 1, 6);
    config.max_inflight_bytes = prng_chance(&h->prng, 1, 2) ? 100 : 100000;
    config.max_uncommitted_bytes = prng_chance(&h->prng, 1, 4) ? 500 : 100000;
    config.max_cached_bytes = prng_chance(&h->prng, 1, 2) ? 1 : 400;
    config.max_apply_bytes = prng_chance(&h->prng, 1, 2) ? 1 : 1000;
    config.pre_vote = !prng_chance(&h->prng, 1, 4);
    config.check_quorum = !prng_chance(&h->prng, 1, 4);
    cluster_init(&h->c, prng_chance(&h->prng, 1, 2) ? 3 : 5, &config, seed);
    h->c.ack_apply = prng_chance(&h->prng, 1, 2);
    h->c.observer = (struct cluster_observer){.context = h,
                                              .sent = observe_sent,
                                              .bundle = observe_bundle,
                                              .applied = observe_applied,
                                              .read = observe_read};
    return h;
}

static const char *run_history(uint64_t seed, bool ack_early, struct totals *totals)
{
    struct history *h = history_new(seed);
    h->c.break_ack_early = ack_early;
    for (uint32_t step = 0; step < STEPS && h->failure == NULL; step++)
        act(h);
    if (h->failure == NULL)
        heal(h);
    totals->histories++;
    totals->elections += h->elections;
    totals->commits += h->committed;
    totals->reads_ok += h->reads_ok;
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
        failed += run_history(seed, false, &totals) != NULL;
    printf("# %" PRIu64 " histories, %" PRIu64 " elections, %" PRIu64 " commits, %" PRIu64
           " reads, %" PRIu64 " failed\n",
           totals.histories, totals.elections, totals.commits, totals.reads_ok, failed);
    assert_int_equal(failed, 0);
    /* Histories in which nothing happens would prove nothing. */
    assert_true(totals.elections > totals.histories);
    assert_true(totals.commits > totals.histories * 10);
    assert_true(totals.reads_ok > totals.histories);
}

/* The checkers can fail: an owner that sends promises before they are durable is caught. */
static void test_early_promises_are_caught(void **state)
{
    (void)state;
    struct totals totals = {0};
    uint64_t caught = 0;
    setenv("RAFT_QUIET", "1", 1);
    for (uint64_t seed = 1; seed <= 20; seed++)
        caught += run_history(seed, true, &totals) != NULL;
    unsetenv("RAFT_QUIET");
    assert_true(caught > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_early_promises_are_caught),
    };
    return cmocka_run_group_tests_name("raft_random", tests, NULL, NULL);
}
