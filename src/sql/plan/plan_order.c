/* In which order a set of inputs is joined.
 *
 * Dynamic programming over sets of inputs, as in Selinger et al., "Access Path Selection in a
 * Relational Database Management System" (1979), with trees of any shape: the best way to join a
 * set is the best one to join two parts of it, each in its best way, of all pairs of parts that are
 * connected by a condition (Moerkotte and Neumann, "Analysis of Two Existing and One New Dynamic
 * Programming Algorithm for the Generation of Optimal Bushy Join Trees without Cross Products",
 * 2006; theirs is DPsub). Sets are words with a bit an input, so their numeric order has each set
 * behind its parts. What nothing connects is taken as connected by its smallest inputs.
 *
 * "Best" is of several kinds, so a set may keep several ways: the cheapest; the cheapest whose rows
 * come in the order wished for; and dearer ones that ascend by something a merge join can use.
 *
 * What LIMIT asks for. A way that begins with rows in the order wished for ends as soon as there
 * are enough: it is costed as the part of the whole that is then read. Such a way is only ever the
 * left part of another, for a right part is read to its end.
 *
 * SEMI and ANTI joins of the set's rows stand among the inputs: they may be joined, as a right part
 * of one input, wherever all that their condition speaks of is in the left part.
 *
 * Pairs of parts grow as 3^n where everything is connected. From INPUTS_EXACT inputs on, or when
 * there prove to be too many pairs, the order is greedy and left-deep: the smallest input, or the
 * one that gives the wished order, then always the connected one that leaves the fewest rows. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_order_int.h"

enum { INPUTS_EXACT = 10, PAIRS_EXACT = 8000, LINKS_PAIR = 64 };

static const struct wish no_wish;

/* ---- two parts --------------------------------------------------------------------------------
 */

/* May a set be the right part of one with this left part, and the left one in turn? */
static bool may_join(const struct cluster *cluster, uint64_t left, uint64_t right)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!plan__is_partial(cluster, i))
            continue;
        if (left == plan__bit(i) || (right == plan__bit(i) && (cluster->needs[i] & ~left)))
            return false;
    }
    return true;
}

/* The look-up of an input depends on those of its links that the left part has. */
static void weigh_lookup(struct cluster *cluster, uint64_t left, uint32_t input, struct join *join)
{
    left &= cluster->neighbors[input] | cluster->needs[input];
    for (const struct weighed *known = cluster->weighed[input]; known; known = known->next) {
        if (known->left == left) {
            join->lookup = known->lookup;
            return;
        }
    }
    plan__weigh_join_lookup(join);
    struct weighed *weighed = arena_alloc(cluster->planner->arena, sizeof *weighed);
    *weighed = (struct weighed){left, join->lookup, cluster->weighed[input]};
    cluster->weighed[input] = weighed;
}

/* Does the first come in every order the second comes in, at no greater cost? */
static bool is_better(const struct way *a, const struct way *b)
{
    if (a->stage.cost > b->stage.cost || a->early != b->early ||
        (b->stage.ordered && !a->stage.ordered) || a->stage.order_count < b->stage.order_count)
        return false;
    return b->stage.order_count == 0 || memcmp(a->stage.order, b->stage.order,
                                               b->stage.order_count * sizeof *b->stage.order) == 0;
}

/* An order is of use only while a link that is still to come has its first column. */
static void forget_order(const struct cluster *cluster, uint64_t inputs, struct stage *stage)
{
    bool useful = false;
    for (uint32_t i = 0; i < cluster->link_count && stage->order_count > 0 && !useful; i++)
        useful = (cluster->link_inputs[i] & ~inputs) &&
                 plan__equates_slot(&cluster->links[i], stage->order[0]);
    if (!useful)
        stage->order_count = 0;
}

/* A copy of the way is kept unless there is a better one. */
static void keep(const struct cluster *cluster, struct ways *ways, const struct way *way)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ways->count; i++) {
        if (is_better(ways->items[i], way))
            return;
    }
    for (uint32_t i = 0; i < ways->count; i++) {
        if (!is_better(way, ways->items[i]))
            ways->items[kept++] = ways->items[i];
    }
    ways->count = kept;
    if (kept == WAYS_MAX)
        return; /* of the many orders the first ones stay */
    struct way *copy = arena_alloc(cluster->planner->arena, sizeof *copy);
    *copy = *way;
    ways->items[ways->count++] = copy;
}

