/* heapfleet manual, heapfleet completion: what the tables of commands say, for man and for shells.
 */
#include "cli_commands.h"
#include "manual.h"

#include <stdio.h>
#include <stdlib.h>

#include "version.h"

static size_t count_commands(void)
{
    size_t count = 0;
    while (cli_commands[count].name != NULL)
        count++;
    return count;
}

typedef enum status with_manual_fn(const struct cli *cli, const struct manual *manual,
                                   struct buf *ret, struct why *why);

static enum status print(struct cli *cli, with_manual_fn *make, struct why *why)
{
    size_t count = count_commands();
    ASSERT(count > 0);
    struct manual_command *commands = calloc(count, sizeof(*commands));
    struct option(*options)[OPTIONS_MAX] = calloc(count, sizeof(*options));
    ASSERT(commands != NULL && options != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct cli_command *row = &cli_commands[i];
        cli_make_options(cli, row->bit, options[i]);
        commands[i] =
            (struct manual_command){row->name, row->operands, row->help, row->more, options[i]};
    }
    struct manual manual = {
        .program = "heapfleet",
        .version = "heapfleet " HEAPFLEET_VERSION,
        .summary = "ask a collector which Python services leak, and since when",
        .environment = "Each option can be given in the environment: HEAPFLEET_COLLECTOR, "
                       "HEAPFLEET_TOKEN_FILE and so on.\n",
        .exit_status = CLI_EXIT_CODES,
        .commands = commands,
        .count = count,
        .operand = "SERVICE",
        .operand_command = "heapfleet services --timeout 1s -o csv 2>/dev/null | tail -n +2 | "
                           "cut -d, -f1 | sort -u",
    };
    struct buf text = BUF_INIT;
    enum status status = make(cli, &manual, &text, why);
    if (status == STATUS_OK)
        (void)fwrite(text.data, 1, text.size, stdout);
    buf_done(&text);
    free(options);
    free(commands);
    return status;
}

static enum status make_page(const struct cli *cli, const struct manual *manual, struct buf *ret,
                             struct why *why)
{
    (void)cli;
    (void)why;
    manual_page(manual, ret);
    return STATUS_OK;
}

static enum status make_completion(const struct cli *cli, const struct manual *manual,
                                   struct buf *ret, struct why *why)
{
    return manual_completion(manual, cli->operands[0], ret, why);
}

enum status cli_manual(struct cli *cli, struct why *why)
{
    return print(cli, make_page, why);
}

enum status cli_completion(struct cli *cli, struct why *why)
{
    return print(cli, make_completion, why);
}
