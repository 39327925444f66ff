"""Ask the graph and its peers the same questions, in one run, about one log.

    mars graph bench --size 20M --dir /tmp/bench     # makes log.bin and graph.bin
    python compare.py /tmp/bench --queries 200

Peers: scipy.sparse, DuckDB, SQLite (as many rows as --sqlite-rows says at most),
a map of maps in Python, and implicit for the nearest fifty of all items. A peer
that is not installed is left out. Times are processor time of the process
(DuckDB and implicit run several threads), medians unless they say mean. The
answers are compared: the twenty scores of each peer must be those of the graph.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROW = np.dtype([("user", "<u4"), ("item", "<u4"), ("time", "<u4"), ("tenths", "u1")])


def read_log(path: Path) -> np.ndarray:
    """Rows of a log file as mars writes it: a header of 24 bytes, 13 a row."""
    with path.open("rb") as f:
        header = f.read(24)
    if header[:8] != b"marsglog" or int.from_bytes(header[12:16], "little") != ROW.itemsize:
        sys.exit(f"{path} is not a log with ratings that mars graph bench wrote")
    return np.memmap(path, dtype=ROW, mode="r", offset=24)


def cpu() -> float:
    return time.process_time()


def timed(ask, questions):
    """Processor time of each question, in seconds, and its answer."""
    ask(questions[0])
    times, answers = [], []
    for q in questions:
        start = cpu()
        answers.append(ask(q))
        times.append(cpu() - start)
    return np.array(times), answers


def top(ids: np.ndarray, scores: np.ndarray, k: int) -> list[float]:
    if len(ids) > k:
        best = np.argpartition(-scores, k - 1)[:k]
        scores = scores[best]
    return sorted(scores.tolist(), reverse=True)[:k]


def mars(directory: Path, questions: list[str]):
    binary = directory / "graph-answers"
    subprocess.run(["go", "build", "-o", binary, "."], cwd=HERE, check=True)
    out = subprocess.run([binary, directory / "graph.bin"], input="\n".join(questions) + "\n",
                         capture_output=True, text=True, check=True).stdout
    times, answers = [], []
    for line in out.splitlines():
        took, _, found = line.partition(" ")
        times.append(int(took) / 1e9)
        answers.append([float(f.rpartition(":")[2]) for f in found.split()])
    return np.array(times), answers


class Scipy:
    """Rows of a product of sparse matrices, as is usual."""

    def __init__(self, log):
        from scipy import sparse

        ones = np.ones(len(log), dtype=np.float32)
        self.users = sparse.csr_matrix((ones, (log["user"], log["item"])))
        self.items = self.users.T.tocsr()
        self.user_degrees = np.diff(self.users.indptr)
        self.item_degrees = np.diff(self.items.indptr)

    def item(self, i: int) -> list[float]:
        row = self.items[i] @ self.users
        keep = (row.data >= 2) & (row.indices != i)
        ids, shared = row.indices[keep], row.data[keep].astype(np.float64)
        scores = shared / np.sqrt(self.item_degrees[ids] * float(self.item_degrees[i]))
        return top(ids, scores, 20)

    def user(self, u: int) -> list[float]:
        from scipy import sparse

        row = self.users[u] @ self.items
        keep = (row.data >= 2) & (row.indices != u)
        ids, shared = row.indices[keep], row.data[keep].astype(np.float64)
        cosine = shared / np.sqrt(self.user_degrees[ids] * float(self.user_degrees[u]))
        order = self.nearest(ids, cosine)
        near = sparse.csr_matrix((cosine[order], (np.zeros(len(order), int), ids[order])), shape=(1, self.users.shape[0]))
        sums = near @ self.users
        sums = sums.tocsr()
        seen = np.isin(sums.indices, self.users[u].indices)
        return top(sums.indices[~seen], sums.data[~seen], 20)

    @staticmethod
    def nearest(ids, cosine):
        if len(ids) <= 100:
            return np.arange(len(ids))
        least = np.partition(cosine, -100)[-100]
        sure = np.flatnonzero(cosine > least * (1 + 1e-12))
        ties = np.flatnonzero(np.abs(cosine - least) <= least * 1e-12)
        ties = ties[np.argsort(ids[ties].astype(str))]
        return np.concatenate([sure, ties])[:100]


ITEM_SQL = """
    SELECT b.item, count(*) * 1.0 / sqrt(d.n * 1.0 * {degree}) AS cosine
    FROM log a JOIN log b ON b.user = a.user JOIN degrees d ON d.item = b.item
    WHERE a.item = {item} AND b.item <> {item}
    GROUP BY b.item, d.n HAVING count(*) >= 2 ORDER BY cosine DESC LIMIT 20
