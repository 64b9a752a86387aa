/* Inside the query module: leaks as messages, for the questions that speak of them. */
#ifndef COLLECTOR_QUERY_QUERY_LEAKS_H
#define COLLECTOR_QUERY_QUERY_LEAKS_H

#include "findings.h"
#include "query.h"

/* The one finding, open or resolved, whose id is or begins with `id`. NOT_FOUND, or INVALID when
 * several do. */
enum status query_find_leak(struct query *query, const char *id, struct finding_row *ret,
                            struct why *why) MUST_CHECK;

/* The message in the question's arena; shares the row's texts. */
enum status query_write_leak(struct query *query, const struct finding_row *row,
                             Heapfleet__V1__Leak **ret, struct why *why) MUST_CHECK;

/* How the finding's type grew with uptime, in its newest version and those before. */
enum status query_growth_curves(struct query *query, const struct finding_row *finding,
                                Heapfleet__V1__GetLeakResponse *ret, struct why *why) MUST_CHECK;

#endif
