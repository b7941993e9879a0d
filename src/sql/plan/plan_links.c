/* What links the inputs of a set that is to be joined.
 *
 * A link is a condition over several inputs. Of equalities that follow from each other (a family)
 * all are there, so that any two inputs of it can be joined first, and one of them is enough
 * between two parts. The conditions of a SEMI or ANTI join are links of that input alone, which is
 * joined where all that they speak of is to the left. What is on one input, and yet did not sink
 * into it, is a link of all inputs: it waits for the last join. */
#include "sql/plan/plan_order_int.h"

uint64_t plan__cluster_relations(const struct cluster *cluster, uint64_t inputs)
{
    uint64_t relations = 0;
    for (; inputs; inputs &= inputs - 1)
        relations |= cluster->node->inputs[__builtin_ctzll(inputs)]->relations;
    return relations;
}

static uint64_t inputs_of(const struct cluster *cluster, uint64_t relations)
{
    uint64_t inputs = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (cluster->node->inputs[i]->relations & relations)
            inputs |= plan__bit(i);
    }
    return inputs;
}

bool plan__equates_slot(const struct link *link, uint32_t slot)
{
    const struct expr *condition = link->condition;
    return link->is_equality && ((condition->arguments[0]->kind == EXPR_COLUMN &&
                                  condition->arguments[0]->index == slot) ||
                                 (condition->arguments[1]->kind == EXPR_COLUMN &&
                                  condition->arguments[1]->index == slot));
}

/* Of the links before, one that equates the slot; NOWHERE when there is none. */
static uint32_t family_with(const struct cluster *cluster, uint32_t before, uint32_t slot)
{
    for (uint32_t i = 0; i < before; i++) {
        if (cluster->link_family[i] != NOWHERE && plan__equates_slot(&cluster->links[i], slot))
            return cluster->link_family[i];
    }
    return NOWHERE;
}

/* Two equalities of columns with a column in common are of one family. When all that follows from
 * them is there, too, one between two parts is enough. */
static void note_family(struct cluster *cluster, uint32_t at)
{
    const struct link *link = &cluster->links[at];
    if (!cluster->node->closed || !link->is_equality ||
        link->condition->arguments[0]->kind != EXPR_COLUMN ||
        link->condition->arguments[1]->kind != EXPR_COLUMN)
        return;
    uint32_t family = at;
    for (int side = 0; side < 2; side++) {
        uint32_t other = family_with(cluster, at, link->condition->arguments[side]->index);
        if (other == NOWHERE)
            continue;
        for (uint32_t i = 0; i < at && family != at; i++) {
            if (cluster->link_family[i] == other)
                cluster->link_family[i] = family;
        }
        family = family == at ? other : family;
    }
    cluster->link_family[at] = family;
}

static void add_link(struct cluster *cluster, struct expr *condition, uint32_t owner)
{
    uint32_t at = cluster->link_count++;
    cluster->links[at] = plan__link(cluster->planner, cluster->query, condition);
    uint64_t inputs = inputs_of(cluster, cluster->links[at].relations);
    /* What is on one input, and yet did not sink into it, waits for the last join. */
    bool joins = inputs & (inputs - 1);
    if (!joins && owner == NOWHERE)
        inputs = cluster->count == 64 ? UINT64_MAX : plan__bit(cluster->count) - 1;
    cluster->link_inputs[at] = inputs;
    cluster->link_owner[at] = owner;
    cluster->link_family[at] = NOWHERE;
    if (owner != NOWHERE) {
        cluster->needs[owner] |= inputs & ~plan__bit(owner);
        return;
    }
    note_family(cluster, at);
    for (uint32_t i = 0; i < cluster->count && joins; i++) {
        if (inputs & plan__bit(i))
            cluster->neighbors[i] |= inputs & ~plan__bit(i);
    }
}

/* The inputs that can be reached from one. */
uint64_t plan__cluster_reached(const struct cluster *cluster, uint64_t from, uint64_t within)
{
    uint64_t reached = from, edge = from;
    while (edge) {
        uint64_t next = 0;
        for (; edge; edge &= edge - 1)
            next |= cluster->neighbors[__builtin_ctzll(edge)];
        edge = next & within & ~reached;
        reached |= edge;
    }
    return reached;
}

/* SEMI and ANTI inputs with what their conditions speak of. */
static void connect_partials(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct from_node *input = cluster->node->inputs[i];
        for (uint32_t k = 0; plan__is_partial(cluster, i) && k < input->joined_on.count; k++)
            add_link(cluster, input->joined_on.items[k], i);
    }
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!plan__is_partial(cluster, i))
            continue;
        if (cluster->needs[i] == 0) /* a condition without the left side: any of it will do */
            cluster->needs[i] = plan__bit(0);
        cluster->neighbors[i] |= cluster->needs[i];
        for (uint64_t left = cluster->needs[i]; left; left &= left - 1)
            cluster->neighbors[__builtin_ctzll(left)] |= plan__bit(i);
    }
}

