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

#include "sql/plan/plan_int.h"

enum { INPUTS_EXACT = 10, PAIRS_EXACT = 8000, WAYS_MAX = 4 };

static const struct wish no_wish;

/* One way to join a set: an input by itself, or two ways joined by a method. */
struct way {
    struct stage stage; /* laid out for an input by itself */
    enum plan_kind method;
    uint64_t inputs;
    const struct way *left; /* NULL: an input by itself */
    const struct way *right;
    bool early; /* its cost counts on a LIMIT */
};

struct ways {
    const struct way *items[WAYS_MAX];
    uint32_t count;
    double rows;
};

/* Of one input, the look-ups that were weighed: what they cost depends on what is to the left. */
struct weighed {
    uint64_t left;
    struct lookup lookup;
    const struct weighed *next;
};

struct cluster {
    struct planner *planner;
    struct query *query;
    struct from_node *node;
    const struct wish *wish;
    double fraction; /* of the whole that the LIMIT asks for */
    uint32_t count;  /* inputs */
    uint64_t *neighbors;
    uint64_t *needs; /* of SEMI and ANTI: inputs that must be to the left; of others none */
    const struct weighed **weighed;
    struct ways *singles;
    struct link *links; /* of node->on, then those of each SEMI and ANTI */
    uint64_t *link_inputs;
    uint32_t *link_owner;  /* the SEMI or ANTI input, or NOWHERE */
    uint32_t *link_family; /* equalities that follow from each other have one; or NOWHERE */
    uint32_t link_count;
    const struct link **links_chosen; /* between the two parts at hand */
    uint32_t pairs;                   /* of parts that were looked at */
};

static uint64_t bit(uint32_t input)
{
    return UINT64_C(1) << input;
}

static bool is_partial(const struct cluster *cluster, uint32_t input)
{
    return cluster->node->inputs[input]->joined_as != JOIN_INNER;
}

static uint64_t relations_of(const struct cluster *cluster, uint64_t inputs)
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
            inputs |= bit(i);
    }
    return inputs;
}

/* ---- links ------------------------------------------------------------------------------------
 */

static bool equates_slot(const struct link *link, uint32_t slot)
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
        if (cluster->link_family[i] != NOWHERE && equates_slot(&cluster->links[i], slot))
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
        inputs = cluster->count == 64 ? UINT64_MAX : bit(cluster->count) - 1;
    cluster->link_inputs[at] = inputs;
    cluster->link_owner[at] = owner;
    cluster->link_family[at] = NOWHERE;
    if (owner != NOWHERE) {
        cluster->needs[owner] |= inputs & ~bit(owner);
        return;
    }
    note_family(cluster, at);
    for (uint32_t i = 0; i < cluster->count && joins; i++) {
        if (inputs & bit(i))
            cluster->neighbors[i] |= inputs & ~bit(i);
    }
}

/* The inputs that can be reached from one. */
static uint64_t reached_from(const struct cluster *cluster, uint64_t from, uint64_t within)
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
        for (uint32_t k = 0; is_partial(cluster, i) && k < input->joined_on.count; k++)
            add_link(cluster, input->joined_on.items[k], i);
    }
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!is_partial(cluster, i))
            continue;
        if (cluster->needs[i] == 0) /* a condition without the left side: any of it will do */
            cluster->needs[i] = bit(0);
        cluster->neighbors[i] |= cluster->needs[i];
        for (uint64_t left = cluster->needs[i]; left; left &= left - 1)
            cluster->neighbors[__builtin_ctzll(left)] |= bit(i);
    }
}

/* Parts that nothing connects: the smallest input of each with that of the next larger one. */
static void connect_parts(struct cluster *cluster)
{
    uint64_t joined = 0;
    uint32_t last = NOWHERE;
    for (;;) {
        uint32_t next = NOWHERE;
        for (uint32_t i = 0; i < cluster->count; i++) {
            bool smaller =
                next == NOWHERE || cluster->singles[i].rows < cluster->singles[next].rows;
            if (!(joined & bit(i)) && !is_partial(cluster, i) && smaller)
                next = i;
        }
        if (next == NOWHERE)
            return;
        joined |= reached_from(cluster, bit(next), UINT64_MAX);
        if (last != NOWHERE) {
            cluster->neighbors[next] |= bit(last);
            cluster->neighbors[last] |= bit(next);
        }
        last = next;
    }
}

