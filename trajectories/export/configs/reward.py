"""The reward [%.Reward.Name%], version [%.Reward.Version%], of a student's conversation.

It gives the numbers of `mars score` and `mars env`: docs/rewards.md says what
each part is, and shared conversations hold this file to them. It needs Python
3.10 and no package.

    compute_score  what verl calls, with the answer as one text
    mars_reward    what TRL calls, with the answer as messages
    parts          all parts of one conversation
"""

import html
import json
import math
import re
import unicodedata
from bisect import bisect_left
from functools import lru_cache

NAME = "[%.Reward.Name%]"
VERSION = "[%.Reward.Version%]"
PAPER_VERSION = "[%.Reward.Paper%]"  # of the parts format and outcome
PARTS_VERSION = "[%.Reward.Parts%]"  # of the others
RECIPE = [%printf "%s" .Reward.Recipe%]
ROLES = [%.Roles%]  # to whom a plan may give work
WITHOUT = [%.Without%]  # phases that the team has not: plan, tool_call, reflection


class Malformed(ValueError):
    """What is wrong with a conversation's form: its format is -1."""


# The form: phases in tags, each as text or as JSON. What has one reading is
# read, as models write it; what has two is refused.

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
TAGS = ("plan", "analysis", "reflection", "recommend")
OPEN = re.compile(r'<(plan|analysis|reflection|recommend)>|<(analysis) role="(.{0,198}?)">', re.S)
LABEL = re.compile(r"c[0-9]+\Z")
WORD = re.compile(r"[A-Za-z0-9_]+")
NUMERAL = re.compile(r"[-+.eE0-9]+")
CLOSERS = {'"': '"', "'": "'", **dict.fromkeys("“”„", '”“"'), **dict.fromkeys("‘’", "’‘'")}
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "'": "'", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
MAX_REPLY, MAX_ITEMS, MAX_DEPTH, MAX_VALUES = 1 << 20, 200, 16, 10_000


def open_tag(text: str, at: int):
    m = OPEN.match(text, at)
    if m is None or m.group(2) and len(m.group(3).encode(errors="replace")) > 198:
        return None
    return m.group(1) or m.group(2), m.group(3) or "", m.end()


def blocks(text: str) -> list[tuple[str, str, str]]:
    """The phases of a text: tag, role, and what stands in the tag."""
    found, i = [], 0
    while (i := text.find("<", i)) >= 0:
        if text.startswith("<think>", i):
            end = text.find("</think>", i)
            if end < 0 or "<think>" in text[i + 7 : end]:
                raise Malformed("a thought does not end, or stands in another")
            i = end + 8
            continue
        if text.startswith("</think>", i) or any(text.startswith(f"</{tag}>", i) for tag in TAGS):
            raise Malformed("a tag closes nothing")
        opened = open_tag(text, i)
        if opened is None:
            i += 1
            continue
        tag, role, start = opened
        end = text.find(f"</{tag}>", start)
        if end < 0:
            raise Malformed(f"<{tag}> is not closed")
        body = text[start:end]
        if any(inner in body for t in TAGS for inner in (f"<{t}>", f"<{t} ", f"</{t}>")):
            raise Malformed(f"a tag stands inside <{tag}>")
        found.append((tag, role, body))
        i = end + len(tag) + 3
    return found