/* Parts that nothing connects: the smallest input of each with that of the next larger one. */
void plan__cluster_connect(struct cluster *cluster)
{
    uint64_t joined = 0;
    uint32_t last = NOWHERE;
    for (;;) {
        uint32_t next = NOWHERE;
        for (uint32_t i = 0; i < cluster->count; i++) {
            bool smaller =
                next == NOWHERE || cluster->singles[i].rows < cluster->singles[next].rows;
            if (!(joined & plan__bit(i)) && !plan__is_partial(cluster, i) && smaller)
                next = i;
        }
        if (next == NOWHERE)
            return;
        joined |= plan__cluster_reached(cluster, plan__bit(next), UINT64_MAX);
        if (last != NOWHERE) {
            cluster->neighbors[next] |= plan__bit(last);
            cluster->neighbors[last] |= plan__bit(next);
        }
        last = next;
    }
}

/* The links of each input; one that belongs to a SEMI or ANTI input is one of that, too. */
static void note_input_links(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < cluster->link_count; k++)
            count += (cluster->link_inputs[k] & plan__bit(i)) || cluster->link_owner[k] == i;
        cluster->input_links[i] =
            arena_alloc(cluster->planner->arena, (count + 1) * sizeof *cluster->input_links[i]);
        for (uint32_t k = 0; k < cluster->link_count; k++) {
            if ((cluster->link_inputs[k] & plan__bit(i)) || cluster->link_owner[k] == i)
                cluster->input_links[i][cluster->input_link_count[i]++] = k;
        }
        ASSERT(cluster->input_link_count[i] == count);
    }
}

struct cluster plan__cluster_open(struct planner *planner, struct query *query,
                                  struct from_node *node, const struct wish *wish)
{
    struct arena *arena = planner->arena;
    struct cluster cluster = {
        .planner = planner, .query = query, .node = node, .wish = wish, .count = node->input_count};
    uint32_t links = node->on.count;
    ASSERT(cluster.count > 0 && cluster.count <= RELATIONS_MAX);
    for (uint32_t i = 0; i < cluster.count; i++)
        links += node->inputs[i]->joined_on.count;
    cluster.neighbors = arena_zalloc(arena, cluster.count * sizeof *cluster.neighbors);
    cluster.needs = arena_zalloc(arena, cluster.count * sizeof *cluster.needs);
    cluster.weighed = arena_zalloc(arena, cluster.count * sizeof *cluster.weighed);
    cluster.singles = arena_zalloc(arena, cluster.count * sizeof *cluster.singles);
    cluster.links = arena_alloc(arena, (links + 1) * sizeof *cluster.links);
    cluster.links_chosen = arena_alloc(arena, (links + 1) * sizeof *cluster.links_chosen);
    cluster.link_inputs = arena_alloc(arena, (links + 1) * sizeof *cluster.link_inputs);
    cluster.link_owner = arena_alloc(arena, (links + 1) * sizeof *cluster.link_owner);
    cluster.link_family = arena_alloc(arena, (links + 1) * sizeof *cluster.link_family);
    for (uint32_t i = 0; i < node->on.count; i++)
        add_link(&cluster, node->on.items[i], NOWHERE);
    connect_partials(&cluster);
    plan__correlate_links(planner, query, cluster.links, cluster.link_count);
    note_input_links(&cluster);
    return cluster;
}

/* ---- asked ------------------------------------------------------------------------------------
 */

/* Whether a link is one between these parts: `partial` is the right part when that is one input. */
static bool is_between(const struct cluster *cluster, uint32_t link, uint64_t left, uint64_t right,
                       uint32_t partial)
{
    uint64_t inputs = cluster->link_inputs[link];
    uint32_t owner = cluster->link_owner[link];
    return owner == NOWHERE ? !(inputs & ~(left | right)) && (inputs & ~left) && (inputs & ~right)
                            : owner == partial;
}

void plan__cluster_links(const struct cluster *cluster, uint64_t left, uint64_t right,
                         struct join *join)
{
    uint64_t families = 0;
    /* All links between two parts are links of the one input of either. */
    bool right_single = (right & (right - 1)) == 0, left_single = (left & (left - 1)) == 0;
    uint32_t partial = right_single ? (uint32_t)__builtin_ctzll(right) : NOWHERE;
    uint32_t single = right_single ? partial : (uint32_t)__builtin_ctzll(left);
    bool some = right_single || left_single;
    uint32_t count = some ? cluster->input_link_count[single] : cluster->link_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = some ? cluster->input_links[single][i] : i;
        uint32_t family = cluster->link_family[at];
        if (!is_between(cluster, at, left, right, partial) ||
            (family < 64 && (families & plan__bit(family))))
            continue;
        if (family < 64)
            families |= plan__bit(family);
        join->links[join->link_count++] = &cluster->links[at];
    }
}
