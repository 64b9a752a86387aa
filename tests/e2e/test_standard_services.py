"""grpc.health.v1 and grpc.reflection, asked as probes and grpcurl ask them."""
import json
import shutil
import signal
import subprocess
import threading
import time

import grpc
import pytest
from google.protobuf import descriptor_pb2

from agent_client import load_messages
from collector_process import Collector, new_folder
from private_postgres import PrivatePostgres

pytestmark = pytest.mark.postgres

health, reflection = load_messages("grpc/health/v1/health.proto",
                                   "grpc/reflection/v1alpha/reflection.proto")
STATUS = health.HealthCheckResponse
SERVICES = ["heapfleet.v1.Ingest", "heapfleet.v1.Query", "heapfleet.v1.Admin",
            "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.fixture(scope="module")
def collector():
    with Collector() as running:
        yield running


def check(address, service=""):
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check",
                                   request_serializer=health.HealthCheckRequest.SerializeToString,
                                   response_deserializer=STATUS.FromString)
        return call(health.HealthCheckRequest(service=service), timeout=20).status


class Watch:
    def __init__(self, address, service=""):
        self.states, self.error, self.ended = [], None, threading.Event()
        self.channel = grpc.insecure_channel(address)
        call = self.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health.HealthCheckRequest.SerializeToString,
            response_deserializer=STATUS.FromString)
        self.call = call(health.HealthCheckRequest(service=service))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for answer in self.call:
                self.states.append(answer.status)
        except grpc.RpcError as error:
            self.error = error
        self.ended.set()

    def wait(self, states, seconds=30):
        deadline = time.monotonic() + seconds
        while self.states != states:
            assert time.monotonic() < deadline, self.states
            time.sleep(0.02)


def test_check_knows_the_services(collector):
    for service in ["", *SERVICES[:3]]:
        assert check(collector.address, service) == STATUS.SERVING
    with pytest.raises(grpc.RpcError) as refused:
        check(collector.address, "nobody")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_watch_of_what_nobody_knows_stays(collector):
    watch = Watch(collector.address, "nobody")
    watch.wait([STATUS.SERVICE_UNKNOWN])
    assert not watch.ended.wait(0.3)
    watch.call.cancel()


def test_health_follows_the_database_and_the_drain():
    folder = new_folder()
    postgres = PrivatePostgres(folder / "postgres")
    postgres.folder.mkdir()
    postgres.create()
    postgres.start()
    collector = Collector(folder, options=["--dsn", postgres.dsn], private=False).start()
    try:
        watch = Watch(collector.address, "heapfleet.v1.Ingest")
        watch.wait([STATUS.SERVING])
        postgres.stop()
        watch.wait([STATUS.SERVING, STATUS.NOT_SERVING], 60)
        assert check(collector.address, "heapfleet.v1.Query") == STATUS.NOT_SERVING
        postgres.start()
        watch.wait([STATUS.SERVING, STATUS.NOT_SERVING, STATUS.SERVING], 60)
        collector.child.send_signal(signal.SIGTERM)
        assert watch.ended.wait(30)
        assert watch.states[3:] == [STATUS.NOT_SERVING]
        assert watch.error.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        collector.remove()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


# ---- reflection --------------------------------------------------------------------------------

def reflect(address, *requests, version="v1alpha"):
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection.ServerReflectionResponse.FromString)
        return list(call(iter(requests), timeout=20))


@pytest.mark.parametrize("version", ["v1alpha", "v1"])
def test_reflection_lists_and_describes(collector, version):
    ask = reflection.ServerReflectionRequest
    listed, by_name, *by_symbol, unknown, extension = reflect(
        collector.address, ask(host="h", list_services="*"),
        ask(file_by_filename="heapfleet/v1/query.proto"),
        *[ask(file_containing_symbol=symbol) for symbol in (
            "heapfleet.v1.Query", "heapfleet.v1.Query.ListLeaks", "heapfleet.v1.ServiceRef")],
        ask(file_containing_symbol="heapfleet.v1.Quer"),
        ask(all_extension_numbers_of_type="x"), version=version)
    assert [s.name for s in listed.list_services_response.service] == SERVICES
    assert listed.valid_host == "h" and listed.original_request.list_services == "*"
    files = [descriptor_pb2.FileDescriptorProto.FromString(
        answer.file_descriptor_response.file_descriptor_proto[0])
        for answer in (by_name, *by_symbol)]
    assert {f.name for f in files} == {"heapfleet/v1/query.proto"}
    assert {s.name for s in files[0].service} == {"Query", "Admin"}
    for refused in (unknown, extension):
        assert refused.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_grpcurl(collector):
    program = shutil.which("grpcurl")
    if program is None:
        pytest.skip("not covered: grpcurl")
    run = lambda *words: subprocess.run(  # noqa: E731
        [program, "-plaintext", *words], capture_output=True, text=True, check=True).stdout
    assert set(run(collector.address, "list").split()) == set(SERVICES)
    assert "rpc ListServices" in run(collector.address, "describe", "heapfleet.v1.Query")
    answer = run("-d", '{"service": "heapfleet.v1.Query"}', collector.address,
                 "grpc.health.v1.Health/Check")
    assert json.loads(answer) == {"status": "SERVING"}
    assert json.loads(run(collector.address, "heapfleet.v1.Query/ListServices")) == {}
