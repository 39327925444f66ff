"""A student is made from nothing, trained in both ways, saved, loaded by transformers alone, and served."""

import json
import threading
import urllib.request
from collections import Counter

import pytest
import torch

from star_trainer import environment as env
from star_trainer import evaluate, grpo, record, rollout, rows, sft
from star_trainer.labels import label


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("student")
    more = {"max_steps": 6, "save_steps": 3}
    facts = sft.run(sft.Job(world.directory / "brief-sft", out, size="smoke", preset="smoke", settings=more))
    return out, facts


def metrics(out):
    return [json.loads(line) for line in (out / record.METRICS).read_text().splitlines()]


def test_sft_learns_and_tells_the_loss_on_the_ranking_apart(trained):
    out, facts = trained
    steps = [m for m in metrics(out) if "loss" in m]
    assert [m["step"] for m in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert all(m["loss/ranking"] > 0 and m["loss/other"] > 0 for m in steps)
    assert facts["results"]["steps"] == 6 and facts["rows"]["used"] == 24


def test_the_card_says_what_it_was_made_from(trained, world):
    out, _ = trained
    manifest = json.loads((world.directory / "brief-sft" / "manifest.json").read_text())
    card = (out / "README.md").read_text()
    for told in (manifest["files"][0]["sha256"], manifest["template"]["sha256"], manifest["prompt"], "loss/ranking"):
        assert told in card


def test_it_loads_in_transformers_with_no_code_of_ours(trained):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out, _ = trained
    model, tokenizer = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert type(model).__module__.startswith("transformers.models.qwen3")
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "c07"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nc07<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    assert model.generate(**ids, max_new_tokens=3, do_sample=False).shape[1] == ids["input_ids"].shape[1] + 3


def test_it_goes_on_from_a_checkpoint(trained, world):
    out, _ = trained
    more = {"max_steps": 8, "save_steps": 3}
    facts = sft.run(
        sft.Job(world.directory / "brief-sft", out, size="smoke", preset="smoke", settings=more, resume=True)
    )
    begun = [m for m in metrics(out) if m["event"] == "begin"]
    assert begun[-1]["step"] == 6 and facts["results"]["steps"] == 8
    assert [m["step"] for m in metrics(out) if "loss" in m][-2:] == [7, 8]


def test_lora_trains_an_adapter_that_is_merged_when_it_is_loaded(trained, world, tmp_path):
    from star_trainer import student

    out, _ = trained
    before, _ = student.load(str(out), "float32")
    job = sft.Job(world.directory / "brief-sft", tmp_path, model=str(out), preset="smoke", lora=4)
    job.settings = {"max_steps": 2}
    facts = sft.run(job)
    assert (tmp_path / "adapter_model.safetensors").is_file() and not (tmp_path / "model.safetensors").exists()
    after, _ = student.load(str(tmp_path), "float32")
    assert facts["lora"] == 4 and type(after) is type(before)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(before.state_dict()[name], after.state_dict()[name])


def test_equal_seeds_draw_equal_rows(world):
    export = rows.read(world.directory / "brief-sft", "trl-sft")
    from star_trainer import student
    from star_trainer.conversation import render, template

    text = template(*export.template)
    plain = sft._Renderer(text)
    texts = ["".join(p.text for p in render(plain, row).pieces) for row in export.rows]
    _, tokenizer = student.from_scratch(student.SIZES["smoke"], texts, 20, text, 1)
    told = [render(tokenizer, row) for row in export.rows]
    one, two, other = (sft.Collator(tokenizer, told, True, seed) for seed in (1, 1, 2))
    first = one([{"row": 0}])
    assert torch.equal(first["input_ids"], two([{"row": 0}])["input_ids"])
    assert not torch.equal(first["labels"], other([{"row": 0}])["labels"])
    assert not torch.equal(first["labels"], one([{"row": 0}])["labels"]), "the labels of a second draw are the same"


def test_grpo_rolls_out_in_the_environment(trained, world, environment, tmp_path):
    out, _ = trained
    facts = grpo.run(
        grpo.Job(world.directory / "brief-grpo", tmp_path, model=str(out), preset="smoke", env=environment)
    )
    steps = [m for m in metrics(tmp_path) if "reward" in m]
    assert len(steps) == 2 and facts["results"]["steps"] == 2
    for m in steps:
        assert -1 <= m["rollout/reward"] <= 2 and m["rollout/reward"] == pytest.approx(m["reward"])
        assert {
            "kl",
            "entropy",
            "rollout/malformed",
            "rollout/truncated",
            "rollout/groups_without_variance",
        } <= m.keys()
    assert facts["rollouts"]["completions"] == 4
    card = (tmp_path / "README.md").read_text()
    assert "## grpo" in card and "## sft" in card, "what it began with is told too"
    from transformers import AutoModelForCausalLM

    assert AutoModelForCausalLM.from_pretrained(tmp_path).num_parameters() > 0


class Teacher:
    """Says, turn by turn, what the teacher said in a row, whatever it reads."""

    def __init__(self, tokenizer, row, order):
        self.turns = []
        for m in row["messages"]:
            if m["role"] == "assistant":
                text = tokenizer.apply_chat_template([{"role": "user", "content": "."}, m], tokenize=False)
                text = text.split("<|im_start|>assistant\n")[1].removesuffix("\n")
                self.turns.append(tokenizer(order.apply(text), add_special_tokens=False)["input_ids"])

    def __call__(self, prompts, rooms):
        return [self.turns.pop(0) for _ in prompts]


@pytest.mark.parametrize("permute", [False, True])
def test_a_rollout_of_the_teachers_words_is_the_training_row(trained, world, environment, permute):
    """Tokens, mask and reward: what is trained is what is rolled out."""
    from transformers import AutoTokenizer

    from star_trainer.conversation import IGNORED, encode, render

    out, _ = trained
    tokenizer = AutoTokenizer.from_pretrained(out)
    export = rows.read(world.directory / "brief-sft", "trl-sft")
    row = export.rows[0]
    right = {json.loads(line)["id"]: json.loads(line)["gold"] for line in
             (world.directory / "demo" / "gold.jsonl").read_text().splitlines()}  # fmt: skip
    e = env.Environment(environment)
    play = rollout.Rollout(e, tokenizer, rollout.Limits(4096), seed=5, permute=permute)
    import random

    from star_trainer.labels import Permutation

    order = Permutation.draw(20, random.Random(5)) if permute else Permutation.none(20)
    episode = play.play([(row["run"], row["candidates"])], Teacher(tokenizer, row, order))[0]
    e.close()
    want = encode(tokenizer, render(tokenizer, row).text(order))
    got = episode.prompt + episode.completion
    assert got == want.input_ids[: len(got)] and tokenizer.decode(want.input_ids[len(got) :]) == "\n"
    mask = [0] * len(episode.prompt) + episode.mask
    trained_tokens = [int(x != IGNORED) for x in want.labels[: len(got)]]
    newline = [i for i, (a, b) in enumerate(zip(mask, trained_tokens, strict=True)) if a != b]
    assert {tokenizer.decode([got[i]]) for i in newline} <= {"\n"}, "the template writes the line end after a turn"
    ranked = [row["candidates"][int(x[1:]) - 1] for x in
              json.loads(row["messages"][-1]["content"].split("<recommend>")[1].split("</recommend>")[0])]  # fmt: skip
    assert episode.ranking() == ranked and episode.first_valid(5)
    rank = min(ranked.index(item) for item in right[row["run"]]) + 1
    outcome = 1.0 if rank == 1 else 2 / 3 if rank <= 3 else 1 / 3 if rank <= 5 else 0.0
    assert episode.outcome.reward == pytest.approx(1 + outcome)
    assert episode.calls == sum(len(m.get("tool_calls", [])) for m in row["messages"])


def test_who_never_ends_is_judged_all_the_same(trained, world, environment):
    from transformers import AutoTokenizer

    out, _ = trained
    tokenizer = AutoTokenizer.from_pretrained(out)
    prompt = max(range(len(tokenizer)), key=lambda i: len(tokenizer.decode([i])))
    room = (2 << 20) // len(tokenizer.decode([prompt]))
    row = rows.read(world.directory / "brief-sft", "trl-sft").rows[0]
    with env.Environment(environment) as e:
        play = rollout.Rollout(e, tokenizer, rollout.Limits(room), seed=5, permute=False)
        episode = play.play([(row["run"], row["candidates"])], lambda prompts, rooms: [[prompt] * n for n in rooms])[0]
    assert episode.truncated and episode.turns == 1
    assert episode.outcome.parts["format"] == -1


def test_distinct_labels_are_never_said_twice(trained):
    from transformers import AutoTokenizer

    from star_trainer.sample import DistinctLabels

    out, _ = trained
    tokenizer = AutoTokenizer.from_pretrained(out)
    distinct = DistinctLabels(tokenizer, 20)
    labels = [f"c{i:02d}" for i in range(1, 21)]
    more = {f'{name}", "' for name in labels}

    def left(*used):
        return {*used, *(f'{name}", "' for name in used)}

    every = {tokenizer.decode([i]) for i in range(len(tokenizer))}
    for text, allowed in {
        '<recommend> with the labels, c03. <recommend>["': {*labels, *more},
        '<recommend> with the labels, c03. <recommend>["c01", "c05", "': {*labels, *more} - left("c01", "c05"),
        '<recommend>["c01"]</recommend> again <recommend>["c02", "': {*labels, *more} - left("c02"),
        '<recommend>["' + '", "'.join(labels[:-1]) + '", "': {"c20"},
        '<recommend>["c03", "c03': every,
        "<recommend>": {'["'},
        '<recommend>["' + '", "'.join(labels): {'"]'},
        '<recommend>["c01"]': {"</recommend>"},
        '<recommend>["c01"]</recommend>': every,
        '<recommend>["c02": ': every,
        "<recommend> with the labels, c03": every,
        "c03, c04": every,
    }.items():
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        scores = distinct(ids, torch.zeros(1, len(tokenizer)))
        left = {tokenizer.decode([i]) for i in range(len(tokenizer)) if scores[0, i] > float("-inf")}
        assert left == allowed, text


@pytest.mark.parametrize("candidates", [20, 5])
def test_the_first_label_ranks_them_all(trained, candidates):
    from transformers import AutoTokenizer

    from star_trainer.sample import ranked

    out, _ = trained
    tokenizer = AutoTokenizer.from_pretrained(out)
    tokenizer.padding_side = "left"
    (first,) = ranked("first", tokenizer, candidates)
    labels = [f"c{i:02d}" for i in range(1, candidates + 1)]
    likely = torch.randperm(candidates, generator=torch.Generator().manual_seed(5)).tolist()
    prompt = "<recommend> with the labels, c03. <recommend>"
    ids = tokenizer([prompt, "c01 " + prompt], add_special_tokens=False, padding=True, return_tensors="pt")["input_ids"]
    vocabulary = tokenizer.get_vocab()
    for at in range(candidates + 3):
        scores = torch.zeros(2, len(tokenizer))
        for place, i in enumerate(likely):  # the second row is of the contrary opinion; later ones are heard by nobody
            told = 100 - place if at == 1 else 100 + place
            scores[0, vocabulary[labels[i] + '", "']] = told
            scores[1, vocabulary[labels[i] + '", "']] = 200 - told
        ids = torch.cat([ids, first(ids, scores).argmax(1, keepdim=True)], 1)
    best = [labels[i] for i in likely]
    for row, order in zip(ids, (best, best[::-1]), strict=True):
        said = tokenizer.decode(row)
        assert said.endswith('<recommend>["' + '", "'.join(order) + '"]</recommend>'), said


def test_an_unknown_reading_is_an_error(trained):
    from star_trainer.sample import ranked

    with pytest.raises(ValueError, match="free, distinct, first"):
        ranked("best", None, 20)


def test_company_does_not_change_what_is_said(trained):
    from star_trainer import student
    from star_trainer.together import Asked, Together

    out, _ = trained
    model, tokenizer = student.load(str(out), "float32")
    served = Together(model.eval(), tokenizer, "free")
    prompts = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("<plan>", "c01 c02 <recommend>", "c07")]
    asked = [Asked(p, 12, 1.0 if i else 0.0, seed=i) for i, p in enumerate(prompts)]
    alone = [served.turn(a) for a in asked]
    assert [served.turn(Asked(prompts[1], 12, 1.0, seed=s)) for s in range(5)].count(alone[1]) == 1
    fresh = [Asked(a.prompt, a.room, a.temperature, a.top_p, a.seed) for a in asked]
    served._sample(fresh)
    assert [a.written for a in fresh] == alone


