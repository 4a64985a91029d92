#!/usr/bin/env python3
"""A torrent as a folder, beside btfs and beside our own HTTP: the same reads of the same scripted swarms, in one run.

    benches/mount.py [--swarm FOLDER] [--media FILE] [--scenario NAME-OR-FILE ...] [--client NAME ...]
                     [--job sequential|random ...] [--seconds S] [--reads N] [--large MIB] [--piece BYTES] [--json FILE]

FOLDER holds swarm.py, bencode.py and scenarios/*.json: a scripted swarm on loopback whose seeds count what they send
($BENCH_SWARM, or ../shared/bench). FILE is a film of some hundred MB ($BENCH_MEDIA, or target/bench/movie.mp4). Scenarios are
named as their files are (fast, mixed, hostile, line), or `wide`: eight seeds without a limit, where the clients themselves are
what limits. Left out, it is fast, hostile and wide: five minutes.

Every job has a process, a mount and a swarm of its own. `sequential` reads with cat(1) from the beginning for S seconds or to
the end; `random` reads N times 64 KiB, one after the other, at the same places for all, of a file of MIB random bytes that is
too large to be fetched meanwhile: a client that fetches all of a small file behind the reader's back answers the later reads
from its disk, and its latency says nothing (--large 0 reads FILE instead, and shows that). Measured from outside:
  first byte   from the start of the process to the first byte of cat
  MB/s         of what cat gave, from its first byte on
  latency      of a random read: the median, and the worst; one that has not come after 20 s counts as 20 s, and a client that
               needs more than 30 s for the N reads makes fewer
  beyond       bytes that the seeds sent and nobody read, taken two seconds after the last read, when the file is closed
  memory, cpu  the most that was resident (VmHWM: pages of files that it maps are among it), and CPU, of its process alone
Every byte is compared, and a wrong one ends the run. The table is Markdown; its ratios are btfs to us (above 1: we are ahead)
and us to our own HTTP (below 1.5 is what we promise).

Needs the release binary (cargo build --release; $PEERFLIX_BIN names another) and the Debian packages fuse3 and btfs. What it
mounted is unmounted, however it ends. btfs has no flag against its DHT: it asks the internet for peers if there is one.
"""
import argparse
import atexit
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PEERFLIX = os.path.abspath(os.environ.get("PEERFLIX_BIN", "target/release/peerflix"))
TICK = os.sysconf("SC_CLK_TCK")
READ = 64 * 1024
PATIENCE = 20.0
JOB_PATIENCE = 30.0
REST = 2.0
PAUSE = 0.2
SETTLE = 3.0
WIDE = {"seeds": [{"count": 8, "rate": 1_000_000_000}]}
DEFAULT_SCENARIOS = ["fast", "hostile", "wide"]

running = []
mounted = []


def spawn(words, **how):
    process = subprocess.Popen(words, start_new_session=True, stdin=subprocess.DEVNULL, **how)
    running.append(process)
    return process


def is_mounted(folder):
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == folder for line in mounts)


def end(process):
    """SIGTERM, as a person would; SIGKILL for what does not listen."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def unmount(folder):
    if is_mounted(folder):
        subprocess.run(["fusermount3", "-uz", folder], stderr=subprocess.DEVNULL)


def clean():
    for folder in mounted:
        unmount(folder)
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for folder in mounted:
        unmount(folder)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def used(process):
    """(CPU seconds, most resident MiB)."""
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICK, peak / 1024


class Wrong(SystemExit):
    pass


class Film:
    """What the bytes must be."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDONLY)
        self.length = os.fstat(self.file).st_size

    def compare(self, offset, got, who):
        if os.pread(self.file, len(got), offset) != got:
            raise Wrong(f"WRONG BYTES from {who} at {offset}")


