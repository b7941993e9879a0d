/* The table of keywords and questions about it. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

struct keyword_row {
    const char *text;
    enum keyword_class class;
    bool is_label;
};

#define KEYWORD_ROW(name, text, class, label) [KEYWORD_##name] = {text, CLASS_##class, label},
static const struct keyword_row rows[KEYWORD_COUNT] = {
    [KEYWORD_NONE] = {"", CLASS_UNRESERVED, true}, KEYWORDS(KEYWORD_ROW)};
#undef KEYWORD_ROW

enum keyword parse__keyword_find(const char *word)
{
    int low = KEYWORD_NONE + 1;
    int high = KEYWORD_COUNT - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(word, rows[middle].text);
        if (order == 0)
            return (enum keyword)middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return KEYWORD_NONE;
}

const char *parse__keyword_text(enum keyword keyword)
{
    ASSERT(keyword < KEYWORD_COUNT);
    return rows[keyword].text;
}

enum keyword_class parse__keyword_class(enum keyword keyword)
{
    ASSERT(keyword < KEYWORD_COUNT);
    return rows[keyword].class;
}

bool parse__keyword_is_label(enum keyword keyword)
{
    ASSERT(keyword < KEYWORD_COUNT);
    return rows[keyword].is_label;
}

/* Levenshtein distance where two swapped neighbours count as one mistake; words of up to 15
 * letters. */
static uint32_t word_distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 15 };
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > LENGTH_MAX || b_size > LENGTH_MAX)
        return UINT32_MAX;
    uint32_t cost[LENGTH_MAX + 1][LENGTH_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) {
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = (uint32_t)(i + j);
                continue;
            }
            uint32_t best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = cost[i - 1][j] + 1 < best ? cost[i - 1][j] + 1 : best;
            best = cost[i][j - 1] + 1 < best ? cost[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = cost[i - 2][j - 2] + 1 < best ? cost[i - 2][j - 2] + 1 : best;
            cost[i][j] = best;
        }
    }
    return cost[a_size][b_size];
}

static const char *nearest(const enum keyword *among, size_t count, const char *word)
{
    const char *best = NULL;
    uint32_t best_distance = 3;
    for (size_t i = 0; i < count; i++) {
        uint32_t distance = word_distance(word, rows[among[i]].text);
        if (distance < best_distance && distance * 3 <= strlen(rows[among[i]].text)) {
            best_distance = distance;
            best = rows[among[i]].text;
        }
    }
    return best;
}

const char *parse__keyword_suggest(const char *word)
{
    static const enum keyword firsts[] = {
        KEYWORD_SELECT,   KEYWORD_INSERT,  KEYWORD_UPDATE, KEYWORD_DELETE,
        KEYWORD_CREATE,   KEYWORD_DROP,    KEYWORD_BEGIN,  KEYWORD_COMMIT,
        KEYWORD_ROLLBACK, KEYWORD_EXPLAIN, KEYWORD_SHOW,   KEYWORD_VALUES,
        KEYWORD_ALTER,    KEYWORD_ANALYZE, KEYWORD_WITH,   KEYWORD_TRUNCATE,
    };
    return nearest(firsts, sizeof firsts / sizeof *firsts, word);
}

const char *parse__keyword_nearest(const char *word)
{
    static const enum keyword common[] = {
        KEYWORD_FROM,    KEYWORD_WHERE,      KEYWORD_GROUP,     KEYWORD_ORDER,
        KEYWORD_HAVING,  KEYWORD_LIMIT,      KEYWORD_OFFSET,    KEYWORD_VALUES,
        KEYWORD_INTO,    KEYWORD_SET,        KEYWORD_TABLE,     KEYWORD_INDEX,
        KEYWORD_VIEW,    KEYWORD_COLUMN,     KEYWORD_JOIN,      KEYWORD_INNER,
        KEYWORD_LEFT,    KEYWORD_RIGHT,      KEYWORD_UNION,     KEYWORD_DISTINCT,
        KEYWORD_BETWEEN, KEYWORD_EXISTS,     KEYWORD_PRIMARY,   KEYWORD_REFERENCES,
        KEYWORD_DEFAULT, KEYWORD_UNIQUE,     KEYWORD_RETURNING, KEYWORD_CONFLICT,
        KEYWORD_SELECT,  KEYWORD_CONSTRAINT,
    };
    return nearest(common, sizeof common / sizeof *common, word);
}
