/* heapfleet-collector token new: a secret for an agent or a person. */
#ifndef COLLECTOR_TOKEN_COMMAND_H
#define COLLECTOR_TOKEN_COMMAND_H

/* The exit code; everything has been printed. */
int token_command(int argc, char **argv);

#endif
