import json

import pytest
import torch

from star_trainer import attention


@pytest.fixture
def model():
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16, "vocab_size": 40}
    return Qwen3ForCausalLM(Qwen3Config(num_attention_heads=2, num_key_value_heads=2, **shape)).eval()


def logits(model, mask, coarse=False):
    ids = torch.arange(24).reshape(2, 12)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=coarse):
        return model(input_ids=ids, attention_mask=torch.tensor(mask)).logits.float()


PADDED = [[0, 0, 0, *[1] * 9], [1] * 12]


@pytest.mark.parametrize("mask", [[[1] * 12] * 2, PADDED], ids=["whole", "padded on the left"])
def test_it_is_the_attention_of_transformers(model, mask):
    before = logits(model, mask)
    attention.use(model)
    assert torch.equal(logits(model, mask)[1], before[1])
    assert torch.equal(logits(model, mask)[0, 3:], before[0, 3:])


def test_within_bfloat16_it_stays_in_float32(model, monkeypatch):
    seen = []
    plain = attention.sdpa_attention_forward

    def watch(module, query, *args, **kwargs):
        out = plain(module, query, *args, **kwargs)
        seen.append((query.dtype, out[0].dtype))
        return out

    monkeypatch.setattr(attention, "sdpa_attention_forward", watch)
    attention.use(model)
    close = logits(model, [[1] * 12] * 2, coarse=True)
    assert seen == [(torch.float32, torch.float32)] * 2
    assert torch.allclose(close, logits(model, [[1] * 12] * 2), atol=0.02)


def test_a_checkpoint_does_not_name_it(model, tmp_path):
    attention.use(model)
    model.save_pretrained(tmp_path)
    assert attention.NAME not in json.dumps(json.loads((tmp_path / "config.json").read_text()))