static struct join join_of(const struct cluster *cluster, const struct way *left,
                           const struct way *right, const struct link **links)
{
    uint32_t input = (uint32_t)__builtin_ctzll(right->inputs);
    const struct from_node *node = right->left ? NULL : cluster->node->inputs[input];
    struct join join = {.planner = cluster->planner,
                        .query = cluster->query,
                        .kind = node ? node->joined_as : JOIN_INNER,
                        .left = left->stage,
                        .right = right->stage,
                        .left_relations = plan__cluster_relations(cluster, left->inputs),
                        .right_relations = plan__cluster_relations(cluster, right->inputs),
                        .right_node = node,
                        .links = links,
                        .fraction = left->early ? cluster->fraction : 1};
    plan__cluster_links(cluster, left->inputs, right->inputs, &join);
    double selectivity = 1;
    for (uint32_t i = 0; i < join.link_count; i++)
        selectivity *= join.links[i]->selectivity;
    join.rows = plan__join_rows(join.kind, left->stage.rows, right->stage.rows, selectivity);
    return join;
}

/* All ways to join two sets, into those of both together. */
static void consider(struct cluster *cluster, const struct ways *lefts, const struct ways *rights,
                     struct ways *out)
{
    if (lefts->count == 0 || rights->count == 0 ||
        !may_join(cluster, lefts->items[0]->inputs, rights->items[0]->inputs))
        return;
    cluster->pairs += 1 + cluster->link_count / LINKS_PAIR;
    struct join join = join_of(cluster, lefts->items[0], rights->items[0], cluster->links_chosen);
    if (!rights->items[0]->left)
        weigh_lookup(cluster, lefts->items[0]->inputs,
                     (uint32_t)__builtin_ctzll(rights->items[0]->inputs), &join);
    if (out->count == 0)
        out->rows = join.rows;
    join.rows = out->rows; /* whatever way it is made */
    for (uint32_t l = 0; l < lefts->count; l++) {
        for (uint32_t r = 0; r < rights->count; r++) {
            const struct way *left = lefts->items[l], *right = rights->items[r];
            struct way way = {.left = left, .right = right, .early = left->early};
            if (right->early)
                continue;
            join.left = left->stage;
            join.right = right->stage;
            join.fraction = left->early ? cluster->fraction : 1;
            way.method = plan__join_method(&join, &way.stage);
            way.inputs = left->inputs | right->inputs;
            forget_order(cluster, way.inputs, &way.stage);
            keep(cluster, out, &way);
        }
    }
}

/* ---- single inputs ----------------------------------------------------------------------------
 */

static void keep_single(struct cluster *cluster, uint32_t input, const struct stage *stage,
                        bool early)
{
    struct way way = {.stage = *stage, .inputs = plan__bit(input), .early = early};
    forget_order(cluster, way.inputs, &way.stage);
    keep(cluster, &cluster->singles[input], &way);
    cluster->singles[input].rows = cluster->singles[input].items[0]->stage.rows;
}

/* In the order wished for, when all it speaks of is in this input. */
static status_t choose_wished(struct cluster *cluster, uint32_t input)
{
    const struct wish *wish = cluster->wish;
    struct from_node *node = cluster->node->inputs[input];
    uint64_t relations = 0;
    for (uint32_t i = 0; i < wish->key_count; i++)
        relations |= plan__relations(cluster->query, wish->keys[i].expr);
    bool is_table = node->leaf && cluster->query->relations[node->relation].table;
    if (plan__is_partial(cluster, input) || (relations & ~node->relations) ||
        (wish->key_count == 0 ? !is_table || wish->limit == 0 : relations == 0))
        return OK;
    struct wish own = *wish;
    struct stage stage;
    own.exact_limit = 0; /* other inputs may drop some of them */
    if (wish->limit > 0)
        own.limit = fmax(1, cluster->fraction * cluster->singles[input].rows);
    status_t status = plan__choose_from(cluster->planner, cluster->query, node, &own, &stage);
    if (!status && stage.ordered)
        keep_single(cluster, input, &stage, wish->limit > 0);
    return status;
}

