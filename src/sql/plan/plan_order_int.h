/* Inside the choice of a join order: a set of inputs (a cluster), what links them, and the ways to
 * join them. The links are found and kept by plan_links.c, the order by plan_order.c. */
#ifndef SQL_PLAN_PLAN_ORDER_INT_H
#define SQL_PLAN_PLAN_ORDER_INT_H

#include "sql/plan/plan_int.h"

enum { WAYS_MAX = 4 };

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
    uint32_t *input_links[RELATIONS_MAX]; /* of each input, ascending */
    uint32_t input_link_count[RELATIONS_MAX];
    const struct link **links_chosen; /* between the two parts at hand */
    uint32_t pairs;                   /* of parts that were looked at, as many as their links are */
};

static inline uint64_t plan__bit(uint32_t input)
{
    return UINT64_C(1) << input;
}

/* A SEMI or ANTI join of the set's rows. */
static inline bool plan__is_partial(const struct cluster *cluster, uint32_t input)
{
    return cluster->node->inputs[input]->joined_as != JOIN_INNER;
}

/* The inputs with their links; their ways are still to be found. */
struct cluster plan__cluster_open(struct planner *planner, struct query *query,
                                  struct from_node *node, const struct wish *wish);
/* Connects parts that nothing connects; the rows of the inputs are known by now. */
void plan__cluster_connect(struct cluster *cluster);
/* The inputs of `within` that can be reached from some. */
uint64_t plan__cluster_reached(const struct cluster *cluster, uint64_t from, uint64_t within);
/* Those of these inputs. */
uint64_t plan__cluster_relations(const struct cluster *cluster, uint64_t inputs);
/* The links between two parts, into the join's. */
void plan__cluster_links(const struct cluster *cluster, uint64_t left, uint64_t right,
                         struct join *join);
/* Does the link equate the column with another? */
bool plan__equates_slot(const struct link *link, uint32_t slot);

#endif
