/* Is it one of these? For IN with a list of constants, or with a subquery that is run once.
 *
 * Whole numbers that are near each other become a bitmap, counted from the least of them:
 *
 *     IN (3, 5, 9)    least 3, range 6, bits 1010001
 *
 * Other numbers, and texts, are in a table with open addressing, half full at most. Of a text its
 * size and its first eight bytes are in the slot, so that most questions are answered there.
 *
 * Whether a value is a member cannot be foreseen, and a processor that guesses wrong loses more
 * than the look-up takes. So few members get slots of their own: several multipliers are tried
 * until no two of them share one, and then a question is one look without a branch that goes by the
 * data. */
#include "sql/exec/member_set_int.h"

#include <string.h>

enum {
    BITS_OF_A_MEMBER = 64, /* of a bitmap, at most on average */
    BITS_FEW = 1 << 12,    /* of one that is small anyway */
    MEMBERS_FEW = 16,      /* that slots of their own are looked for */
    MULTIPLIERS_MAX = 32,  /* tried for them */
};

struct member {
    uint64_t head; /* a number, or a text's beginning */
    struct slice text;
    bool used;
};

struct member_set {
    bool is_text;
    uint64_t least; /* of a bitmap; range 0 and no bits: a table */
    uint64_t range;
    uint64_t *bits;
    struct member *slots;
    uint32_t slot_bits;
    uint64_t multiplier; /* of the hash */
    bool is_single;      /* each member is in the slot of its hash */
};

bool exec__member_type(enum sql_type type)
{
    enum sql_type storage = type_storage(type);
    return storage == SQL_INTEGER || storage == SQL_TEXT;
}

/* The first eight bytes, zeros where there are none. */
static inline uint64_t text_head(struct slice text)
{
    const uint8_t *data = text.data;
    size_t size = text.size;
    if (size >= 8)
        return get_u64_le(data);
    if (size >= 4)
        return get_u32_le(data) | (uint64_t)get_u32_le(data + size - 4) << 8 * (size - 4);
    if (size == 0)
        return 0;
    return data[0] | (uint64_t)data[size / 2] << 8 * (size / 2) |
           (uint64_t)data[size - 1] << 8 * (size - 1);
}

static inline uint32_t slot_of(const struct member_set *set, uint64_t head, size_t size)
{
    uint64_t hash = (head ^ size << 56) * set->multiplier;
    return (uint32_t)(hash >> (64 - set->slot_bits));
}

static inline bool text_found(const struct member_set *set, struct slice text)
{
    uint64_t head = text_head(text);
    uint32_t mask = ((uint32_t)1 << set->slot_bits) - 1;
    for (uint32_t slot = slot_of(set, head, text.size); set->slots[slot].used;
         slot = (slot + 1) & mask) {
        const struct member *member = &set->slots[slot];
        if (member->head == head && member->text.size == text.size &&
            (text.size <= 8 || memcmp(member->text.data, text.data, text.size) == 0))
            return true;
    }
    return false;
}

static inline bool number_found(const struct member_set *set, uint64_t number)
{
    if (set->bits) {
        uint64_t place = number - set->least;
        return place <= set->range && (set->bits[place / 64] >> place % 64 & 1);
    }
    uint32_t mask = ((uint32_t)1 << set->slot_bits) - 1;
    for (uint32_t slot = slot_of(set, number, 0); set->slots[slot].used; slot = (slot + 1) & mask) {
        if (set->slots[slot].head == number)
            return true;
    }
    return false;
}

/* The same, where each member is in the slot of its hash. */
static inline bool single_text_found(const struct member_set *set, struct slice text)
{
    uint64_t head = text_head(text);
    const struct member *member = &set->slots[slot_of(set, head, text.size)];
    bool same = (member->head == head) & (member->text.size == text.size) & member->used;
    if (text.size > 8 && same)
        same = memcmp(member->text.data, text.data, text.size) == 0;
    return same;
}

static inline bool single_number_found(const struct member_set *set, uint64_t number)
{
    const struct member *member = &set->slots[slot_of(set, number, 0)];
    return (member->head == number) & member->used;
}

/* ---- making -------------------------------------------------------------------------------------
 */

