"""A collector that does no more than welcome and acknowledge, with certificates or without."""
import concurrent.futures
import pathlib
import queue
import subprocess

import grpc

from agent_client import ingest


def make_certificates(folder):
    """ca, server, client, stranger_ca and stranger, as .pem and .key, in the folder."""
    script = pathlib.Path(__file__).parent / "make_certificates.sh"
    subprocess.run(["sh", script, folder], check=True, capture_output=True)
    return folder


def tls_options(folder, ca="ca", pair="client"):
    return ("--tls-ca", folder / f"{ca}.pem", "--tls-cert", folder / f"{pair}.pem", "--tls-key",
            folder / f"{pair}.key", "--flush", "100ms", "--interval", "1s")


class BareCollector:
    """With `certificates`, a folder, it asks for a client's. `hosts`: who said hello, as (host, CN);
    `tokens`: how each authorised itself. `messages`: all that followed."""

    def __init__(self, certificates=None):
        self.hosts = queue.Queue()
        self.tokens = queue.Queue()
        self.messages = []
        self.snapshots = 0
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        handler = grpc.stream_stream_rpc_method_handler(
            self._stream, ingest.AgentMessage.FromString,
            ingest.CollectorMessage.SerializeToString)
        self.server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("heapfleet.v1.Ingest", {"Stream": handler})])
        port = self._listen(certificates)
        self.address = f"127.0.0.1:{port}"

    def _listen(self, folder):
        if folder is None:
            return self.server.add_insecure_port("127.0.0.1:0")
        credentials = grpc.ssl_server_credentials(
            [((folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes())],
            (folder / "ca.pem").read_bytes(), require_client_auth=True)
        return self.server.add_secure_port("127.0.0.1:0", credentials)

    def _stream(self, messages, context):
        self.tokens.put(dict(context.invocation_metadata()).get("authorization"))
        names = context.auth_context().get("x509_common_name", [b""])
        self.hosts.put((next(messages).hello.host, names[0].decode()))
        yield ingest.CollectorMessage(welcome=ingest.Welcome(protocol=1, collector_version="bare"))
        for message in messages:
            self.messages.append(message)
            self.snapshots += message.HasField("snapshot")
            if message.sequence:
                yield ingest.CollectorMessage(ack=ingest.Ack(sequence=message.sequence))

    def of(self, kind):
        """The messages of one kind: "process_started", "snapshot" ..."""
        return [getattr(message, kind) for message in list(self.messages) if message.HasField(kind)]

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(0).wait()
