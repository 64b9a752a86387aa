/*
 * `heapfleet-agent census PID` and `heapfleet-agent track PID`: one process, looked at from the
 * command line.
 *
 * argv[0] is the command's own word, the rest its options and operands; each prints its help on
 * `--help`, data on standard output and one line on standard error when something is wrong.
 * Returns the exit code of the program.
 */
#ifndef AGENT_CENSUS_COMMAND_H
#define AGENT_CENSUS_COMMAND_H

int census_command(int argc, char **argv);
int track_command(int argc, char **argv);

#endif
