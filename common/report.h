/*
 * Rows for people and programs: the one implementation of `-o table|json|csv`.
 *
 *     report_begin(&report, REPORT_TABLE, columns, ARRAY_SIZE(columns));
 *     report_text(&report, "shop"); report_uint(&report, 12); ...   one call a column, row by row
 *     report_end(&report);                                          prints to standard output
 *
 * A table has aligned columns (numbers to the right, thousands apart, bytes as 1.2 MB). Only on a
 * terminal is it coloured, growth red and shrinking green, and are columns that can be spared left
 * out, and then long texts shortened in their middle, where it would be wider than that: not below
 * 40 columns, so that few names ever are. JSON
 * is an array of objects with the columns' keys and raw numbers; CSV (RFC 4180, lines end with a
 * line feed) has a header line of keys and raw numbers. Text from outside is shown with its control
 * bytes as '?' (in JSON escaped), so that it cannot drive the terminal; CSV text that a spreadsheet
 * would run as a formula has an apostrophe in front.
 */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"
#include "why.h"

enum report_format { REPORT_TABLE, REPORT_JSON, REPORT_CSV };

enum report_unit {
    REPORT_PLAIN,     /* text or a number */
    REPORT_BYTES,     /* table: "1.2 MB" (powers of 1000) */
    REPORT_RATE,      /* number with sign, table: "+1,234/h" */
    REPORT_BYTE_RATE, /* table: "+1.2 MB/h" */
    REPORT_TIME, /* milliseconds since 1970; table: local "2026-11-22 09:20:46"; JSON and CSV: UTC
                    text. 0: unknown, an empty cell */
    REPORT_DURATION,    /* milliseconds; table: "3d 4h" */
    REPORT_CHANGE,      /* number with sign, table: "+1,234" */
    REPORT_BYTE_CHANGE, /* bytes with sign, table: "+1.2 MB" */
    REPORT_SHARE,       /* 0..1; table: "97 %" */
    REPORT_ID,          /* a whole number that is a name, as a pid is: its digits stay together */
};

struct report_column {
    const char *key;   /* JSON and CSV; lower case with underscores */
    const char *title; /* table */
    enum report_unit unit;
};

struct report {
    enum report_format format;
    const struct report_column *columns; /* the caller's, until report_end */
    size_t column_count;
    size_t next; /* column of the next cell */
    size_t rows;
    uint32_t hidden_if_empty;  /* bit i: column i */
    uint32_t hidden_if_narrow; /* the same */
    size_t columns_max;        /* of the terminal; 0: it is none */
    struct buf text; /* JSON, CSV: all so far. table: the cells, marked, each with a final zero */
};

/* "table", "json", "csv". STATUS_USAGE otherwise. */
enum status report_format_parse(const char *text, enum report_format *ret,
                                struct why *why) MUST_CHECK;

void report_begin(struct report *report, enum report_format format,
                  const struct report_column *columns, size_t column_count);
/* A table leaves the column out when all its cells are empty. After report_begin. */
void report_hide_if_empty(struct report *report, const char *key);
/* A table that is wider than its terminal leaves such columns out, the last one first, while it is.
 * After report_begin. */
void report_hide_if_narrow(struct report *report, const char *key);
void report_text(struct report *report, const char *text);
/* Several texts in a cell: an array in JSON, else with commas between. */
void report_texts(struct report *report, const char *const *texts, size_t count);
void report_uint(struct report *report, uint64_t value);
void report_int(struct report *report, int64_t value);
void report_double(struct report *report, double value);
void report_none(struct report *report); /* empty: "-" in a table, null in JSON; so is a NaN */

/* Print the whole rows that there are so far, and forget them: those of JSON and CSV need not wait
 * for the next ones. Nothing of a table, whose columns are as wide as all of its rows want. */
void report_flush(struct report *report);
/* Append all of it to `ret` and free the report. `empty` is the sentence that a table without rows
 * shows instead; NULL: its titles. */
void report_finish(struct report *report, const char *empty, int colours, struct buf *ret);
/* The same to standard output, with colours if it is a terminal that has them. */
void report_end(struct report *report, const char *empty);

/* The same wording elsewhere: a text as CSV; "1.2 MB", "+1,234/h" ... appended to `ret`. */
void report_append_csv(struct buf *ret, const char *text);
void report_format_number(struct buf *ret, double value, enum report_unit unit);

#endif
