#include "support.h"

struct raft_config default_config(void)
{
    struct raft_config config;
    raft_config_default(&config);
    return config;
}

struct cluster *given_nodes(void **state, uint32_t nodes, uint32_t voters,
                            const struct raft_config *config)
{
    assert_null(*state);
    struct cluster *c = mem_zalloc(1, sizeof *c);
    cluster_init_some(c, nodes, voters, config, 1);
    *state = c;
    return c;
}

struct cluster *given_leader(void **state, uint32_t nodes, const struct raft_config *config)
{
    struct cluster *c = given_nodes(state, nodes, nodes, config);
    raft_campaign(c->nodes[0].raft);
    settle(c);
    assert_int_equal(status_of(c->nodes[0].raft).role, RAFT_LEADER);
    return c;
}

int cluster_teardown(void **state)
{
    if (*state) {
        cluster_free(*state);
        mem_free(*state);
    }
    *state = NULL;
    return 0;
}

void settle(struct cluster *c)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < c->count; i++) {
            node_pump(&c->nodes[i]);
            again |= node_persist(&c->nodes[i]);
        }
        if (c->network_count > 0) {
            assert_int_equal(cluster_deliver(c, 0), OK);
            again = true;
        }
    }
}

void drop_all(struct cluster *c)
{
    while (c->network_count > 0)
        cluster_drop(c, c->network_count - 1);
}

struct raft_status status_of(const struct raft *r)
{
    struct raft_status s;
    raft_status(r, &s);
    return s;
}

void propose(struct raft *r, const char *text)
{
    uint64_t index;
    struct slice data = slice_from_string(text);
    assert_int_equal(raft_propose(r, &data, 1, &index), OK);
}

status_t step_from(struct raft *r, uint64_t from, struct raft_message m)
{
    m.from = from;
    m.to = r->id;
    if (m.term == 0)
        m.term = r->term;
    return raft_step(r, &m);
}

struct raft_ready take(struct raft *r)
{
    struct raft_ready ready;
    assert_int_equal(raft_ready(r, &ready), OK);
    raft_advance(r);
    return ready;
}

struct raft_members members_upto(uint32_t voters, uint32_t learners)
{
    struct raft_members members = {.count = voters + learners};
    assert_true(members.count <= RAFT_MEMBERS_MAX);
    for (uint32_t i = 0; i < members.count; i++)
        members.items[i] = (struct raft_member){.id = i + 1, .voter = i < voters};
    return members;
}