class Mounted:
    """A client that shows the torrent as a folder."""

    def __init__(self, name, torrent, film_name, out):
        self.name, self.at = name, os.path.join(out, "at")
        data = os.path.join(out, "data")
        os.mkdir(self.at)
        os.mkdir(data)
        mounted.append(self.at)
        if name == "btfs":
            words = ["btfs", "-f", f"--data-directory={data}", torrent, self.at]
        else:
            words = [PEERFLIX, "mount", torrent, "--at", self.at, "--path", data, "--no-dht", "--no-lsd"]
        environment = dict(os.environ, HOME=out, PEERFLIX_CACHE=os.path.join(out, "cache"))
        self.log = open(os.path.join(out, "log"), "wb")
        self.process = spawn(words, stdout=self.log, stderr=self.log, env=environment, cwd=out)
        self.film = None
        self.candidates = [os.path.join(self.at, film_name), os.path.join(self.at, film_name, film_name)]

    def wait(self):
        """Until the file is shown."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.log.flush()
                with open(self.log.name, errors="replace") as log:
                    sys.exit(f"{self.name} ended: {log.read()[-2000:]}")
            if is_mounted(self.at):
                self.film = next((path for path in self.candidates if os.path.isfile(path)), None)
                if self.film:
                    return
            time.sleep(0.005)
        sys.exit(f"{self.name} shows no file")

    def sequential(self, seconds, film):
        """(time of the first byte, seconds from there, bytes)."""
        self.wait()
        cat = spawn(["cat", self.film], stdout=subprocess.PIPE)
        timer = threading.Timer(JOB_PATIENCE, end, [cat])
        timer.start()
        try:
            result = drain(cat.stdout.read1, seconds, film, self.name)
        finally:
            timer.cancel()
            cat.stdout.close()
            if cat.poll() is None:
                os.killpg(cat.pid, signal.SIGKILL)
        return result

    def open(self):
        self.wait()
        self.file = os.open(self.film, os.O_RDONLY)

    def read(self, offset):
        """64 KiB. A read that does not come is ended by unmounting: the thread must not wait for ever."""
        result = []

        def pread():
            try:
                result.append(os.pread(self.file, READ, offset))
            except OSError:
                result.append(None)

        thread = threading.Thread(target=pread, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        return result[0] if result else None

    def close(self):
        # A read that still waits holds the descriptor; the end of the process frees both.
        threading.Thread(target=os.close, args=[self.file], daemon=True).start()

    def end(self):
        end(self.process)
        unmount(self.at)
        mounted.remove(self.at)


class Served:
    """peerflix over HTTP: nothing that nobody reads, as the mount does."""

    def __init__(self, name, torrent, _film_name, out):
        self.name, self.port = name, free_port()
        words = [PEERFLIX, torrent, "--quiet", "--port", str(self.port), "--path", out, "--no-dht", "--no-lsd", "--only-watched"]
        environment = dict(os.environ, HOME=out, PEERFLIX_CACHE=os.path.join(out, "cache"))
        self.process = spawn(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=out)

    def ask(self, headers):
        deadline = time.monotonic() + PATIENCE
        while True:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                self.connection.request("GET", "/", headers=headers)
                return self.connection.getresponse()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("peerflix does not serve")
                time.sleep(0.005)

    def sequential(self, seconds, film):
        answer = self.ask({})
        result = drain(answer.read1, seconds, film, self.name)
        self.connection.close()
        return result

    def open(self):
        self.connection = None
        deadline = time.monotonic() + PATIENCE
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if time.monotonic() > deadline:
                sys.exit("peerflix does not listen")
            time.sleep(0.005)

    def read(self, offset):
        headers = {"Range": f"bytes={offset}-{offset + READ - 1}"}
        try:
            if self.connection is None:
                return self.ask(headers).read()
            self.connection.request("GET", "/", headers=headers)
            return self.connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.connection = None
            return None

    def close(self):
        if self.connection:
            self.connection.close()

    def end(self):
        end(self.process)


def drain(read, seconds, film, who):
    first, got = None, 0
    while True:
        part = read(1 << 20)
        now = time.monotonic()
        if not part:
            break
        first = first or now
        film.compare(got, part, who)
        got += len(part)
        if now - first >= seconds:
            break
    if first is None:
        sys.exit(f"{who} gave nothing")
    return first, max(time.monotonic() - first, 1e-6), got


CLIENTS = {"peerflix": Mounted, "btfs": Mounted, "http": Served}


def places(count, length, seed):
    chance = random.Random(seed)
    return [int(length * chance.uniform(0.02, 0.97)) for _ in range(count)]


def large_file(mib):
    """A file of so many MiB of which no two pieces are alike, in a temporary folder."""
    folder = tempfile.mkdtemp(prefix="mount-large-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = os.path.join(folder, "large.bin")
    with open(path, "wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))
    return path


class Media:
    """A file and its torrent."""

    def __init__(self, path, piece, make):
        self.path, self.film, self.torrent = os.path.abspath(path), Film(path), make(path, piece)


def sent(tracker):
    return json.loads(urllib.request.urlopen(f"http://127.0.0.1:{tracker}/stats", timeout=10).read())["sent"]


def run(name, job, scenario, args, media):
    film = media.film
    tracker = free_port()
    out = os.path.realpath(tempfile.mkdtemp(prefix="mount-bench-"))
    torrent = os.path.join(out, "film.torrent")
    with open(torrent, "wb") as file:
        file.write(media.torrent.file(f"http://127.0.0.1:{tracker}/announce"))
    swarm = spawn(
        [sys.executable, os.path.join(args.swarm, "swarm.py"), torrent, os.path.dirname(media.path), scenario,
         str(tracker)],
        stdout=subprocess.PIPE,
    )
    if swarm.stdout.readline().strip() != b"ready":
        sys.exit("the swarm did not start: does another one run?")
    began = time.monotonic()
    client = CLIENTS[name](name, torrent, os.path.basename(media.path), out)
    row = {"client": name, "job": job}
    try:
        if job == "sequential":
            first, took, got = client.sequential(args.seconds, film)
            row["first"], row["rate"] = first - began, got / took / 1e6
        else:
            client.open()
            time.sleep(SETTLE)
            waits, got = [], 0
            deadline = time.monotonic() + JOB_PATIENCE
            for offset in places(args.reads, film.length, args.seed):
                asked = time.monotonic()
                bytes_read = client.read(offset)
                waits.append(time.monotonic() - asked if bytes_read else PATIENCE)
                if bytes_read is not None:
                    film.compare(offset, bytes_read, name)
                    if len(bytes_read) != READ:
                        raise Wrong(f"{name} gave {len(bytes_read)} bytes at {offset}")
                    got += READ
                if time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
            client.close()
            row["median"], row["worst"], row["reads"] = statistics.median(waits), max(waits), len(waits)
        time.sleep(REST)
        row["beyond"] = max(0, sent(tracker) - got) / 1e6
        row["read"] = got / 1e6
        row["cpu"], row["memory"] = used(client.process)
    finally:
        client.end()
        end(swarm)
        shutil.rmtree(out, ignore_errors=True)
    return row


# (title, job, key, unit, whether more is better)
MEASURES = [
    ("first byte of `cat`", "sequential", "first", "{:.2f} s", False),
    ("sequential", "sequential", "rate", "{:.1f} MB/s", True),
    ("fetched beyond it", "sequential", "beyond", "{:.1f} MB", False),
    ("CPU for each MB of it", "sequential", "cpu_each", "{:.1f} ms", False),
    ("random 64 KiB, median", "random", "median", "{:.3f} s", False),
    ("random 64 KiB, worst", "random", "worst", "{:.3f} s", False),
    ("fetched beyond them", "random", "beyond", "{:.1f} MB", False),
    ("memory", None, "memory", "{:.0f} MiB", False),
]


def ratio(top, bottom):
    if top is None or bottom is None:
        return ""
    return f"{top / bottom:.2f}" if bottom > 0 else ("1.00" if top == 0 else "∞")


def table(scenario, rows):
    def value(client, job, key):
        found = [row[key] for row in rows if row["client"] == client and (job is None or row["job"] == job) and key in row]
        return max(found) if found else None

    for row in rows:
        if row["job"] == "sequential":
            row["cpu_each"] = 1000 * row["cpu"] / max(row["read"], 1e-6)
    lines = []
    for title, job, key, unit, more in MEASURES:
        values = [value(client, job, key) for client in ("peerflix", "btfs", "http")]
        if all(one is None for one in values):
            continue
        ours, btfs, over_http = values
        ahead = ratio(ours, btfs) if more else ratio(btfs, ours)
        cost = ratio(over_http, ours) if more else ratio(ours, over_http)
        shown = ["" if one is None else unit.format(one) for one in values]
        lines.append(f"| {scenario} | {title} | {shown[0]} | {shown[1]} | {ahead} | {shown[2]} | {cost} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swarm", default=os.environ.get("BENCH_SWARM", "../shared/bench"), metavar="FOLDER")
    parser.add_argument("--media", default=os.environ.get("BENCH_MEDIA", "target/bench/movie.mp4"), metavar="FILE")
    parser.add_argument("--scenario", action="append", metavar="NAME-OR-FILE")
    parser.add_argument("--client", action="append", choices=CLIENTS)
    parser.add_argument("--job", action="append", choices=["sequential", "random"])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--reads", type=int, default=30)
    parser.add_argument("--large", type=int, default=4096, metavar="MIB")
    parser.add_argument("--piece", type=int, default=1 << 20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json")
    args = parser.parse_args()
    sys.path.insert(0, args.swarm)
    try:
        from bencode import Torrent
    except ImportError:
        sys.exit(f"there is no bencode.py in {args.swarm}: say with --swarm where swarm.py lies")
    for program in ["fusermount3", *(["btfs"] if "btfs" in (args.client or CLIENTS) else [])]:
        if not shutil.which(program):
            sys.exit(f"{program} is not installed: apt-get install fuse3 btfs")
    atexit.register(clean)
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, lambda *_: sys.exit(1))

    media = {"sequential": Media(args.media, args.piece, Torrent.make)}
    if "random" not in (args.job or ["random"]) or not args.large:
        media["random"] = media["sequential"]
    else:
        media["random"] = Media(large_file(args.large), args.piece, Torrent.make)
    folder = tempfile.mkdtemp(prefix="mount-scenarios-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    head = "| swarm | measure | peerflix mount | btfs | btfs / ours | peerflix HTTP | ours / HTTP |\n|---|---|---|---|---|---|---|"
    everything, lines = [], []
    for name in args.scenario or DEFAULT_SCENARIOS:
        path = name if os.path.exists(name) else os.path.join(args.swarm, "scenarios", name + ".json")
        if name == "wide":
            path = os.path.join(folder, "wide.json")
            with open(path, "w") as file:
                json.dump(WIDE, file)
        # Where the seeds have no limit a random read tells nothing of the swarm.
        jobs = args.job or (["sequential"] if name == "wide" else ["sequential", "random"])
        rows = []
        for job in jobs:
            for client in args.client or CLIENTS:
                row = run(client, job, path, args, media[job])
                print(json.dumps({"scenario": name, **row}), file=sys.stderr, flush=True)
                rows.append(row)
        title = os.path.basename(name).removesuffix(".json")
        everything += [{"scenario": title, **row} for row in rows]
        lines += table(title, rows)
    print(head, *lines, sep="\n")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(everything, file, indent=1)


if __name__ == "__main__":
    main()
