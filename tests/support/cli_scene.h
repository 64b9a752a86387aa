/*
 * The command line in this process, against a collector's reading half with a scene to ask about.
 * Included by one test program each, after cmocka; uses the modules cli, query, store and rpc.
 */
#ifndef TESTS_SUPPORT_CLI_SCENE_H
#define TESTS_SUPPORT_CLI_SCENE_H

#include "cli.h"
#include "query_scene.h"

static struct query_scene scene;

static inline int cli_scene_start(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    query_scene_start(&scene);
    (void)setenv("HEAPFLEET_COLLECTOR", scene.target, 1);
    return 0;
}

static inline int cli_scene_stop(void **state)
{
    (void)state;
    query_scene_stop(&scene);
    return 0;
}

/* ---- running it ----------------------------------------------------------------------------- */

struct outcome {
    int exit_code;
    char out[1 << 18], err[4096];
};
static struct outcome outcome;

/* Standard output or error into a file, and back. */
struct redirection {
    FILE *stream, *file;
    int saved;
};

static inline struct redirection redirect(FILE *stream)
{
    struct redirection r = {stream, tmpfile(), dup(fileno(stream))};
    assert_non_null(r.file);
    (void)fflush(stream);
    assert_true(dup2(fileno(r.file), fileno(stream)) >= 0);
    return r;
}

static inline void restore(const struct redirection *r, char *text, size_t size)
{
    (void)fflush(r->stream);
    (void)dup2(r->saved, fileno(r->stream));
    (void)close(r->saved);
    rewind(r->file);
    size_t read = fread(text, 1, size - 1, r->file);
    text[read] = '\0';
    (void)fclose(r->file);
}

/* "top shop -n 2" */
static inline void run(const char *line)
{
    char copy[512];
    char *argv[32] = {"heapfleet"};
    int argc = 1;
    (void)snprintf(copy, sizeof(copy), "%s", line);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    struct redirection out = redirect(stdout);
    struct redirection err = redirect(stderr);
    int exit_code = cli_run(argc, argv);
    restore(&err, outcome.err, sizeof(outcome.err));
    restore(&out, outcome.out, sizeof(outcome.out));
    outcome.exit_code = exit_code;
}

static inline void prints(const char *line, const char *part)
{
    run(line);
    if (outcome.exit_code != 0 || *outcome.err != '\0' || strstr(outcome.out, part) == NULL)
        fail_msg("heapfleet %s: exit code %d\n%s%s", line, outcome.exit_code, outcome.out,
                 outcome.err);
}

static inline void refuses(const char *line, int exit_code, const char *sentence)
{
    run(line);
    assert_string_equal(outcome.err, sentence);
    assert_int_equal(outcome.exit_code, exit_code);
    assert_string_equal(outcome.out, "");
}

#endif