/* By each index that begins with a column that another input's is equal to. */
static void choose_for_merge(struct cluster *cluster, uint32_t input)
{
    struct from_node *node = cluster->node->inputs[input];
    const struct relation *relation = &cluster->query->relations[node->leaf ? node->relation : 0];
    if (!node->leaf || !relation->table || cluster->planner->options->no_merge_join)
        return;
    for (uint32_t i = 0; i < relation->table->index_count; i++) {
        uint32_t place = relation->table->indexes[i].columns[0];
        uint32_t slot = relation->slot_first + place;
        bool links = false;
        if (place >= relation->table->column_count)
            continue; /* an expression has no slot */
        for (uint32_t k = 0; k < cluster->link_count && !links; k++)
            links = plan__equates_slot(&cluster->links[k], slot);
        if (!links)
            continue;
        struct sort_key key = {.expr = plan__column(cluster->planner, cluster->query, slot, 0)};
        struct wish wish = {.keys = &key, .key_count = 1};
        struct stage stage;
        plan__choose_scan(cluster->planner, cluster->query, node->relation, &node->filters, &wish,
                          &stage);
        if (!stage.ordered || stage.order_count == 0 || stage.order[0] != slot)
            continue;
        stage.ordered = cluster->wish->key_count == 0;
        keep_single(cluster, input, &stage, false);
    }
}

static status_t choose_singles(struct cluster *cluster)
{
    double rows = 1;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct stage stage;
        status_t status = plan__choose_from(cluster->planner, cluster->query,
                                            cluster->node->inputs[i], &no_wish, &stage);
        if (status)
            return status;
        stage.ordered = cluster->wish->key_count == 0;
        keep_single(cluster, i, &stage, false);
        rows *= plan__is_partial(cluster, i) ? 1 : stage.rows;
    }
    for (uint32_t i = 0; i < cluster->link_count; i++)
        rows *= cluster->link_owner[i] == NOWHERE ? cluster->links[i].selectivity : 1;
    cluster->fraction = fmin(1, cluster->wish->limit / fmax(1, rows));
    for (uint32_t i = 0; i < cluster->count; i++) {
        status_t status = choose_wished(cluster, i);
        if (status)
            return status;
        choose_for_merge(cluster, i);
    }
    return OK;
}

/* ---- orders -----------------------------------------------------------------------------------
 */

static double final_cost(const struct cluster *cluster, const struct way *way)
{
    double sort = plan__sort_cost(way->stage.rows, cluster->wish->limit);
    return way->stage.cost + (way->stage.ordered ? 0 : sort);
}

static const struct way *cheapest(const struct cluster *cluster, const struct ways *ways)
{
    const struct way *best = NULL;
    for (uint32_t i = 0; i < ways->count; i++) {
        if (!best || final_cost(cluster, ways->items[i]) < final_cost(cluster, best))
            best = ways->items[i];
    }
    return best;
}

/* The best of all orders; NULL when there are too many to look at. */
static const struct way *order_exactly(struct cluster *cluster)
{
    if (cluster->count > INPUTS_EXACT)
        return NULL;
    uint64_t all = plan__bit(cluster->count) - 1;
    struct ways *sets = arena_zalloc(cluster->planner->arena, (all + 1) * sizeof *sets);
    for (uint64_t set = 1; set <= all; set++) {
        if ((set & (set - 1)) == 0) {
            sets[set] = cluster->singles[__builtin_ctzll(set)];
            continue;
        }
        if (plan__cluster_reached(cluster, set & ~(set - 1), set) != set)
            continue;
        /* The parts in ascending order: of two that cost the same the one written first leads. */
        for (uint64_t left = set & ~(set - 1); left != set; left = (left - set) & set)
            consider(cluster, &sets[left], &sets[set & ~left], &sets[set]);
        if (cluster->pairs > PAIRS_EXACT || plan__poll(cluster->planner) != OK)
            return NULL;
    }
    return cheapest(cluster, &sets[all]);
}