/* False: the numbers are too far from each other. */
static bool bitmap_make(struct member_set *set, struct arena *arena, const int64_t *numbers,
                        uint32_t count)
{
    int64_t least = numbers[0], greatest = numbers[0];
    for (uint32_t i = 1; i < count; i++) {
        least = numbers[i] < least ? numbers[i] : least;
        greatest = numbers[i] > greatest ? numbers[i] : greatest;
    }
    uint64_t range = (uint64_t)greatest - (uint64_t)least;
    if (range >= BITS_FEW && range / BITS_OF_A_MEMBER >= count)
        return false;
    set->least = (uint64_t)least;
    set->range = range;
    set->bits = arena_zalloc(arena, (range / 64 + 1) * sizeof *set->bits);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t place = (uint64_t)numbers[i] - set->least;
        set->bits[place / 64] |= (uint64_t)1 << place % 64;
    }
    return true;
}

static struct member member_make(const struct member_set *set, const struct vector *members,
                                 uint32_t i)
{
    struct member member = {.used = true};
    if (set->is_text) {
        member.text = members->as.texts[i];
        member.head = text_head(member.text);
    } else {
        member.head = (uint64_t)members->as.integers[i];
    }
    return member;
}

static void table_fill(struct member_set *set, const struct vector *members, uint32_t count)
{
    uint32_t mask = ((uint32_t)1 << set->slot_bits) - 1;
    set->is_single = true;
    for (uint32_t i = 0; i < count; i++) {
        struct member member = member_make(set, members, i);
        if (set->is_text ? text_found(set, member.text) : number_found(set, member.head))
            continue;
        uint32_t slot = slot_of(set, member.head, member.text.size);
        set->is_single = set->is_single && !set->slots[slot].used;
        while (set->slots[slot].used)
            slot = (slot + 1) & mask;
        set->slots[slot] = member;
    }
}

static void table_make(struct member_set *set, struct arena *arena, const struct vector *members,
                       uint32_t count)
{
    const uint64_t golden = 0x9e3779b97f4a7c15;
    set->slot_bits = 1;
    while ((uint32_t)1 << set->slot_bits < 2 * count)
        set->slot_bits++;
    size_t size = sizeof *set->slots << set->slot_bits;
    set->slots = arena_zalloc(arena, size);
    set->multiplier = golden;
    table_fill(set, members, count);
    for (uint32_t i = 1; !set->is_single && count <= MEMBERS_FEW && i < MULTIPLIERS_MAX; i++) {
        memset(set->slots, 0, size);
        set->multiplier = set->multiplier * golden + 2; /* odd, as it was */
        table_fill(set, members, count);
    }
    ASSERT(set->multiplier % 2 == 1);
}

struct member_set *exec__member_set_make(struct arena *arena, const struct vector *members,
                                         uint32_t count)
{
    struct member_set *set = arena_zalloc(arena, sizeof *set);
    ASSERT(exec__member_type(members->type) && count <= MEMBERS_MAX);
    set->is_text = type_storage(members->type) == SQL_TEXT;
    if (set->is_text || count == 0 || !bitmap_make(set, arena, members->as.integers, count))
        table_make(set, arena, members, count);
    return set;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static void texts_find(const struct member_set *set, const struct slice *texts,
                       const struct batch *in, bool *found)
{
    for (uint32_t i = 0; set->is_single && i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        found[row] = single_text_found(set, texts[row]);
    }
    for (uint32_t i = 0; !set->is_single && i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        found[row] = text_found(set, texts[row]);
    }
}

static void numbers_find(const struct member_set *set, const int64_t *numbers,
                         const struct batch *in, bool *found)
{
    if (set->is_single) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = batch_row(in, i);
            found[row] = single_number_found(set, (uint64_t)numbers[row]);
        }
    } else if (in->selection) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = in->selection[i];
            found[row] = number_found(set, (uint64_t)numbers[row]);
        }
    } else {
        for (uint32_t row = 0; row < in->row_count; row++)
            found[row] = number_found(set, (uint64_t)numbers[row]);
    }
}

void exec__member_set_find(const struct member_set *set, const struct vector *values,
                           const struct batch *in, bool *found)
{
    ASSERT(set->is_text == (type_storage(values->type) == SQL_TEXT));
    ASSERT(values->capacity >= in->row_count);
    if (set->is_text)
        texts_find(set, values->as.texts, in, found);
    else
        numbers_find(set, values->as.integers, in, found);
}
