"""Who gets in, and what they may do there: certificates, tokens, the policy, and reading it all
again while agents are connected."""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time

import grpc
import pytest

from agent_client import Process, Stream, query
from collector_process import BIN, PROGRAM, ROOT, Collector, new_folder

CODE = grpc.StatusCode

# every method of the collector and one that nobody serves, with the roles that may call it
METHODS = {
    "/heapfleet.v1.Ingest/Stream": {"agent"},
    "/heapfleet.v1.Query/ListServices": {"read", "admin"},
    "/heapfleet.v1.Query/ListDeployments": {"read", "admin"},
    "/heapfleet.v1.Query/GetTop": {"read", "admin"},
    "/heapfleet.v1.Query/GetHistory": {"read", "admin"},
    "/heapfleet.v1.Query/StreamHistory": {"read", "admin"},
    "/heapfleet.v1.Query/CompareDeployments": {"read", "admin"},
    "/heapfleet.v1.Query/ListLeaks": {"read", "admin"},
    "/heapfleet.v1.Query/GetLeak": {"read", "admin"},
    "/heapfleet.v1.Query/ListMutes": {"read", "admin"},
    "/heapfleet.v1.Query/ListInstances": {"read", "admin"},
    "/heapfleet.v1.Query/GetGrowth": {"read", "admin"},
    "/heapfleet.v1.Query/JudgeDeployment": {"read", "admin"},
    "/heapfleet.v1.Admin/AcknowledgeLeak": {"admin"},
    "/heapfleet.v1.Admin/MuteLeaks": {"admin"},
    "/heapfleet.v1.Admin/UnmuteLeaks": {"admin"},
}