/* The input that leaves the fewest rows, a connected one if there is any. */
static uint32_t next_input(struct cluster *cluster, uint64_t joined, const struct ways *ways)
{
    uint32_t best = NOWHERE;
    bool best_connected = false;
    double best_rows = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if ((joined & plan__bit(i)) || (cluster->needs[i] & ~joined))
            continue;
        if (cluster->planner->options->no_join_order)
            return i;
        bool connected = cluster->neighbors[i] & joined;
        if (!connected && best_connected)
            continue;
        struct join join =
            join_of(cluster, ways->items[0], cluster->singles[i].items[0], cluster->links_chosen);
        bool better = best == NOWHERE || (connected && !best_connected) ||
                      (connected == best_connected && join.rows < best_rows);
        if (better) {
            best = i;
            best_connected = connected;
            best_rows = join.rows;
        }
    }
    ASSERT(best != NOWHERE);
    return best;
}

/* One input after the other, beginning with this one. */
static const struct way *order_from(struct cluster *cluster, uint32_t first)
{
    struct ways ways = cluster->singles[first];
    uint64_t joined = plan__bit(first);
    bool written = cluster->planner->options->no_join_order;
    for (uint32_t n = 1; n < cluster->count; n++) {
        uint32_t i = next_input(cluster, joined, &ways);
        struct ways both = {0};
        consider(cluster, &ways, &cluster->singles[i], &both);
        if (!written)
            consider(cluster, &cluster->singles[i], &ways, &both);
        ASSERT(both.count > 0);
        ways = both;
        joined |= plan__bit(i);
    }
    return cheapest(cluster, &ways);
}

static const struct way *order_greedily(struct cluster *cluster)
{
    uint32_t smallest = NOWHERE, leader = NOWHERE;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct ways *ways = &cluster->singles[i];
        bool is_first = smallest == NOWHERE || (!cluster->planner->options->no_join_order &&
                                                ways->rows < cluster->singles[smallest].rows);
        if (!plan__is_partial(cluster, i) && is_first)
            smallest = i;
        for (uint32_t k = 0; k < ways->count && cluster->wish->key_count > 0; k++)
            leader = ways->items[k]->stage.ordered ? i : leader;
    }
    ASSERT(smallest != NOWHERE);
    const struct way *way = order_from(cluster, smallest);
    if (leader == NOWHERE || leader == smallest || cluster->planner->options->no_join_order)
        return way;
    const struct way *led = order_from(cluster, leader);
    return final_cost(cluster, led) < final_cost(cluster, way) ? led : way;
}

/* ---- laid out ---------------------------------------------------------------------------------
 */

static void lay_out(struct cluster *cluster, const struct way *way, struct stage *out)
{
    *out = way->stage;
    if (!way->left)
        return;
    const struct link **links =
        arena_alloc(cluster->planner->arena, (cluster->link_count + 1) * sizeof(struct link *));
    struct join join = join_of(cluster, way->left, way->right, links);
    join.rows = way->stage.rows;
    lay_out(cluster, way->left, &join.left);
    if (way->method != PLAN_LOOKUP_JOIN)
        lay_out(cluster, way->right, &join.right);
    plan__lay_out_join(&join, way->method, out);
}

status_t plan__choose_inner(struct planner *planner, struct query *query, struct from_node *node,
                            const struct wish *wish, struct stage *out)
{
    ASSERT(node->kind == JOIN_INNER && !node->lateral);
    struct cluster cluster = plan__cluster_open(planner, query, node, wish);
    status_t status = choose_singles(&cluster);
    if (status)
        return status;
    plan__cluster_connect(&cluster);
    const struct way *way = planner->options->no_join_order ? NULL : order_exactly(&cluster);
    if (!way && (status = plan__poll(planner)))
        return status;
    if (!way)
        way = order_greedily(&cluster);
    lay_out(&cluster, way, out);
    plan__add_filter(planner, query, out, &node->filters);
    return OK;
}