/* ---- two parts --------------------------------------------------------------------------------
 */

/* May a set be the right part of one with this left part, and the left one in turn? */
static bool may_join(const struct cluster *cluster, uint64_t left, uint64_t right)
{
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (!is_partial(cluster, i))
            continue;
        if (left == bit(i) || (right == bit(i) && (cluster->needs[i] & ~left)))
            return false;
    }
    return true;
}

static void collect_links(const struct cluster *cluster, uint64_t left, uint64_t right,
                          struct join *join)
{
    uint64_t families = 0;
    uint32_t partial = (right & (right - 1)) == 0 ? (uint32_t)__builtin_ctzll(right) : NOWHERE;
    for (uint32_t i = 0; i < cluster->link_count; i++) {
        uint64_t inputs = cluster->link_inputs[i];
        uint32_t owner = cluster->link_owner[i];
        bool here = owner == NOWHERE
                        ? !(inputs & ~(left | right)) && (inputs & ~left) && (inputs & ~right)
                        : owner == partial;
        uint32_t family = cluster->link_family[i];
        if (!here || (family < 64 && (families & bit(family))))
            continue;
        if (family < 64)
            families |= bit(family);
        join->links[join->link_count++] = &cluster->links[i];
    }
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
                 equates_slot(&cluster->links[i], stage->order[0]);
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
                        .left_relations = relations_of(cluster, left->inputs),
                        .right_relations = relations_of(cluster, right->inputs),
                        .right_node = node,
                        .links = links,
                        .fraction = left->early ? cluster->fraction : 1};
    collect_links(cluster, left->inputs, right->inputs, &join);
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
    cluster->pairs++;
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
    struct way way = {.stage = *stage, .inputs = bit(input), .early = early};
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
    if (is_partial(cluster, input) || (relations & ~node->relations) ||
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
            links = equates_slot(&cluster->links[k], slot);
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
        rows *= is_partial(cluster, i) ? 1 : stage.rows;
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
    uint64_t all = bit(cluster->count) - 1;
    struct ways *sets = arena_zalloc(cluster->planner->arena, (all + 1) * sizeof *sets);
    for (uint64_t set = 1; set <= all; set++) {
        if ((set & (set - 1)) == 0) {
            sets[set] = cluster->singles[__builtin_ctzll(set)];
            continue;
        }
        if (reached_from(cluster, set & ~(set - 1), set) != set)
            continue;
        /* The parts in ascending order: of two that cost the same the one written first leads. */
        for (uint64_t left = set & ~(set - 1); left != set; left = (left - set) & set)
            consider(cluster, &sets[left], &sets[set & ~left], &sets[set]);
        if (cluster->pairs > PAIRS_EXACT)
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
        if ((joined & bit(i)) || (cluster->needs[i] & ~joined))
            continue;
        if (cluster->planner->options->no_join_order)
            return i;
        struct join join =
            join_of(cluster, ways->items[0], cluster->singles[i].items[0], cluster->links_chosen);
        bool connected = cluster->neighbors[i] & joined;
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
    uint64_t joined = bit(first);
    bool written = cluster->planner->options->no_join_order;
    for (uint32_t n = 1; n < cluster->count; n++) {
        uint32_t i = next_input(cluster, joined, &ways);
        struct ways both = {0};
        consider(cluster, &ways, &cluster->singles[i], &both);
        if (!written)
            consider(cluster, &cluster->singles[i], &ways, &both);
        ASSERT(both.count > 0);
        ways = both;
        joined |= bit(i);
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
        if (!is_partial(cluster, i) && is_first)
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

static struct cluster open_cluster(struct planner *planner, struct query *query,
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
    return cluster;
}

status_t plan__choose_inner(struct planner *planner, struct query *query, struct from_node *node,
                            const struct wish *wish, struct stage *out)
{
    ASSERT(node->kind == JOIN_INNER && !node->lateral);
    struct cluster cluster = open_cluster(planner, query, node, wish);
    status_t status = choose_singles(&cluster);
    if (status)
        return status;
    connect_parts(&cluster);
    const struct way *way = planner->options->no_join_order ? NULL : order_exactly(&cluster);
    if (!way)
        way = order_greedily(&cluster);
    lay_out(&cluster, way, out);
    plan__add_filter(planner, query, out, &node->filters);
    return OK;
}
