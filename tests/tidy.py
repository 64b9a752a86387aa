"""Rules of the house that neither the compiler nor clang-tidy knows. Run by `./dev lint`."""
import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

LINES_MAX = 600

# Each third-party library is included by one folder only.
OWNERS = {
    r"<grpc/": "common/rpc",
    r"<uv\.h>": "common/loop",
    r"<microhttpd\.h>": "collector/http",
    r"<libpq-fe\.h>": "collector/store",
    r"<protobuf-c/": "common/wire",
    r"<openssl/": "common/digest",
    r"<curl/": "collector/alert",
    r"<zlib\.h>": "agent/spool",
}

TOP = {"agent", "collector", "common", "deploy", "proto", "tests"}


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [pathlib.Path(line) for line in out.splitlines() if (ROOT / line).is_file()]


def check_c_file(path, text, complain):
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        complain(f"{path}: {len(lines)} lines, at most {LINES_MAX}: split it by idea")
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if re.match(r'\s*#\s*include\s+"(\.\.|.*/)', line):
            complain(f"{where}: include by plain name; the module's USES decides what is visible")
        if path.parts[0] not in ("common", "tests") and re.match(r"\s*#\s*(if|elif)\b", line):
            complain(f"{where}: no #if outside common/: make it a table or a module")
        include = re.match(r"\s*#\s*include\s+(<.*)", line)
        for pattern, owner in OWNERS.items():
            if include and re.match(pattern, include[1]) and path.parts[0] != "tests" and \
                    not str(path).startswith(owner + "/"):
                complain(f"{where}: only {owner} includes {include[1]}")
        if re.match(r"\s*extern\s+(?!const\b)", line):
            complain(f"{where}: no extern variables that change")


def main():
    problems = []
    names = collections.defaultdict(list)
    for path in tracked():
        if len(path.parts) > 1 and path.parts[0] not in TOP and not path.parts[0].startswith("."):
            problems.append(f"{path}: top-level folder {path.parts[0]} is not of this house")
        if path.suffix in (".c", ".h"):
            names[path.name].append(str(path))
            check_c_file(path, (ROOT / path).read_text(), problems.append)
        if path.suffix in (".h",) and path.parts[0] != "tests":
            if not (ROOT / path).read_text().startswith("/*"):
                problems.append(f"{path}: a header opens by saying what it is")
    for name, paths in names.items():
        if len(paths) > 1:
            problems.append(f"file names are unique in the tree: {name} is {', '.join(paths)}")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
