"""python drive.py CASE: call run(5) of a case ten times a second until the parent ends us."""
import importlib
import pathlib
import sys
import time

CALLS_A_SECOND = 10
SIZE = 5


def main():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
    case = importlib.import_module(sys.argv[1])
    due = time.monotonic()
    while True:
        case.run(SIZE)
        due += 1 / CALLS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
