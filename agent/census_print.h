/* What `census` and `track` print: a census, or what changed from one to the next. */
#ifndef AGENT_CENSUS_PRINT_H
#define AGENT_CENSUS_PRINT_H

#include "census.h"
#include "memory_facts.h"
#include "report.h"

/* All of a census, the largest `top` types by bytes (0: all), and the memory around it. */
void census_print(const struct python_process *process, const struct census *census,
                  const struct census_result *result, const struct memory_facts *memory,
                  enum report_format format, uint64_t top);

/* Types whose count or bytes grew from `before` (as many types or fewer) to `now`, the largest
 * growth of bytes first. `header`: CSV begins with its line of names. */
void census_print_growth(const struct python_process *process, const struct census *census,
                         const struct heap_values *before, const struct census_result *now,
                         enum report_format format, uint64_t top, int header);

#endif
