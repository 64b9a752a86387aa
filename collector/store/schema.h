/* The migrations, made from schema/NNNN_name.sql by the build, ascending and without holes. */
#ifndef COLLECTOR_STORE_SCHEMA_H
#define COLLECTOR_STORE_SCHEMA_H

struct schema_step {
    int version;
    const char *name;
    const char *sql;
};

extern const struct schema_step schema_steps[];
extern const int schema_step_count;

#endif
