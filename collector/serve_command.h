/*
 * `heapfleet-collector serve`, `... migrate` and `... forget`. argv[0] is the command's own word.
 * Each returns the exit code of the program.
 */
#ifndef COLLECTOR_SERVE_COMMAND_H
#define COLLECTOR_SERVE_COMMAND_H

int serve_command(int argc, char **argv);
int migrate_command(int argc, char **argv);
int forget_command(int argc, char **argv);

#endif