"""


class DuckDB:
    def __init__(self, log, path: Path):
        import duckdb

        self.db = duckdb.connect(str(path))
        self.db.execute("SET threads TO 2")
        rows = {"user": np.array(log["user"]), "item": np.array(log["item"])}
        self.db.register("rows", rows)
        self.db.execute("CREATE TABLE log AS SELECT * FROM rows ORDER BY item")
        self.db.execute("CREATE INDEX by_item ON log(item)")
        self.db.execute("CREATE INDEX by_user ON log(user)")
        self.db.execute("CREATE TABLE degrees AS SELECT item, count(*) AS n FROM log GROUP BY item")
        self.degrees = dict(self.db.execute("SELECT item, n FROM degrees").fetchall())

    def item(self, i: int) -> list[float]:
        return [s for _, s in self.db.execute(ITEM_SQL.format(item=i, degree=self.degrees[i])).fetchall()]


class SQLite:
    def __init__(self, log, path: Path):
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA journal_mode=OFF")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute("PRAGMA cache_size=-2000000")
        self.db.execute("CREATE TABLE log(user INTEGER, item INTEGER)")
        for start in range(0, len(log), 1_000_000):
            part = log[start:start + 1_000_000]
            self.db.executemany("INSERT INTO log VALUES (?,?)", zip(part["user"].tolist(), part["item"].tolist()))
        self.db.execute("CREATE INDEX by_item ON log(item, user)")
        self.db.execute("CREATE INDEX by_user ON log(user, item)")
        self.db.execute("CREATE TABLE degrees(item INTEGER PRIMARY KEY, n INTEGER)")
        self.db.execute("INSERT INTO degrees SELECT item, count(*) FROM log GROUP BY item")
        self.db.execute("ANALYZE")
        self.db.commit()

    def item(self, i: int) -> list[float]:
        degree = self.db.execute("SELECT n FROM degrees WHERE item = ?", (i,)).fetchone()[0]
        return [s for _, s in self.db.execute(ITEM_SQL.format(item=i, degree=degree)).fetchall()]


class Maps:
    """A dict of sets in each direction."""

    def __init__(self, log):
        self.users, self.items = {}, {}
        for u, i in zip(log["user"].tolist(), log["item"].tolist()):
            self.users.setdefault(u, set()).add(i)
            self.items.setdefault(i, set()).add(u)

    def item(self, i: int) -> list[float]:
        counts = {}
        for u in self.items[i]:
            for j in self.users[u]:
                counts[j] = counts.get(j, 0) + 1
        own = len(self.items[i])
        scores = [c / (own * len(self.items[j])) ** 0.5 for j, c in counts.items() if c >= 2 and j != i]
        return sorted(scores, reverse=True)[:20]


def same(a, b) -> bool:
    return all(len(x) == len(y) and np.allclose(x, y, rtol=1e-5, atol=1e-7) for x, y in zip(a, b))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", default="scipy,duckdb,sqlite,maps,implicit")
    parser.add_argument("--maps-rows", type=int, default=2_000_000, help="a map of maps is made for so many rows at most")
    parser.add_argument("--sqlite-rows", type=int, default=20_000_000)
    options = parser.parse_args()
    log = read_log(options.directory / "log.bin")
    random = np.random.default_rng(options.seed)
    n = options.queries
    drawn = {
        "item uniform": np.unique(log["item"])[random.integers(0, len(np.unique(log["item"])), n)],
        "item popular": np.array(log["item"][random.integers(0, len(log), n)]),
        "user uniform": np.unique(log["user"])[random.integers(0, len(np.unique(log["user"])), max(1, n // 2))],
    }
    print(json.dumps({"rows": len(log), "queries": n, "seed": options.seed, "cpus": os.cpu_count()}))
    ours = {}
    for name, ids in drawn.items():
        kind = name.split()[0]
        ours[name] = mars(options.directory, [f"{kind} {ids[0]}"] + [f"{kind} {i}" for i in ids])
        ours[name] = (ours[name][0][1:], ours[name][1][1:])
        report("mars", name, ours[name][0], None, None)
    for peer in options.peers.split(","):
        try:
            compare(peer, options, log, drawn, ours)
        except ImportError as err:
            print(f"{peer}: left out: {err}")


def compare(peer, options, log, drawn, ours) -> None:
    start, asks = cpu(), ["item uniform", "item popular"]
    if peer == "scipy":
        engine, asks = Scipy(log), list(drawn)
    elif peer == "duckdb":
        path = options.directory / "peer.duckdb"
        path.unlink(missing_ok=True)
        engine = DuckDB(log, path)
    elif peer == "sqlite":
        if len(log) > options.sqlite_rows:
            return print("sqlite: left out: more rows than --sqlite-rows")
        path = options.directory / "peer.sqlite"
        path.unlink(missing_ok=True)
        engine = SQLite(log, path)
    elif peer == "maps":
        if len(log) > options.maps_rows:
            return print("maps: left out: more rows than --maps-rows")
        engine = Maps(log)
    elif peer == "implicit":
        return implicit(options, log)
    print(f"{peer}: made in {cpu() - start:.1f} s of processor time")
    for name in asks:
        few = len(drawn[name]) if peer in ("scipy", "maps") else min(50, len(drawn[name]))
        times, answers = timed(getattr(engine, name.split()[0]), [int(i) for i in drawn[name][:few]])
        report(peer, name, times, ours[name][0][:few], same(answers, ours[name][1][:few]))
    if peer in ("duckdb", "sqlite"):
        engine.db.close()
        path.unlink()


def report(peer, name, times, ours, agree) -> None:
    line = f"{peer:8} {name:13} mean {times.mean() * 1e3:9.3f} ms  p50 {np.median(times) * 1e3:9.3f} ms  p99 {np.quantile(times, 0.99) * 1e3:9.3f} ms"
    if ours is not None:
        line += f"   mars is faster: mean {times.mean() / ours.mean():.1f}x, p50 {np.median(times) / np.median(ours):.1f}x; {'same scores' if agree else 'OTHER SCORES'}"
    print(line, flush=True)


def implicit(options, log) -> None:
    from implicit.nearest_neighbours import all_pairs_knn
    from implicit.utils import nonzeros  # noqa: F401  (the library is compiled)
    from scipy import sparse

    items = sparse.csr_matrix((np.ones(len(log)), (log["item"], log["user"])))
    items.data /= np.sqrt(np.repeat(np.diff(items.indptr), np.diff(items.indptr)))
    start = cpu()
    all_pairs_knn(items.T.tocsr(), 50, num_threads=0)
    peer = cpu() - start
    ours = mars(options.directory, ["all 50"])[0][0]
    print(f"all items' nearest 50: implicit {peer:.1f} s, mars {ours:.1f} s of processor time: {peer / ours:.1f}x", flush=True)


if __name__ == "__main__":
    main()
