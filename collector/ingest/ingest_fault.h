/* Why something of an agent is not taken: a word for each kind, for counters. */
#ifndef COLLECTOR_INGEST_INGEST_FAULT_H
#define COLLECTOR_INGEST_INGEST_FAULT_H

/*     name            label              what is refused, and why */
#define INGEST_FAULT_MAP(X)                                                                        \
    X(MESSAGE, "message")        /* stream: not a message, or it takes too much memory */          \
    X(PROTOCOL, "protocol")      /* stream: another protocol, or out of order */                   \
    X(DEAF, "deaf")              /* stream: does not read what it is sent */                       \
    X(SEQUENCE, "sequence_jump") /* stream: a number that falls, or lies too far ahead */          \
    X(PEER, "streams_per_peer")  /* stream: its peer has enough of them */                         \
    X(MEMORY, "heap_memory")     /* stream: the heaps of all streams take enough memory */         \
    X(PROCESSES, "processes")    /* stream: more processes than it may have */                     \
    X(IDENTITY, "identity")      /* process: a text or attribute that may not be */                \
    X(TYPES, "types")            /* process: too many types */                                     \
    X(NAMES, "name_length")      /* process: a type's name is too long, or empty */                \
    X(NUMBERING, "numbering")    /* process: its types contradict each other */                    \
    X(DATABASE, "database")      /* process: the database does not take it */                      \
    X(CLOCK, "clock_skew")       /* fact: a time too far from ours */                              \
    X(VALUE, "value")            /* fact: a number out of range */                                 \
    X(BODY, "body")              /* fact: cannot be decoded */                                     \
    X(BASE, "base")              /* fact: changes a snapshot that is not the newest here */        \
    X(CHAIN, "chain_length")     /* fact: too many changes in a row */                             \
    X(NEWER, "newer_stored")     /* fact: another agent run has stored newer ones */               \
    X(STORED, "stored")          /* fact: the database does not take its values */                 \
    X(STRANGER, "not_announced") /* fact: of a process that is unknown or was refused */           \
    X(UNKNOWN, "unknown_kind")   /* fact: of a kind that this collector does not know */

enum ingest_fault {
#define X(name, label) FAULT_##name,
    INGEST_FAULT_MAP(X)
#undef X
        INGEST_FAULTS
};

#endif
