#!/usr/bin/env python3
"""What a whole file costs, and how quickly a huge torrent is ready: what the simulation and the criterion bench cannot tell.

    benches/whole.py file [--mib 306] [--runs 3] [--rqbit PROGRAM] [--seeds 4] [--upload KB/S]
        A file from four libtorrent seeds on loopback, read over HTTP at full speed: the client's seconds, CPU seconds and
        memory; with --rqbit the same of rqbit, in turn. Every byte is compared. With --upload each seed limits what it
        sends, as most people's clients do; then the seconds are to be held against those of the seeds together.
    benches/whole.py huge [--runs 5]
        A torrent of 64.5 GB with 61,559 pieces of 1 MiB: from the start of the process to the line that says that it
        listens, and memory a second later.

Needs the release binary (cargo build --release) and, for `file`, the Debian package python3-libtorrent: run it with
/usr/bin/python3. Nothing leaves loopback. CPU seconds and memory are fair on a busy machine, seconds are not.
"""
import argparse
import hashlib
import http.server
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PEERFLIX = os.environ.get("PEERFLIX_BIN", "target/release/peerflix")
TICK = os.sysconf("SC_CLK_TCK")
PIECE = 1 << 20


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def used(process):
    """(CPU seconds, most resident MiB) of a running process."""
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{process.pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICK, peak / 1024


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tracker(ports):
    """A tracker that knows these ports of this computer."""
    peers = b"".join(bytes([127, 0, 0, 1]) + struct.pack(">H", port) for port in ports)
    answer = bencode({b"interval": 1800, b"peers": peers})

    class Announce(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Announce)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/announce"


def seeds(folder, torrent, count, upload=0):
    import libtorrent as lt

    sessions = []
    for _ in range(count):
        session = lt.session({
            "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
            "enable_natpmp": False, "allow_multiple_connections_per_ip": True, "alert_mask": 0,
        })
        adding = lt.add_torrent_params()
        adding.ti = lt.torrent_info(torrent)
        adding.trackers = []
        adding.save_path = folder
        adding.flags |= lt.torrent_flags.seed_mode
        session.add_torrent(adding)
        # Peers on loopback are in a class of their own, which has no limit.
        of_local = session.get_peer_class(lt.session.local_peer_class_id)
        of_local["upload_limit"] = upload * 1000
        session.set_peer_class(lt.session.local_peer_class_id, of_local)
        sessions.append(session)
    deadline = time.monotonic() + 30
    while not all(session.listen_port() for session in sessions):
        if time.monotonic() > deadline:
            sys.exit("a libtorrent seed does not listen")
        time.sleep(0.05)
    return sessions


def read_whole(url, digest, start):
    """Seconds from `start` until the whole file has come; wrong bytes end the program."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                sha = hashlib.sha1()
                while part := answer.read(1 << 20):
                    sha.update(part)
            break
        except OSError:
            if time.monotonic() > start + 60:
                sys.exit(f"nothing is served at {url}")
            time.sleep(0.02)
    if sha.digest() != digest:
        sys.exit(f"WRONG BYTES from {url}")
    return time.monotonic() - start


def whole_file(args):
    with tempfile.TemporaryDirectory(prefix="whole-") as folder:
        digest, hashes = hashlib.sha1(), []
        with open(os.path.join(folder, "film.bin"), "wb") as film:
            for _ in range(args.mib):
                piece = os.urandom(PIECE)
                film.write(piece)
                digest.update(piece)
                hashes.append(hashlib.sha1(piece).digest())
        info = {b"name": b"film.bin", b"length": args.mib * PIECE, b"piece length": PIECE, b"pieces": b"".join(hashes)}
        torrent = os.path.join(folder, "film.torrent")
        with open(torrent, "wb") as file:
            file.write(bencode({b"info": info}))
        running = seeds(folder, torrent, args.seeds, args.upload)
        announce = tracker([session.listen_port() for session in running])
        with open(torrent, "wb") as file:
            file.write(bencode({b"announce": announce.encode(), b"info": info}))

        clients = ["peerflix"] + (["rqbit"] if args.rqbit else [])
        rows = {client: [] for client in clients}
        for _ in range(args.runs):
            for client in clients:
                rows[client].append(one_whole(client, args, torrent, digest.digest()))
        for client in clients:
            took, cpu, memory = (statistics.median(column) for column in zip(*rows[client]))
            print(f"{client:9} {took:6.2f} s  {cpu:5.2f} CPU s  {memory:5.0f} MiB   (medians of {args.runs})")


def one_whole(client, args, torrent, digest):
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="whole-out-") as out:
        start = time.monotonic()
        if client == "peerflix":
            words = [PEERFLIX, torrent, "--quiet", "--port", str(port), "--path", out, "--no-dht"]
            url = f"http://127.0.0.1:{port}/"
        else:
            words = [args.rqbit, "-v", "error", "--http-api-listen-addr", f"127.0.0.1:{port}", "--disable-dht",
                     "server", "start", out, "--disable-persistence"]
            url = f"http://127.0.0.1:{port}/torrents/0/stream/0"
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            if client == "rqbit":
                add(port, torrent)
            took = read_whole(url, digest, start)
            cpu, memory = used(process)
        finally:
            end(process)
    return took, cpu, memory


def add(port, torrent):
    with open(torrent, "rb") as file:
        body = file.read()
    for _ in range(500):
        try:
            url = f"http://127.0.0.1:{port}/torrents?overwrite=true"
            urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=30).read()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit("rqbit does not take the torrent")


def huge(args):
    pieces = 61_559
    with tempfile.TemporaryDirectory(prefix="huge-") as folder:
        info = {b"name": b"wikipedia.zim", b"length": pieces * PIECE - 12_345, b"piece length": PIECE,
                b"pieces": os.urandom(20 * pieces)}
        torrent = os.path.join(folder, "huge.torrent")
        with open(torrent, "wb") as file:
            file.write(bencode({b"info": info}))
        times, memory = [], []
        for _ in range(args.runs):
            start = time.monotonic()
            process = subprocess.Popen(
                [PEERFLIX, torrent, "--quiet", "--port", "0", "--path", folder, "--no-dht"], stdout=subprocess.PIPE
            )
            try:
                line = process.stdout.readline()
                times.append(time.monotonic() - start)
                if not line.startswith(b"server is listening"):
                    sys.exit(f"it said {line!r}")
                # The whole torrent is open when the files are answered.
                url = line.split()[-1].decode().rstrip("/") + "/.json"
                urllib.request.urlopen(url, timeout=30).read()
                ready = time.monotonic() - start
                time.sleep(1)
                memory.append(used(process)[1])
            finally:
                end(process)
            print(f"listening after {times[-1]:.3f} s, files known after {ready:.3f} s, {memory[-1]:.0f} MiB")
        print(f"median: listening after {statistics.median(times):.3f} s, {statistics.median(memory):.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(required=True)
    one = what.add_parser("file")
    one.add_argument("--mib", type=int, default=306)
    one.add_argument("--runs", type=int, default=3)
    one.add_argument("--rqbit")
    one.add_argument("--seeds", type=int, default=4)
    one.add_argument("--upload", type=int, default=0, metavar="KB/S")
    one.set_defaults(run=whole_file)
    one = what.add_parser("huge")
    one.add_argument("--runs", type=int, default=5)
    one.set_defaults(run=huge)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
