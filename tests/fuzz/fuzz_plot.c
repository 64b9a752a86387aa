/* USES cli common */
/* A plot of any values at times that ascend, and any marks: two bytes for its width and look, a
 * label that ends with a line, then eight bytes a point. */
#include "fuzz.h"
#include "plot.h"

enum { POINTS_MAX = 300, POINT_BYTES = 8, WIDTH_MAX = 130 };

static size_t take_points(struct fuzz_input *input, struct plot_point *ret)
{
    size_t count = 0;
    int64_t time_ms = 1795338761000;
    for (; count < POINTS_MAX && input->size >= POINT_BYTES; count++) {
        uint64_t number = 0;
        memcpy(&number, input->data, sizeof(number));
        input->data += POINT_BYTES;
        input->size -= POINT_BYTES;
        time_ms += (int64_t)(number >> 40);
        ret[count] = (struct plot_point){time_ms, (double)(number << (number % 64))};
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct plot_point points[POINTS_MAX];
    uint8_t columns = fuzz_take_byte(&input);
    uint8_t look = fuzz_take_byte(&input);
    size_t label_size = 0;
    uint8_t *part = fuzz_take_part(&input, '\n', &label_size);
    if (part == NULL)
        return 0;
    struct fuzz_input rest = {part, label_size};
    char *label = fuzz_take_text(&rest);
    size_t count = take_points(&input, points);
    if (count > 0) {
        const struct plot_mark marks[] = {{points[0].time_ms, label},
                                          {points[count / 2].time_ms, label}};
        struct plot plot = {points,
                            count,
                            (int64_t)look << 16,
                            look % 2 ? REPORT_BYTES : REPORT_PLAIN,
                            marks,
                            ARRAY_SIZE(marks),
                            columns % WIDTH_MAX,
                            0};
        struct buf out = BUF_INIT;
        plot_draw(&plot, &out);
        ASSERT(fuzz_is_clean(out.data, out.size, "\n"));
        buf_done(&out);
    }
    free(label);
    free(part);
    return 0;
}