def test_what_goes_wrong_is_counted():
    def episode(reward, truncated=False, calls=1):
        e = rollout.Episode("t", [], rollout.Permutation.none(1), truncated=truncated, calls=calls)
        e.outcome = env.Outcome(reward, {"format": 1.0 if reward > 0 else -1.0}, "")
        return e

    watch = grpo.Watch(2)
    watch.add([episode(2), episode(1), episode(-1, truncated=True), episode(-1, calls=0)])
    told = watch.counters()
    assert told["rollout/malformed"] == 0.5 and told["rollout/truncated"] == 0.25
    assert told["rollout/without_call"] == 0.25 and told["rollout/groups_without_variance"] == 0.5
    assert watch.counters() == {}
    for _ in range(5):
        watch.add([episode(-1), episode(-1)])
        told = watch.counters()
    assert told["rollout/collapsed"] == 1
    assert isinstance(watch.total, Counter) and watch.total["completions"] == 14


def test_tools_are_told_in_the_order_of_the_rows(world):
    from star_trainer import serve

    tools = rows.read(world.directory / "brief-sft", "trl-sft").rows[0]["tools"]
    told = json.loads(tools) if isinstance(tools, str) else tools
    shuffled = [
        {"function": {k: t["function"][k] for k in sorted(t["function"], reverse=True)}, "type": t["type"]}
        for t in told
    ]
    assert json.dumps(serve._tools(shuffled)) == json.dumps(told)
    assert serve._tools(None) is None and serve._tools([]) is None


def test_it_answers_over_openais_api(trained):
    from star_trainer import serve

    out, _ = trained
    http = serve.listen(serve.Server(str(out), "star", "distinct"), "127.0.0.1:0")
    threading.Thread(target=http.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{http.server_address[1]}"
    models = json.load(urllib.request.urlopen(url + "/v1/models"))
    assert models["data"][0]["id"] == "star"
    body = {"model": "star", "messages": [{"role": "user", "content": "c01"}], "max_tokens": 4}
    for stream in (False, True):
        request = urllib.request.Request(
            url + "/v1/chat/completions",
            json.dumps(body | {"stream": stream}).encode(),
            {"Content-Type": "application/json"},
        )
        answer = urllib.request.urlopen(request).read().decode()
        if stream:
            assert answer.endswith("data: [DONE]\n\n")
        else:
            told = json.loads(answer)
            assert told["usage"]["completion_tokens"] <= 4 and told["choices"][0]["finish_reason"] in {"stop", "length"}
    bad = urllib.request.Request(url + "/v1/chat/completions", b"{}")
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(bad)
    assert e.value.code == 400
    http.shutdown()


def test_an_evaluation_is_a_ranking_file(trained, environment, tmp_path):
    out, _ = trained
    told = evaluate.run(str(out), environment, tmp_path / "r.jsonl", 4, 4, "first", 64)
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert len(lines) == 4 == told["tasks"] and all(set(line) == {"id", "ranking"} for line in lines)


def test_labels_count_from_one():
    assert [label(0), label(19)] == ["c01", "c20"]