def digest(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


POLICY = f"""\
# who                                     may     services     name
san:client.example                        agent   shop-*,cart  shop
spiffe://example.org/ns/*/sa/agent        read
{digest("for-agents")}  agent  *  robots
{digest("for-people")}  read   people
{digest("for-admins")}  admin  admins
cn:spiffe                                 agent   spiffe
"""


class Scene:
    def __init__(self):
        self.folder = new_folder()
        self.pems = self.folder / "pems"
        self.pems.mkdir()
        subprocess.run([ROOT / "tests/support/make_certificates.sh", self.pems], check=True)
        self.access = self.folder / "access"
        self.access.write_text(POLICY)
        for name in ("cert", "key", "ca"):
            self.install(name, {"cert": "server.pem", "key": "server.key", "ca": "ca.pem"}[name])
        self.collector = Collector(self.folder, options=[
            "--tls-cert", str(self.folder / "cert"), "--tls-key", str(self.folder / "key"),
            "--tls-ca", str(self.folder / "ca"), "--tls-client-optional",
            "--access", str(self.access), "--reflection=off"]).start()

    def install(self, name, source):
        shutil.copy(self.pems / source, self.folder / name)

    def reload(self, words):
        before = self.collector.log().count(words)
        self.collector.child.send_signal(signal.SIGHUP)
        self.collector.wait_log(words, before + 1)

    def channel(self, pair=None, ca="ca", options=()):
        read = lambda name: (self.pems / name).read_bytes()  # noqa: E731
        credentials = grpc.ssl_channel_credentials(
            read(f"{ca}.pem"), *([read(f"{pair}.key"), read(f"{pair}.pem")] if pair else []))
        return grpc.secure_channel(self.collector.address, credentials,
                                   [("grpc.use_local_subchannel_pool", 1), *options])

    def stream(self, pair=None, token=None, **more):
        return Stream(None, channel=self.channel(pair), metadata=bearer(token), **more)

    def cli(self, *words, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HEAPFLEET_")}
        return subprocess.run(
            [str(BIN / "heapfleet"), *words, "--collector", self.collector.address], text=True,
            capture_output=True, timeout=60, env={**clean, **environment})


def bearer(token):
    return [("authorization", f"Bearer {token}")] if token else []


@pytest.fixture(scope="module")
def scene():
    made = Scene()
    yield made
    made.collector.remove()
    shutil.rmtree(made.folder, ignore_errors=True)


IDENTITIES = {
    "nobody": (None, None, set()),
    "a wrong token": (None, "for-agentz", set()),
    "an empty token": (None, "", set()),
    "the digest for a token": (None, digest("for-admins"), set()),
    "an agent by certificate": ("client", None, {"agent"}),
    "an agent by token": (None, "for-agents", {"agent"}),
    "two rules": ("spiffe", None, {"agent", "read"}),
    "a reader by token": (None, "for-people", {"read"}),
    "an admin by token": (None, "for-admins", {"admin"}),
    "certificate and token": ("client", "for-people", {"agent", "read"}),
}


def code_of(channel, path, metadata):
    """What the collector says to an empty message, as a unary call or a stream."""
    call = channel.stream_unary(path, request_serializer=bytes, response_deserializer=bytes)
    try:
        call(iter([b""]), metadata=metadata, timeout=20)
        return CODE.OK
    except grpc.RpcError as error:
        return error.code()


@pytest.mark.parametrize("who", IDENTITIES)
def test_every_method_by_every_identity(scene, who):
    pair, token, roles = IDENTITIES[who]
    with scene.channel(pair) as channel:
        for path, allowed in METHODS.items():
            code = code_of(channel, path, bearer(token))
            if roles & allowed:
                assert code not in (CODE.UNAUTHENTICATED, CODE.PERMISSION_DENIED,
                                    CODE.UNIMPLEMENTED), path
            elif roles:
                assert code is CODE.PERMISSION_DENIED, path
            else:
                assert code is CODE.UNAUTHENTICATED, path
        assert code_of(channel, "/heapfleet.v1.Query/Nothing", bearer(token)) is CODE.UNIMPLEMENTED


def test_health_is_for_everybody_and_reflection_can_be_hidden(scene):
    with scene.channel() as channel:
        assert code_of(channel, "/grpc.health.v1.Health/Check", []) is CODE.OK
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            assert code_of(channel, path, bearer("for-admins")) is CODE.UNIMPLEMENTED


def test_an_agent_writes_its_own_services_only(scene):
    stream = scene.stream("client")
    first = int(time.time() * 1000) * 1024
    mine, foreign = Process(1, service="shop-front"), Process(2, service="bank")
    for process in (mine, foreign):
        process.announce(stream)
    stream.outgoing.put(foreign.snapshot(first))
    stream.outgoing.put(mine.snapshot(first + 1))
    stream.wait_ack(first + 1)
    assert stream.refused == {first: 'the agent may not write the service "bank"'}
    stream.close()
    with scene.channel() as channel:
        call = channel.unary_unary("/heapfleet.v1.Query/ListServices",
                                   request_serializer=query.ListServicesRequest.SerializeToString,
                                   response_deserializer=query.ListServicesResponse.FromString)
        names = [s.name for s in call(query.ListServicesRequest(),
                                              metadata=bearer("for-people")).services]
    assert "shop-front" in names and "bank" not in names


def test_a_denial_is_logged_once(scene):
    with scene.channel() as channel:
        for _ in range(20):
            assert code_of(channel, "/heapfleet.v1.Query/GetTop", []) is CODE.UNAUTHENTICATED
    lines = [line for line in scene.collector.lines
             if "access.denied" in line and "Query/GetTop" in line and 'rule=""' in line]
    assert len(lines) <= 1, lines


@pytest.mark.parametrize("pair,ca", [
    ("expired_client", "ca"), ("stranger", "ca"), (None, "stranger_ca"),
])
def test_a_handshake_that_must_fail(scene, pair, ca):
    with scene.channel(pair, ca) as channel:
        code = code_of(channel, "/heapfleet.v1.Query/ListServices", bearer("for-people"))
    assert code is CODE.UNAVAILABLE


# ---- the command line --------------------------------------------------------------------------

def test_the_command_line_has_tokens_and_certificates(scene):
    ca = ["--tls-ca", str(scene.pems / "ca.pem")]
    token = scene.folder / "token"
    token.write_text("for-people\n")
    asked = scene.cli("services", *ca, "--token-file", str(token))
    assert asked.returncode == 0, asked.stderr
    asked = scene.cli("services", HEAPFLEET_CERTIFICATE=str(scene.pems / "ca.pem"),
                      HEAPFLEET_TOKEN_FILE=str(token))
    assert asked.returncode == 0, asked.stderr
    asked = scene.cli("services", *ca, "--tls-cert", str(scene.pems / "spiffe.pem"),
                      "--tls-key", str(scene.pems / "spiffe.key"))
    assert asked.returncode == 0, asked.stderr

    refused = scene.cli("services", *ca)
    assert refused.returncode == 4
    assert "give a token or a certificate" in refused.stderr
    refused = scene.cli("services", "--tls-ca", str(scene.pems / "stranger_ca.pem"))
    assert refused.returncode == 1
    assert "does not come from the given authority" in refused.stderr
    plain = scene.cli("services")
    assert plain.returncode == 1
    assert "it may want TLS" in plain.stderr


def test_a_wrong_token_is_told_where_local_peers_may_ask(tmp_path):
    """Else its bearer thinks that the token is known."""
    policy = tmp_path / "access"
    policy.write_text(f"local read\n{digest('for-agents')} agent * robots\n")
    with Collector(options=["--access", str(policy)]) as collector:
        def mute(*words):
            return subprocess.run([str(BIN / "heapfleet"), "leaks", "mute", "shop", "--reason", "x",
                                   "--collector", collector.address, *words], text=True,
                                  capture_output=True)
        for token in ("for-agentz", "for-agents", None):
            done = mute("--token", token) if token else mute()
            assert done.returncode == 4
            assert ("the token or certificate has no rule" in done.stderr) == (token == "for-agentz")


def test_token_new_makes_a_token_and_its_line(scene):
    made = subprocess.run([str(PROGRAM), "token", "new", "--services", "a-*,b", "--name", "team"],
                          capture_output=True, text=True)
    token = made.stdout.strip()
    assert re.fullmatch(r"hf_[0-9a-f]{64}", token)
    assert f"{digest(token)}  agent  a-*,b  team" in made.stderr.splitlines()
    for services in ("", "a b", "a #"):  # would be read as another right
        wrong = subprocess.run([str(PROGRAM), "token", "new", "--services", services],
                               capture_output=True, text=True)
        assert wrong.returncode == 2 and not wrong.stdout
        assert f"--services cannot be '{services}'" in wrong.stderr
    wrong = subprocess.run([str(PROGRAM), "token", "new", "--role", "king"], capture_output=True,
                           text=True)
    assert wrong.returncode == 2 and "'king' is no role" in wrong.stderr


# ---- reading it again --------------------------------------------------------------------------

def test_a_policy_is_read_again_and_ends_the_streams_that_it_no_longer_allows(scene):
    robot, client = scene.stream(token="for-agents"), scene.stream("client")
    robot.wait_welcome()
    client.wait_welcome()
    scene.access.write_text("san:client.example wrong\n")
    scene.reload("files.refused")
    assert "'wrong' is no role" in scene.collector.log()
    scene.access.write_text("\n".join(line for line in POLICY.splitlines() if "robots" not in line))
    scene.reload("files.reloaded")
    assert robot.wait_end() is CODE.UNAUTHENTICATED
    assert not client.ended.is_set()
    again = scene.stream(token="for-agents")
    assert again.wait_end() is CODE.UNAUTHENTICATED
    scene.access.write_text(POLICY)
    scene.reload("files.reloaded")
    again = scene.stream(token="for-agents")
    again.wait_welcome()
    for stream in (again, client):
        stream.close()


def test_certificates_are_read_again_under_live_streams(scene):
    stream, process = scene.stream("client"), Process(1, service="cart")
    process.announce(stream)
    first = int(time.time() * 1000) * 1024
    stream.outgoing.put(process.snapshot(first))
    stream.wait_ack(first)

    (scene.folder / "cert").write_text("garbage")
    scene.reload("files.refused")
    scene.stream("client").wait_welcome()  # the old pair is in force

    scene.install("cert", "elsewhere.pem")
    scene.install("key", "elsewhere.key")
    scene.reload("files.reloaded")
    with scene.channel("client") as channel:
        assert code_of(channel, "/heapfleet.v1.Ingest/Stream", []) is CODE.UNAVAILABLE
    elsewhere = scene.channel("client", options=[
        ("grpc.ssl_target_name_override", "elsewhere.example")])
    Stream(None, channel=elsewhere).wait_welcome()

    scene.install("cert", "server.pem")
    scene.install("key", "server.key")
    scene.reload("files.reloaded")
    scene.stream("client").wait_welcome()
    stream.outgoing.put(process.snapshot(first + 1))
    stream.wait_ack(first + 1)
    stream.close()


# ---- what is not started -----------------------------------------------------------------------

@pytest.mark.parametrize("options,words", [
    (["--listen", "0.0.0.0:0"], "give --tls-cert"),
    (["--listen", "0.0.0.0:0", "--tls-cert", "{cert}", "--tls-key", "{key}"], "give --access"),
    (["--tls-cert", "{cert}"], "--tls-cert needs --tls-key"),
    (["--tls-ca", "{ca}"], "--tls-ca needs --tls-cert"),
    (["--tls-client-optional"], "--tls-client-optional needs --tls-ca"),
    (["--tls-cert", "{cert}", "--tls-key", "{other}"], "do not belong together"),
    (["--tls-cert", "/none", "--tls-key", "{key}"], "/none"),
    (["--tls-cert", "{access}", "--tls-key", "{key}"], "not a PEM text"),
    (["--access", "/none"], "/none"),
    (["--access", "{key}"], "line 1"),
])
def test_what_is_wrong_is_found_by_check(scene, options, words):
    names = {"cert": scene.pems / "server.pem", "key": scene.pems / "server.key",
             "ca": scene.pems / "ca.pem", "other": scene.pems / "client.key",
             "access": scene.access}
    checked = subprocess.run(
        [str(PROGRAM), "serve", "--check", "--data-dir", "/nowhere",
         *[word.format(**names) for word in options]], capture_output=True, text=True)
    assert checked.returncode != 0
    assert words in checked.stderr


def test_all_of_it_is_fine(scene):
    checked = subprocess.run(
        [str(PROGRAM), "serve", "--check", "--data-dir", "/nowhere", "--listen", "0.0.0.0:1",
         "--tls-cert", scene.pems / "server.pem", "--tls-key", scene.pems / "server.key",
         "--tls-ca", scene.pems / "ca.pem", "--access", scene.access],
        capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr

