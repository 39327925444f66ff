"""What three controls score, from the raw ratings.csv, the tasks and the gold.

    python3 independent.py ratings.csv tasks.jsonl gold.jsonl

It shares no code with mars and uses nothing but the standard library. Printed
is one JSON object: for each control the rank of each task's true item, in the
order of the tasks, and the means that follow from the ranks.
"""

import csv, functools, itertools, json, math, sys
from bisect import bisect_left
from collections import Counter, defaultdict

ratings, tasks, golds = sys.argv[1:4]

# The earliest event of a pair counts; lists go by time, ties by id.
first = {}
for row in csv.DictReader(open(ratings, newline="", encoding="utf-8")):
    pair, time = (row["userId"], row["movieId"]), int(row["timestamp"])
    first[pair] = min(time, first.get(pair, time))
items_of, users_of = defaultdict(list), defaultdict(list)
for (user, item), time in first.items():
    items_of[user].append((time, item))
    users_of[item].append((time, user))
for events in itertools.chain(items_of.values(), users_of.values()):
    events.sort()


def count(events, time):
    """How many events lie strictly before a time."""
    return bisect_left(events, (time, ""))


@functools.lru_cache(2000)  # some tasks ask for one user at one time
def history(user, time):
    return [item for _, item in items_of[user][: count(items_of[user], time)]]


def popular(time, user, item):
    return count(users_of[item], time)


@functools.lru_cache(40)
def near(time, item):
    """The items near an item by cosine as of a time, nearest first."""
    users = [u for _, u in users_of[item][: popular(time, None, item)]]
    shared = Counter(itertools.chain.from_iterable(history(u, time) for u in users))
    found = [(math.sqrt(n * n / (len(users) * popular(time, None, other))), other) for other, n in shared.items() if n >= 2 and other != item]
    found.sort(key=lambda f: (-f[0], f[1]))
    return found


def item_knn(time, user, item):
    mine = set(history(user, time))
    return sum(cosine for cosine, other in near(time, item)[:20] if other in mine)


def item_cf_last_ten(time, user, item):
    mine = set(history(user, time)[-10:])
    return sum(cosine for cosine, other in near(time, item) if other in mine)


def seconds(as_of):
    from datetime import datetime

    return int(datetime.fromisoformat(as_of.replace("Z", "+00:00")).timestamp())


truth = {g["id"]: g["gold"][0] for g in map(json.loads, open(golds, encoding="utf-8"))}
controls = {"most popular": popular, "item-knn k=20": item_knn, "item-cf last 10": item_cf_last_ten}
all_ranks = {name: [] for name in controls}
for task in map(json.loads, open(tasks, encoding="utf-8")):
    time = seconds(task["as_of"])
    for name, score in controls.items():
        scores = {c: score(time, task["user"], c) for c in task["candidates"]}
        ranking = sorted(scores, key=lambda c: (-scores[c], c.encode()))
        all_ranks[name].append(ranking.index(truth[task["id"]]) + 1)
out = {}
for name, ranks in all_ranks.items():
    n = len(ranks)
    hits = {k: sum(r <= k for r in ranks) / n for k in (1, 3, 5)}
    mean_hr = reciprocal = gain = 0.0
    for r in ranks:
        mean_hr += ((r <= 1) + (r <= 3) + (r <= 5)) / 3
        reciprocal += 1 / r
        gain += 1 / math.log2(1 + r) if r <= 10 else 0
    out[name] = {"ranks": ranks, "hr@1": hits[1], "hr@3": hits[3], "hr@5": hits[5], "mean_hr": mean_hr / n, "mrr": reciprocal / n, "ndcg@10": gain / n}
json.dump(out, sys.stdout)
