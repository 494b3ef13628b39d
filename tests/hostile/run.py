#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the table for every user and profile that this machine allows; see README.md."""
import argparse
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile

PLAIN_USER = 65500  # nobody's
CGROUPS = ("memory", "pids", "cpu")


def delegate(uid):
    """Control groups of the user's own, as a service manager with Delegate= gives; [] when there are none."""
    folders = []
    for controller in CGROUPS:
        base = pathlib.Path("/sys/fs/cgroup", controller)
        if not (base / "cgroup.procs").exists():
            continue
        folder = base / f"talon-hostile-{os.getpid()}"
        try:
            folder.mkdir()
            for path in (folder, folder / "cgroup.procs", folder / "tasks"):
                os.chown(path, uid, uid)
        except OSError as error:
            print(f"no delegated control group: {error}")
            return folders
        folders.append(folder)
    return folders


def run_table(work, uid, profile, workspace, groups):
    home = pathlib.Path(tempfile.mkdtemp(dir=work, prefix="h"))
    os.chown(home, uid, uid)
    command = [str(work / "hostile_table"), "--home", str(home), "--profile", profile,
               "--workspace", workspace, "--hostile", str(work / "hostile_plugin"),
               "--other", str(work / "other" / "test_plugin"), "--launcher", str(work / "talon-launch")]

    def become():
        for folder in groups:
            (folder / "cgroup.procs").write_text("0")
        if uid != os.getuid():
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)

    environment = {"PATH": os.environ["PATH"], "HOME": str(home),
                   "HOSTILE_SECRET": "secret-" + secrets.token_hex(12)}
    result = subprocess.run(command, env=environment, preexec_fn=become, cwd=home, check=False, timeout=900)
    shutil.rmtree(home, ignore_errors=True)
    return result.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--only", default="", help="part of a case's name")
    arguments = parser.parse_args()
    build = arguments.build
    # Where every user can read it: the build folder may be somebody's alone.
    work = pathlib.Path(tempfile.mkdtemp(prefix="talon-hostile-", dir="/tmp"))
    work.chmod(0o755)
    for program in ("tests/hostile/hostile_table", "tests/plugins/hostile_plugin/hostile_plugin",
                    "lib/talon/talon-launch"):
        shutil.copy2(build / program, work)
        (work / pathlib.Path(program).name).chmod(0o755)
    shutil.copytree(build / "tests/plugins/test_plugin", work / "other")
    for path in (work / "other", *(work / "other").iterdir()):
        path.chmod(0o755)
    cases = []
    root = os.getuid() == 0
    for profile in ("default", "strict"):
        if root:
            cases.append((f"root {profile}", 0, profile, "none", False))
            cases.append((f"user {profile} delegated", PLAIN_USER, profile, "none", True))
        cases.append((f"user {profile}", PLAIN_USER if root else os.getuid(), profile, "none", False))
    if root:
        cases.append(("root default workspace", 0, "default", "write", False))
    else:
        print("not root: the cases of root and of delegated control groups are left out")
    failed = []
    try:
        for name, uid, profile, workspace, delegated in cases:
            if arguments.only not in name:
                continue
            groups = delegate(uid) if delegated else []
            print(f"\n== {name}", flush=True)
            if not run_table(work, uid, profile, workspace, groups):
                failed.append(name)
            for folder in groups:
                folder.rmdir()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("\nfailed: " + ", ".join(failed) if failed else "\nnothing was got in any case")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
