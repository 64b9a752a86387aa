/*
 * `heapfleet-agent doctor [PID]`: what is in the way of counting a process, and the fix for Docker,
 * Kubernetes and systemd. argv[0] is the command's own word. Returns the exit code.
 */
#ifndef AGENT_DOCTOR_COMMAND_H
#define AGENT_DOCTOR_COMMAND_H

int doctor_command(int argc, char **argv);

#endif
