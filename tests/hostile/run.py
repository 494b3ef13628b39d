#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the table for every user and profile that this machine allows; see README.md."""
import argparse
import ctypes
import dataclasses
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
    unified = pathlib.Path("/sys/fs/cgroup")
    if (unified / "cgroup.controllers").exists():
        return delegate_unified(uid, unified)
    print("skipped: cgroup v2: this machine gives its controllers to version 1, which is used here")
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
            print(f"skipped: no delegated control group: {error}")
            return folders
        folders.append(folder)
    return folders


def delegate_unified(uid, root):
    folder = root / f"talon-hostile-{os.getpid()}"
    try:
        (root / "cgroup.subtree_control").write_text(" ".join("+" + name for name in CGROUPS))
        folder.mkdir()
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(folder / name, uid, uid)
    except OSError as error:
        print(f"skipped: no delegated control group: {error}")
        return []
    return [folder]


@dataclasses.dataclass
class Case:
    name: str
    uid: int
    profile: str = "default"
    workspace: str = "none"
    delegated: bool = False  # has control groups of its own
    above: bool = False  # is granted the folder that the daemon's home stands in
    lies: bool = False  # every lie there is: they are the host's matter, whatever the sandbox
    outbound: bool = False
    own: bool = False  # the programs belong to the user: they run from sealed copies
    covered: bool = False  # a part of /proc is hidden, as containers do
    alone: bool = False  # nobody may make namespaces, as where they are switched off


def call(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) != 0:
        raise OSError(ctypes.get_errno(), name)


def enter_namespace():
    """A user namespace in which there are all users."""
    read, write = os.pipe()
    helper = os.fork()
    if helper == 0:  # outside it may map more than one user
        os.read(read, 1)
        for name in ("uid_map", "gid_map"):
            pathlib.Path(f"/proc/{os.getppid()}/{name}").write_text("0 0 4294967295")
        os._exit(0)
    call("unshare", 0x10000000 | 0x20000)  # CLONE_NEWUSER | CLONE_NEWNS
    os.write(write, b"x")
    os.waitpid(helper, 0)


def cover_proc():
    """The kernel mounts no /proc that shows more than the one there is in the user namespace."""
    enter_namespace()
    call("mount", b"tmpfs", b"/proc/fs", b"tmpfs", 0, None)


def forbid_namespaces():
    enter_namespace()
    pathlib.Path("/proc/sys/user/max_user_namespaces").write_text("0")  # of this one and those inside


def run_table(work, case, groups):
    parent = pathlib.Path(tempfile.mkdtemp(dir=work, prefix="h"))
    home = parent / "t"
    home.mkdir(0o700)
    programs = work
    if case.own:
        programs = parent / "own"
        shutil.copytree(work, programs, ignore=lambda folder, names: [n for n in names if n == parent.name])
    for folder in (parent, home, *(programs.rglob("*") if case.own else ())):
        os.chown(folder, case.uid, case.uid)
    command = [str(work / "hostile_table"), "--home", str(home), "--profile", case.profile,
               "--workspace", case.workspace, "--hostile", str(programs / "hostile_plugin"),
               "--other", str(programs / "other" / "test_plugin"), "--launcher", str(work / "talon-launch"),
               "--lacks", "proc" if case.covered else "view" if case.alone else "",
               "--above", "yes" if case.above else "no", "--network", "outbound" if case.outbound else "none",
               "--liar", str(programs / "liar") if case.lies else ""]

    def become():
        for folder in groups:
            (folder / "cgroup.procs").write_text("0")
        if case.covered:
            cover_proc()
        if case.alone:
            forbid_namespaces()
        if case.uid != os.getuid():
            os.setgroups([])
            os.setresgid(case.uid, case.uid, case.uid)
            os.setresuid(case.uid, case.uid, case.uid)

    environment = {"PATH": os.environ["PATH"], "HOME": str(home),
                   "HOSTILE_SECRET": "secret-" + secrets.token_hex(12)}
    result = subprocess.run(command, env=environment, preexec_fn=become, cwd=home, check=False, timeout=900)
    shutil.rmtree(parent, ignore_errors=True)
    return result.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--only", default="", help="part of a case's name")
    arguments = parser.parse_args()
    build = arguments.build
    # Where every user can read it: the build folder may be somebody's alone.
    work = pathlib.Path(tempfile.mkdtemp(prefix="hostile-", dir="/tmp"))
    work.chmod(0o755)
    for program in ("tests/hostile/hostile_table", "tests/plugins/hostile_plugin/hostile_plugin",
                    "lib/talon/talon-launch"):
        shutil.copy2(build / program, work)
        (work / pathlib.Path(program).name).chmod(0o755)
    shutil.copytree(build / "tests/plugins/test_plugin", work / "other")
    shutil.copy2(build / "tests/plugins/test_plugin/test_plugin", work / "liar")  # without its manifest
    for path in (work / "liar", work / "other", *(work / "other").iterdir()):
        path.chmod(0o755)
    cases = []
    root = os.getuid() == 0
    plain = PLAIN_USER if root else os.getuid()
    for profile in ("default", "strict"):
        if root:
            cases.append(Case(f"root {profile}", 0, profile))
            cases.append(Case(f"user {profile} delegated", plain, profile, delegated=True))
        cases.append(Case(f"user {profile}", plain, profile))
    cases.append(Case("user default own programs", plain, own=True))
    cases.append(Case("user default outbound", plain, outbound=True))
    cases.append(Case("user default lies", plain, lies=True))
    cases.append(Case("user default above home", plain, above=True))
    if root:
        cases.append(Case("root default above home", 0, above=True))
        cases.append(Case("root default workspace above home", 0, workspace="write", above=True))
        cases.append(Case("user default covered /proc", plain, covered=True))
        cases.append(Case("user default no namespaces", plain, alone=True))
        cases.append(Case("user strict no namespaces", plain, "strict", alone=True))
        cases.append(Case("root default workspace", 0, workspace="write"))
    else:
        print("skipped: not root: the cases of root and of delegated control groups are left out")
    failed = []
    try:
        for case in cases:
            if arguments.only not in case.name:
                continue
            groups = delegate(case.uid) if case.delegated else []
            print(f"\n== {case.name}", flush=True)
            if not run_table(work, case, groups):
                failed.append(case.name)
            for folder in groups:
                for group in sorted(filter(pathlib.Path.is_dir, folder.rglob("*")), reverse=True):
                    group.rmdir()  # the daemon's own, in version 2
                folder.rmdir()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("\nfailed: " + ", ".join(failed) if failed else "\nnothing was got in any case")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
