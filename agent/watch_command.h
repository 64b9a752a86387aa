/*
 * `heapfleet-agent watch`: find the CPython processes of this machine and stream their heaps to a
 * collector, until SIGTERM or SIGINT. argv[0] is the command's own word. Returns the exit code.
 */
#ifndef AGENT_WATCH_COMMAND_H
#define AGENT_WATCH_COMMAND_H

int watch_command(int argc, char **argv);

#endif
