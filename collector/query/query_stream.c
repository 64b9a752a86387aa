/* StreamHistory: the pages of GetHistory, one call of this function each. */
#include <stdio.h>

#include "query_page.h"

enum status query_stream_history(struct query *query, const ProtobufCMessage *request,
                                 ProtobufCMessage **ret, struct why *why)
{
    Heapfleet__V1__GetHistoryRequest asked =
        *(const Heapfleet__V1__GetHistoryRequest *)(const void *)request;
    if (query->place[0] != '\0')
        asked.page_token = query->place;
    enum status status = query_get_history(query, &asked.base, ret, why);
    if (status != STATUS_OK)
        return status;
    const Heapfleet__V1__GetHistoryResponse *page = (const void *)*ret;
    (void)snprintf(query->place, QUERY_TOKEN_BYTES, "%s", page->next_page_token);
    return STATUS_OK;
}
