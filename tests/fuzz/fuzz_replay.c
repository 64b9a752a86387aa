/* USES replay detect common */ /* RUNS 100 */
/*
 * Files for the replay: after a byte that says where the input is cut in two. However it is cut the
 * same is told, and a refusal names its line.
 */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fuzz.h"
#include "replayer.h"
#include "verdict_json.h"

static void tell(void *user, const char *service, const struct verdict *verdict)
{
    verdict_json_append(user, service, verdict);
}

static enum status run(const uint8_t *data, size_t size, size_t cut, struct buf *told,
                       uint64_t *ret_lines)
{
    const struct replay_config config = {
        .detect = {.horizon_ms = 20000}, .every_tier = 1, .user = told, .tell = tell};
    struct replay *replay = replay_new(&config);
    struct why why = {""};
    char *first = malloc(cut + 1);
    char *second = malloc(size - cut + 1);
    ASSERT(first != NULL && second != NULL);
    memcpy(first, data, cut);
    memcpy(second, data + cut, size - cut);
    enum status status = replay_feed(replay, first, cut, &why);
    if (status == STATUS_OK)
        status = replay_feed(replay, second, size - cut, &why);
    if (status == STATUS_OK)
        status = replay_finish(replay, &why);
    ASSERT(status == STATUS_OK || strncmp(why.text, "line ", 5) == 0);
    *ret_lines = replay_lines(replay);
    free(first);
    free(second);
    replay_free(replay);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf whole = BUF_INIT;
    struct buf parts = BUF_INIT;
    uint64_t lines[2];
    size_t cut = (size - 1) * data[0] / 255;
    enum status status = run(data + 1, size - 1, 0, &whole, &lines[0]);
    enum status again = run(data + 1, size - 1, cut, &parts, &lines[1]);
    ASSERT(status == again && lines[0] == lines[1] && whole.size == parts.size);
    ASSERT(whole.size == 0 || memcmp(whole.data, parts.data, whole.size) == 0);
    buf_done(&whole);
    buf_done(&parts);
    return 0;
}
