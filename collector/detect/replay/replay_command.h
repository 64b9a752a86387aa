/* `heapfleet-collector replay FILE|-`: the live detector over a file, verdicts as lines of JSON. */
#ifndef COLLECTOR_DETECT_REPLAY_REPLAY_COMMAND_H
#define COLLECTOR_DETECT_REPLAY_REPLAY_COMMAND_H

/* Returns the exit code. */
int replay_command(int argc, char **argv);

#endif