class Reader:
    """JSON, and what models write in its place: other quotes, trailing commas,
    Python's literals, unquoted keys and labels. Objects are dicts, numbers None."""

    def __init__(self, text: str):
        self.text, self.i, self.count = text, 0, 0

    def peek(self) -> str:
        return self.text[self.i : self.i + 1]

    def space(self) -> None:
        while self.peek() and self.peek() in SPACES + "\ufeff":
            self.i += 1

    def word(self) -> str:
        m = WORD.match(self.text, self.i)
        if m is None:
            return ""
        self.i = m.end()
        return m.group()

    def value(self, depth: int = 0):
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            raise Malformed("JSON without an end")
        c = self.peek()
        if c == "{" or c == "[":
            return self.members(depth, c)
        if c in CLOSERS:
            return self.string()
        if c and c in "-0123456789":
            m = NUMERAL.match(self.text, self.i)
            self.i = m.end()
            strict(m.group())
            return Number(m.group())
        w = self.word()
        if w in ("true", "True", "false", "False"):
            return w in ("true", "True")
        if w in ("null", "None"):
            return None
        if LABEL.match(w):
            return w
        raise Malformed("no JSON")

    def members(self, depth: int, opened: str):
        out, close = ({}, "}") if opened == "{" else ([], "]")
        self.i += 1
        while True:
            self.space()
            if self.peek() == close:
                self.i += 1
                return out
            if opened == "{":
                quoted = self.peek() in CLOSERS
                key = self.string() if quoted else self.word()
                self.space()
                if self.peek() != ":" or key == "" and not quoted:
                    raise Malformed("no JSON")
                self.i += 1
                self.space()
                v = self.value(depth + 1)
                if key in out and not same(out[key], v):
                    raise Malformed("a key stands twice")
                out.setdefault(key, v)
            else:
                out.append(self.value(depth + 1))
            self.space()
            c = self.peek()
            self.i += 1
            if c == close:
                return out
            if c != ",":
                raise Malformed("no JSON")

    def string(self) -> str:
        ends, out = CLOSERS[self.peek()], []
        self.i += 1
        while c := self.peek():
            self.i += 1
            if c in ends:
                return "".join(out)
            out.append(self.escape() if c == "\\" else c)
        raise Malformed("a string does not end")

    def escape(self) -> str:
        c = self.peek()
        self.i += 1
        if c in ESCAPES:
            return ESCAPES[c]
        if c != "u" or (high := self.hex()) is None:
            raise Malformed("no escape sequence")
        if not 0xD800 <= high < 0xE000:
            return chr(high)
        mark = self.i
        if high < 0xDC00 and self.text.startswith("\\u", self.i):
            self.i += 2
            low = self.hex()
            if low is not None and 0xDC00 <= low < 0xE000:
                return chr(0x10000 + (high - 0xD800 << 10) + low - 0xDC00)
        self.i = mark
        return "\ufffd"

    def hex(self):
        digits = self.text[self.i : self.i + 4]
        self.i += 4
        return int(digits, 16) if re.fullmatch("[0-9A-Fa-f]{4}", digits) else None


class Number(str):
    """A number as it is written; its repr has no quotes."""

    __repr__ = str.__str__


def same(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def content(body: str):
    """What stands in a tag: the text, or a JSON value."""
    text = trim(body)
    if len(text) >= 6 and text.startswith("```") and text.endswith("```"):
        line = text.find("\n")
        if line >= 0 and re.fullmatch("[a-z0-9 \r]*", text[3:line]) and line <= len(text) - 3:
            text = trim(text[line:-3])
    if text[:1] not in ("{", "["):
        return text, None
    r = Reader(text)
    v = r.value()
    if r.i != len(text):
        raise Malformed("more than one JSON value")
    return None, v


def trim(text: str) -> str:
    return text.lstrip(" \t\r\n\u00a0\ufeff").rstrip(" \t\r\n\u00a0")


def wordy(text) -> str:
    """A text that says something, in letters."""
    if not isinstance(text, str) or isinstance(text, Number):
        raise Malformed("no text")
    seen = html.unescape(text)
    if not any(unicodedata.category(c)[0] == "L" and c not in "\u115f\u1160\u3164\uffa0" for c in seen):
        raise Malformed("a line without a word")
    return text


def one_line(text) -> str:
    if not isinstance(text, str) or isinstance(text, Number):
        raise Malformed("no text")
    return " ".join(html.unescape(text).split())


def cut_lines(text: str) -> tuple[str, list[str]]:
    """First lines, joined, and items."""
    head, items = "", []
    for line in text.split("\n"):
        line = line.strip(SPACES)
        if line.startswith("- "):
            items.append(line[2:])
        elif line and items:
            items[-1] += " " + line
        elif line:
            head = (head + " " + line).strip(SPACES)
    return head, items


def cut_at(text: str, head: str) -> tuple[str, str]:
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if line.strip(SPACES) == head:
            return "\n".join(lines[:i]), "\n".join(lines[i + 1 :])
    return text, ""


def listed(v: dict, key: str) -> list:
    if key not in v or v[key] is not None and not isinstance(v[key], list) or len(v[key] or []) > MAX_ITEMS:
        raise Malformed(f"no list {key}")
    return v[key] or []


def give(role: str, goal, roles: list[str]) -> None:
    wordy(goal)
    if roles is not None and role not in roles:
        raise Malformed("there is no such role")


def subtasks(items: list, roles: list[str]) -> int:
    if len(items) > MAX_ITEMS:
        raise Malformed("too many subtasks")
    for item in items:
        if isinstance(item, dict):
            if "role" not in item or "goal" not in item or not isinstance(item.get("collaborative", True), bool):
                raise Malformed("no subtask")
            give(one_line(item["role"]), item["goal"], roles)
        elif isinstance(item, str) and ": " in item:
            who, goal = item.split(": ", 1)
            give(who.removesuffix(" (collaborative)"), goal, roles)
        else:
            raise Malformed("no subtask")
    return len(items)


def texts(items: list) -> None:
    if len(items) > MAX_ITEMS:
        raise Malformed("too many items")
    for item in items:
        wordy(item)


def read_plan(text, v, role, labels, roles) -> None:
    if v is None:
        summary, items = cut_lines(text)
    else:
        summary, items = as_object(v).get("summary"), listed(v, "subtasks")
        if any(not isinstance(i, dict) for i in items):
            raise Malformed("no subtask")
    wordy(summary)
    if subtasks(items, roles) == 0:
        raise Malformed("the plan has no subtasks")


def read_analysis(text, v, role, labels, roles) -> None:
    if v is None:
        summary, claims = cut_lines(text)
    else:
        summary, claims = as_object(v).get("summary"), listed(v, "claims")
        if "role" in v and one_line(v["role"]) != role:
            raise Malformed("the analysis is of another role")
    wordy(summary)
    texts(claims)


def read_reflection(text, v, role, labels, roles) -> None:
    if v is None:
        head, _, rest = text.strip(SPACES).partition("\n")
        head = head.strip(SPACES)
        if not head.startswith("Verdict: "):
            raise Malformed("no verdict")
        verdict = head.removeprefix("Verdict: ")
        rest, work = cut_at(rest, "Subtasks:")
        before, issues = cut_at(rest, "Issues:")
        if before.strip(SPACES):
            raise Malformed("text outside of the sections")
        issues, work = cut_lines(issues)[1], cut_lines(work)[1]
    else:
        verdict = one_line(as_object(v).get("verdict"))
        issues = listed(v, "issues") if "issues" in v else []
        work = listed(v, "subtasks") if "subtasks" in v else []
        if any(not isinstance(i, dict) for i in work):
            raise Malformed("no subtask")
    texts(issues)
    n = subtasks(work, roles)
    if verdict not in ("accept", "revise") or (verdict == "revise") != (n > 0):
        raise Malformed("a verdict that does not fit")


def read_recommend(text, v, role, labels, roles) -> list[str]:
    if v is None:
        ranked = label_list(text, labels)
    else:
        ranked = v.get("ranking") if isinstance(v, dict) else v
        if isinstance(v, dict) and "justification" in v:
            one_line(v["justification"])
        if not isinstance(ranked, list) or any(not isinstance(r, str) or isinstance(r, Number) for r in ranked):
            raise Malformed("no list of labels")
        ranked = [r.strip(" \t\r\n\u00a0") for r in ranked]
    if sorted(ranked) != sorted(labels):
        raise Malformed("the ranking is not of all labels, each once")
    return ranked


def label_list(text: str, labels: list[str]) -> list[str]:
    """Labels with commas or spaces between them, or one numbered list."""
    found = re.findall(r"[^, \t\r\n]+", text)
    if all(map(LABEL.match, found)):
        return found
    lists, open_list = [], None
    for line in text.split("\n"):
        line = line.strip(SPACES)
        m = re.match(r"([0-9]{1,4})[.)][ \t*`\"]*(c[0-9]+)(?![A-Za-z0-9_])(.*)", line, re.S)
        if m and any(LABEL.match(w) and w in labels for w in WORD.findall(m.group(3))):
            m = None
        if m and int(m.group(1)) == 1:
            open_list = []
            lists.append(open_list)
        elif line and not m or m and (open_list is None or int(m.group(1)) != len(open_list) + 1):
            open_list = None
        if m and open_list is not None:
            open_list.append(m.group(2))
    if len(lists) != 1:
        raise Malformed("no list of labels")
    return lists[0]


def as_object(v) -> dict:
    if not isinstance(v, dict):
        raise Malformed("no object")
    return v


READ = {"plan": read_plan, "analysis": read_analysis, "reflection": read_reflection, "recommend": read_recommend}


def strict(text: str, **how):
    """JSON as the standard has it."""

    def refuse(name):
        raise ValueError(name)

    try:
        return json.loads(text, parse_constant=refuse, **({"parse_int": Number, "parse_float": Number} | how))
    except (ValueError, RecursionError) as e:
        raise Malformed("no JSON") from e


def ranking(messages: list[dict], labels: list[str], roles: list[str], without: list[str]) -> list[str]:
    """The labels as they are ranked; Malformed, where the form is not held: a
    plan, a call, a reflection, as far as the team has them, and last a ranking
    of all labels."""
    seen, ranked, calls, waiting = [], None, 0, []
    for m in messages:
        if m["role"] == "tool":
            if not waiting or (m["id"], m["name"]) != (waiting[0]["id"], waiting[0]["name"]):
                raise Malformed("an answer without a call")
            waiting = waiting[1:]
            continue
        if waiting:
            raise Malformed("a call has no answer")
        if m["role"] != "assistant":
            continue
        if ranked is not None:
            raise Malformed("the conversation goes on after the ranking")
        if len(m["content"].encode(errors="replace")) > MAX_REPLY:
            raise Malformed("a message is too long")
        for tag, role, body in blocks(m["content"]):
            if ranked is not None or tag == "plan" and seen or tag != "plan" and not seen and "plan" not in without:
                raise Malformed(f"<{tag}> stands in a wrong place")
            needs = {"reflection": "tool_call", "recommend": "reflection"}.get(tag)
            if needs and needs not in without and not (calls if needs == "tool_call" else needs in seen):
                raise Malformed(f"<{tag}> comes too early")
            seen.append(tag)
            before, ends, _ = f"{role}>{body}".partition("</think>")
            if ends and "<think>" not in before:
                raise Malformed("a thought has no start")
            got = READ[tag](*content(body), role, labels, roles)
            if tag == "recommend":
                ranked = got
        for call in m["calls"]:
            if not isinstance(strict(call["arguments"]), dict):
                raise Malformed("arguments are no object")
        if ranked is not None and m["calls"]:
            raise Malformed("a call after the ranking")
        waiting = list(m["calls"])
        calls += len(waiting)
    if waiting or ranked is None or calls == 0 and "tool_call" not in without:
        raise Malformed("a call has no answer, or there is no call or no ranking")
    return ranked


# Grounded: which share of what is stated was told before.

NUMBER = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
TITLE = re.compile(r'"[^"\n]+"|“[^”\n]+”|\*[^*\n]+\*')
YEAR = re.compile(r" \((?:1[89]|20)[0-9]{2}\)")
LINKS = {"of", "the", "a", "an", "de", "la", "le", "du"}
CALENDAR = set(
    "monday tuesday wednesday thursday friday saturday sunday "
    "january february march april may june july august september october november december".split()
)
MAX_STATEMENTS = 1000


@lru_cache(maxsize=None)
def folded(c: str) -> str:
    """A letter, mark or digit in lower case; else a space."""
    kind = unicodedata.category(c)
    if kind[0] not in "LM" and kind != "Nd":
        return " "
    low = c.lower()
    return low if len(low) == 1 else low[0]


def words(text: str) -> str:
    return " ".join("".join(map(folded, unicodedata.normalize("NFKC", text))).split())


def number(form: str):
    """A number and how many decimals it is written with."""
    form = form.replace(",", "").lower()
    x = float(form)
    if math.isinf(x):
        return None
    mantissa, _, exponent = form.partition("e")
    decimals = len(mantissa.partition(".")[2])
    if exponent and abs(int(exponent)) < 1 << 63:
        decimals -= int(exponent)
    return x, max(0, decimals)


class Told:
    def __init__(self):
        self.numbers, self.text = [], []

    def add(self, told: str) -> None:
        def finite(form):
            if math.isinf(x := float(form)):
                raise ValueError(form)
            return x

        try:
            self.value(strict(told, parse_int=finite, parse_float=finite))
        except Malformed:
            self.string(told)
        self.numbers.sort()

    def value(self, v) -> None:
        if isinstance(v, str):
            self.string(v)
        elif isinstance(v, float):
            self.numbers.append(abs(v))
        elif isinstance(v, (list, dict)):
            for e in v.values() if isinstance(v, dict) else v:
                self.value(e)

    def string(self, text: str) -> None:
        self.text.append(" " + words(text) + " ")
        self.numbers.extend(n[0] for n in map(number, NUMBER.findall(text)) if n)

    def near(self, x: float, decimals: int) -> bool:
        half = 0.5 * 10.0**-decimals * (1 + 1e-9)
        i = bisect_left(self.numbers, x - half)
        return i < len(self.numbers) and self.numbers[i] <= x + half

    def has(self, readings, x=None) -> bool:
        if x is None:
            return any(f" {r} " in t for r in readings for t in self.text)
        value, decimals, percent = x
        return self.near(value, decimals) or percent and self.near(value / 100, decimals + 2)


def is_letter(c: str) -> bool:
    return c != "" and (c == "_" or unicodedata.category(c)[0] == "L")


def statements(text: str):
    """Titles, names and numbers: a key, what it may be read as, and the number."""
    text = text.replace("**", "")
    for m in TITLE.finditer(text):
        if w := words(m.group()):
            yield w, [w], None
    text = TITLE.sub("\n", text)
    yield from names(text)
    for m in NUMBER.finditer(text):
        before, after = text[max(0, m.start() - 1) : m.start()], text[m.end() : m.end() + 1]
        if is_letter(before) or is_letter(after) or before == "." and m.start() > 1 and text[m.start() - 2] in "0123456789":
            continue
        percent = after == "%"
        if (n := number(m.group())) and (n[1] > 0 or n[0] > 10 or percent):
            yield m.group() + "%" * percent, None, (*n, percent)


def name_words(text: str):
    start = None
    for i, c in enumerate(text + "\n"):
        if (kind := unicodedata.category(c))[0] in "LM" or kind == "Nd":
            start = i if start is None else start
        elif c not in "'’-" and start is not None:
            end = start + len(text[start:i].rstrip("'’-"))
            yield start, end, kind_of(text[start:end])
            start = None


def kind_of(word: str) -> str:
    if word in LINKS:
        return "link"
    if len(word) > 1 and not word.strip("IVX"):
        return "roman"
    upper = [unicodedata.category(c) == "Lu" for c in word]
    if not upper[0] or any(a and b for a, b in zip(upper, upper[1:])):
        return "plain"
    return "capital" if any(unicodedata.category(c) == "Ll" for c in word) else "plain"


def names(text: str):
    run, firm = [], 0
    for w in [*name_words(text), (len(text), len(text), "plain")]:
        if run and text[run[-1][1] : w[0]].strip(" ") or w[2] == "plain":
            yield from name(text, run[:firm])
            run, firm = [], 0
        if w[2] == "capital" or w[2] != "plain" and run:
            run.append(w)
            firm = firm if w[2] == "link" else len(run)


def name(text: str, run: list):
    if not run:
        return
    before, after = text[: run[0][0]].rstrip(" *_"), text[run[-1][1] :]
    starts = before == "" or before[-1] in "\n\r.!?:;([-–—•|/#"
    if starts and (after.startswith(":") or len(run) == 1 and not YEAR.match(after)):
        return

    def read(at: int) -> str:
        return words(text[run[at][0] : run[-1][1]])

    def article(at: int) -> bool:
        return words(text[run[at][0] : run[at][1]]) in ("the", "a", "an")

    def after_word(at: int) -> int:
        return next((i for i in range(at + 1, len(run)) if run[i][2] == "capital"), len(run))

    if len(run) == 1 and (article(0) or read(0) in CALENDAR):
        return
    begin = after_word(0) if starts else 0
    places = [0, begin, *(after_word(at) for at in (0, begin) if at < len(run) and article(at))]
    readings = [read(at) for at in places if at < len(run)]
    yield readings[0], readings + [r[:-2] for r in readings if r.endswith(" s")], None


def grounded(messages: list[dict]) -> float:
    told, seen, loose = Told(), set(), 0
    for m in messages:
        if m["role"] != "assistant":
            if not (m["role"] == "tool" and m["content"].startswith("error: ")):
                told.add(m["content"])
            continue
        for tag, _, body in blocks(m["content"]):
            for key, readings, x in statements(body) if tag != "recommend" else ():
                if key not in seen:
                    seen.add(key)
                    loose += len(seen) > MAX_STATEMENTS or not told.has(readings, x)
    return 1 - loose / len(seen) if seen else 1.0


def economy(messages: list[dict], allowed: int) -> float:
    failed = {m["id"] for m in messages if m["role"] == "tool" and m["content"].startswith("error: ")}
    calls, made = 0, set()
    for m in messages:
        for call in m["calls"]:
            calls += 1
            if call["id"] not in failed:
                made.add(f"{call['name']} {strict(call['arguments'], object_pairs_hook=Pairs)!r}")
    return len(made) / calls * min(1, allowed / calls) if calls else 0.0


class Pairs(list):
    """An object with its keys in order."""

    def __repr__(self) -> str:
        return "{" + super().__repr__() + "}"


# The reward.


def plain(messages: list[dict]) -> list[dict]:
    """Messages in the form of chat APIs, and as trainers have them: calls without
    an id get one, and answers without are those of the calls before them, in order."""
    out, waiting, made = [], [], 0
    for m in messages:
        calls = []
        for c in m.get("tool_calls") or []:
            function = c.get("function") or c
            arguments = function.get("arguments") or "{}"
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments, ensure_ascii=False)
            made += 1
            calls.append({"id": c.get("id") or f"call_{made}", "name": function.get("name") or "", "arguments": arguments})
        one = {"role": m["role"], "content": whole(m.get("content")), "calls": calls,
               "id": m.get("tool_call_id") or "", "name": m.get("name") or ""}
        if m["role"] == "assistant":
            waiting = calls
        elif m["role"] == "tool" and waiting:
            one["id"] = one["id"] or waiting[0]["id"]
            if one["id"] == waiting[0]["id"]:
                one["name"] = one["name"] or waiting[0]["name"]
            waiting = waiting[1:]
        out.append(one)
    return out


def whole(text) -> str:
    if isinstance(text, list):  # blocks of text
        text = "\n".join(b.get("text", "") for b in text)
    return re.sub("[\ud800-\udfff]", "\ufffd", text or "")


def parts(messages: list[dict], right, candidates: list[str], roles=None, which=None, without=None) -> dict[str, float]:
    """The parts of a conversation, prompt and all; which names those that are
    wanted besides format and outcome, all if it is not given."""
    which = ["ndcg", "mrr", "grounded", "economy"] if which is None else which
    right = {right} if isinstance(right, str) else set(right)
    labels = [f"c{i:02d}" for i in range(1, len(candidates) + 1)]
    messages = plain(messages)
    try:
        ranked = ranking(messages, labels, ROLES if roles is None else roles, WITHOUT if without is None else without)
    except Malformed:
        return {"format": -1.0, "outcome": 0.0, **{part: 0.0 for part in which}}
    item = dict(zip(labels, candidates))
    rank = next((i for i, label in enumerate(ranked, 1) if item[label] in right), 0)
    out = {"format": 1.0, "outcome": 0.0 if rank == 0 or rank > 5 else 1.0 if rank == 1 else 2 / 3 if rank <= 3 else 1 / 3, "rank": float(rank)}
    for part in which:
        setting = RECIPE.get(part, {})
        if part == "ndcg":
            out[part] = 1 / math.log2(1 + rank) if 0 < rank <= setting.get("at", 10) else 0.0
        elif part == "mrr":
            out[part] = 1 / rank if rank else 0.0
        elif part == "grounded":
            out[part] = grounded(messages)
        elif part == "economy":
            out[part] = economy(messages, setting.get("calls", 20))
    return out


