/* Matches that a matcher which goes back would take too long to find.
 *
 * A pattern such as ^(a+)+$ can be matched with a text in exponentially many ways, and one that
 * tries them one by one does not end. PCRE2 has another matcher, which keeps all states that the
 * pattern can be in and takes the text character by character. It knows no groups and no
 * references to them, and is slower where the other is fast, so it is asked second.
 *
 * From each place where a match may begin it begins anew. Whether there is a match at all is told
 * by one walk, for the pattern .*?(?:pattern) from the start; where it is takes a walk from each
 * place, so that is refused for a long text. */
#include "sql/exec/eval_regex_int.h"

#include <string.h>

enum {
    WORKSPACE = 1 << 13,      /* integers: six for each state */
    STEPS_WALK_MAX = 1 << 25, /* characters times characters of the pattern */
    PATTERN_FOR_ONE_STATE = 2 /* a state needs about so many of them */
};

/* (?s:.*?)(?:pattern), from the start; a comment in it ends with the line. */
static pcre2_code *compile_whether(const struct regex *regex)
{
    struct buffer text = {0};
    int code = 0;
    PCRE2_SIZE offset = 0;
    buffer_append_string(&text, "(?s:.*?)(?:");
    buffer_append_slice(&text, regex->translated);
    if (regex->compiled_options & PCRE2_EXTENDED)
        buffer_append_byte(&text, '\n');
    buffer_append_byte(&text, ')');
    pcre2_compile_context *context = pcre2_compile_context_create(regex->general);
    pcre2_code *whether = pcre2_compile(
        text.data, text.size, regex->compiled_options | PCRE2_ANCHORED, &code, &offset, context);
    buffer_free(&text);
    return whether;
}

static bool is_anchored(const pcre2_code *code)
{
    uint32_t options = 0;
    return pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options) == 0 &&
           (options & PCRE2_ANCHORED) != 0;
}

/* About how many steps a walk takes at most. */
static double steps_of(const struct regex *regex, const pcre2_code *code, size_t size)
{
    double steps = (double)size * (double)regex->translated.size / PATTERN_FOR_ONE_STATE;
    return is_anchored(code) ? steps : steps * (double)size;
}

int exec__regex_walk(struct regex *regex, struct slice text, size_t start, enum regex_wish wish)
{
    ASSERT(start <= text.size);
    bool literal = (regex->compiled_options & PCRE2_LITERAL) != 0;
    if (wish == REGEX_GROUPS || literal)
        return PCRE2_ERROR_MATCHLIMIT;
    if (!regex->workspace)
        regex->workspace = arena_alloc(regex->arena, WORKSPACE * sizeof *regex->workspace);
    /* From a later start on, what stands before counts, too. */
    bool whether = wish == REGEX_WHETHER && start == 0;
    if (whether && !regex->whether)
        regex->whether = compile_whether(regex);
    const pcre2_code *code = whether ? regex->whether : regex->code;
    if (!code || steps_of(regex, code, text.size - start) > STEPS_WALK_MAX)
        return PCRE2_ERROR_MATCHLIMIT;
    uint32_t options = PCRE2_NO_UTF_CHECK | (whether ? PCRE2_DFA_SHORTEST : 0);
    int rc = pcre2_dfa_match(code, text.size ? text.data : (const uint8_t *)"", text.size, start,
                             options, regex->match, regex->limits, regex->workspace, WORKSPACE);
    if (rc < 0)
        return rc;
    PCRE2_SIZE *places = pcre2_get_ovector_pointer(regex->match);
    for (uint32_t i = 2; i < 2 * pcre2_get_ovector_count(regex->match); i++)
        places[i] = PCRE2_UNSET; /* shorter matches, not groups */
    return 1;
}
