# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells of a process and of the machine."""

import os
import pathlib
import platform
import re
import time


def switches(pid):
    """Thread to the times it was put to sleep or replaced."""
    counts = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        counts[task.name] = sum(map(int, re.findall(r"ctxt_switches:\s*(\d+)", status)))
    return counts


def switches_between(before, after):
    """Of all threads together; one that ended meanwhile had to wake for it."""
    ended = len(before.keys() - after.keys())
    return ended + sum(count - before.get(thread, 0) for thread, count in after.items())


def cpu_ms(pid):
    """On a processor so far, all threads there are together."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def memory_mb(pid):
    """(resident, private) in MB of 1,048,576 bytes. Private is what was written to: an unwritten page
    of a file is the page cache's, whether or not another process maps it just now."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    values = {name: int(kb) for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
    return values["Rss"] / 1024, values["Private_Dirty"] / 1024


def descendants(pid):
    """A plugin's program is a child of the launcher that confines it."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def sync_ms(folder, rounds=50):
    """Median of writing and syncing 4 KB."""
    path = pathlib.Path(folder) / "sync-probe"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    times = []
    for number in range(rounds):
        begin = time.perf_counter()
        os.pwrite(fd, b"x" * 4096, number * 4096)
        os.fdatasync(fd)
        times.append(time.perf_counter() - begin)
    os.close(fd)
    path.unlink()
    return sorted(times)[rounds // 2] * 1000


def machine(folder):
    model = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    load = os.getloadavg()[0]
    return (f"{os.cpu_count()} × {model}, Linux {platform.release().split('-')[0]}, "
            f"a synced 4 KB write takes {sync_ms(folder):.2f} ms, load {load:.1f} at the start")
