"""What every end-to-end test finds: tests/support on its path, and what a run could not cover."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import pythons  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "postgres: PostgreSQL is in it: ./dev test --postgres runs it with another major")


def pytest_terminal_summary(terminalreporter):
    for line in pythons.not_covered():
        terminalreporter.write_line(line)
