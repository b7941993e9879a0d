/* Values as text, and how wide text is on a screen. */
#ifndef BIN_TEXT_INT_H
#define BIN_TEXT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "toydb/toydb.h"

/* Once at start: makes the C library's character functions speak UTF-8. */
void bin__text_init(void);
/* Columns that text takes on a terminal: two for East Asian wide characters and emoji, none for
 * combining marks. Bytes that are not UTF-8 count one each. */
size_t bin__text_width(struct slice text);
/* The longest prefix of at most `width` columns. */
struct slice bin__text_fit(struct slice text, size_t width);
/* Appends text as it may safely be shown: control characters, which could move the cursor or
 * change colours, become \n, \t, \x1b and so on; bytes that are not UTF-8 too. Line breaks and tabs
 * are kept as they are with `keep_lines`, a tab as spaces. */
void bin__text_show(struct buffer *out, struct slice text, bool keep_lines);

enum { BIN__DOUBLE_TEXT_MAX = 40 };
/* With the fewest digits that read back the same, laid out as PostgreSQL does. Returns its size. */
size_t bin__double_text(double real, char out[BIN__DOUBLE_TEXT_MAX]);
/* The plain text of a value that is not NULL, unescaped: true, 42, 1.5, text, \x00ff. */
void bin__value_text(struct buffer *out, const struct toydb_value *value);

/* A number with thousands set apart: 1,234,567. */
void bin__count_text(struct buffer *out, uint64_t count);
/* "850 us", "3.42 ms", "12.3 s", "4 min 5 s". */
void bin__duration_text(uint64_t us, char *out, size_t size);
/* "512 B", "1.5 MiB". */
void bin__bytes_text(uint64_t bytes, char *out, size_t size);

#endif
