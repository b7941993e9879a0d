/* The shapes a network falls into. */
#include "base/check.h"
#include "sim.h"

enum shape {
    SHAPE_SIDES,  /* two groups that do not hear each other */
    SHAPE_SINGLE, /* one node alone */
    SHAPE_LEADER, /* the leader alone */
    SHAPE_STAR,   /* all hear one node only, and it hears all */
    SHAPE_RING,   /* each hears two neighbours */
    SHAPE_LINE,   /* the same without the link that closes it */
    SHAPE_BRIDGE, /* two groups with one node in both */
    SHAPE_LINKS,  /* any links, by lot */
    SHAPE_COUNT,
};

static const char *const shape_names[] = {"sides", "single", "leader", "star",
                                          "ring",  "line",   "bridge", "links"};

/* What the shape is drawn from. */
struct drawing {
    enum shape shape;
    uint32_t nodes;
    uint32_t one;                      /* the single node, the hub, the bridge */
    bool side[CLUSTER_NODES_MAX];      /* which of two groups */
    uint32_t place[CLUSTER_NODES_MAX]; /* in the ring */
};

static uint32_t distance(const struct drawing *d, uint32_t a, uint32_t b)
{
    uint32_t x = d->place[a], y = d->place[b];
    return x < y ? y - x : x - y;
}

static bool linked(struct sim *sim, const struct drawing *d, uint32_t a, uint32_t b)
{
    bool has_one = a == d->one || b == d->one;
    switch (d->shape) {
    case SHAPE_SIDES:
        return d->side[a] == d->side[b];
    case SHAPE_SINGLE:
    case SHAPE_LEADER:
        return !has_one;
    case SHAPE_STAR:
        return has_one;
    case SHAPE_RING:
        return distance(d, a, b) == 1 || distance(d, a, b) == d->nodes - 1;
    case SHAPE_LINE:
        return distance(d, a, b) == 1;
    case SHAPE_BRIDGE:
        return has_one || d->side[a] == d->side[b];
    case SHAPE_LINKS:
        return prng_chance(&sim->prng, 1, 2);
    case SHAPE_COUNT:
        break;
    }
    UNREACHABLE();
}

static void draw(struct sim *sim, struct drawing *d)
{
    struct prng *prng = &sim->prng;
    *d = (struct drawing){.shape = (enum shape)prng_below(prng, SHAPE_COUNT), .nodes = sim->nodes};
    int leader = cluster_leader(sim->cluster);
    d->one = d->shape == SHAPE_LEADER && leader >= 0 ? (uint32_t)leader
                                                     : (uint32_t)prng_below(prng, sim->nodes);
    for (uint32_t i = 0; i < sim->nodes; i++) {
        d->side[i] = prng_chance(prng, 1, 2);
        uint32_t at = (uint32_t)prng_below(prng, i + 1);
        d->place[i] = d->place[at];
        d->place[at] = i;
    }
}

void sim_network_partition(struct sim *sim)
{
    struct drawing d;
    draw(sim, &d);
    /* One way: what is cut is cut from lower to higher numbers, or into or out of the one. */
    bool one_way = prng_chance(&sim->prng, 1, 3);
    bool out = prng_chance(&sim->prng, 1, 2);
    uint32_t cuts = 0;
    for (uint32_t a = 0; a < sim->nodes; a++)
        for (uint32_t b = a + 1; b < sim->nodes; b++) {
            if (linked(sim, &d, a, b))
                continue;
            bool forward = a == d.one || (b != d.one && d.side[a]) ? out : !out;
            if (!one_way || forward)
                cluster_cut(sim->cluster, a, b, true);
            if (!one_way || !forward)
                cluster_cut(sim->cluster, b, a, true);
            cuts++;
        }
    cluster_note(sim->cluster, "cut shape=%s one=%u%s links=%u", shape_names[d.shape], d.one + 1,
                 one_way ? " one way" : "", cuts);
}

/* Some links come back, the others stay as they are. */
void sim_network_mend(struct sim *sim)
{
    cluster_note(sim->cluster, "some links come back");
    for (uint32_t a = 0; a < sim->nodes; a++)
        for (uint32_t b = 0; b < sim->nodes; b++)
            if (prng_chance(&sim->prng, 1, 2))
                cluster_cut(sim->cluster, a, b, false);
}
