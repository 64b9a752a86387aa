/*
 * `heapfleet-agent run [options] -- CMD ...`: start CMD and watch it and what it starts; made to be
 * a container's entrypoint. Whatever happens to the watching, CMD is not hurt. argv[0] is the
 * command's own word. Returns CMD's exit code.
 */
#ifndef AGENT_RUN_COMMAND_H
#define AGENT_RUN_COMMAND_H

int run_command(int argc, char **argv);

#endif
