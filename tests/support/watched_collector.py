"""A collector whose /metrics are read."""
import http.client
import time

from collector_process import Collector


class Watched(Collector):
    """Started with "--http" among its options."""

    def start(self, *arguments, **more):
        super().start(*arguments, **more)
        line = next(line for line in self.lines if "http.ready" in line)
        host, _, port = line.split("listen=")[1].strip().rpartition(":")
        self.http = (host, int(port))
        return self

    def get(self, path, method="GET", body=None):
        connection = http.client.HTTPConnection(*self.http, timeout=10)
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def metrics(self):
        """{series: value}"""
        lines = self.get("/metrics")[1].splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    def wait_metric(self, series, least, seconds=20):
        deadline = time.monotonic() + seconds
        while self.metrics()[series] < least:
            assert time.monotonic() < deadline, f"{series} is {self.metrics()[series]}, not {least}"
            time.sleep(0.05)