def score(messages: list[dict], right, candidates: list[str], roles=None) -> float:
    got = parts(messages, right, candidates, roles, [p for p in RECIPE if p not in ("format", "outcome")])
    return sum(setting["weight"] * got[part] for part, setting in RECIPE.items())


CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.S)
RESPONSE = re.compile(r"\s*<tool_response>\n?(.*?)\n?</tool_response>", re.S)


def conversation(text: str) -> list[dict]:
    """An answer that was told as one text, calls, their answers and all. What
    cannot be told apart in it has no form."""
    messages, at = [], 0
    while True:
        next_answer = text.find("<tool_response>", at)
        said = text[at:] if next_answer < 0 else text[at:next_answer]
        calls = []
        for call in CALL.findall(said):
            c = as_object(strict(call))
            if not isinstance(c.get("name"), str) or not isinstance(c.get("arguments"), dict):
                raise Malformed("no call")
            calls.append({"id": f"call_{len(messages)}_{len(calls)}", "name": c["name"], "arguments": call_arguments(call)})
        said = CALL.sub("", said)
        if re.search("</?tool_(call|response)>", said):
            raise Malformed("a call does not end")
        messages.append({"role": "assistant", "content": said, "tool_calls": calls})
        if next_answer < 0:
            return messages
        at, n = next_answer, 0
        while m := RESPONSE.match(text, at):
            if n == len(calls):
                raise Malformed("an answer without a call")
            messages.append({"role": "tool", "name": calls[n]["name"], "tool_call_id": calls[n]["id"], "content": m.group(1)})
            at, n = m.end(), n + 1
        if n == 0:
            raise Malformed("an answer does not end")


def call_arguments(call: str) -> str:
    """The arguments of a call, as they are written."""
    return json.dumps(strict(call, parse_int=None, parse_float=None)["arguments"], ensure_ascii=False)


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_) -> float:
    """What verl calls."""
    prompt = [dict(m) for m in extra_info.get("prompt", [])]  # is there where it is needed
    try:
        said = conversation(whole(solution_str))
    except Malformed:
        said = []
    return score(prompt + said, ground_truth, list(extra_info["candidates"]))


def mars_reward(completions, ground_truth, candidates, prompts=None, **_) -> list[float]:
    """What TRL calls: one list of messages for each prompt and each completion."""
    prompts = prompts or [[]] * len(completions)
    return [score([*p, *c], g, k) for p, c, g, k in zip(prompts, completions, ground_truth, candidates)]
