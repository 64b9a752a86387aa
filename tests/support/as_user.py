"""Programs of another user."""


def as_user(uid, gid=None):
    """What stands before a command, for root. Not subprocess's own `user=`: that forks, and gRPC's handlers of
    fork, which Debian 13's grpcio has, wait for channels that are open elsewhere in the tests for ever."""
    return ("setpriv", f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups")
