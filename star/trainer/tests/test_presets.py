import pytest
from trl import GRPOConfig, SFTConfig

from star_trainer import presets
from star_trainer.__main__ import _settings


def test_the_preset_overrides_the_file_and_the_hand_overrides_both():
    beside = {"output_dir": "x", "datasets": [], "model_name_or_path": "y", "learning_rate": 1e-5, "logging_steps": 10}
    got = presets.settle(beside, presets.SFT, "paper", _settings(["learning_rate=3e-4", "bf16=false"]))
    assert got["learning_rate"] == 3e-4 and got["num_train_epochs"] == 3 and got["logging_steps"] == 10
    assert got["bf16"] is False and "output_dir" not in got and "datasets" not in got


def test_the_paper_overrides_what_trl_presumes(tmp_path):
    default = GRPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False)
    paper = GRPOConfig(output_dir=str(tmp_path), **presets.GRPO["paper"], use_cpu=True, bf16=False)
    assert (paper.beta, paper.temperature, paper.num_generations, paper.learning_rate) == (0.001, 0.7, 8, 1e-6)
    for name in ("beta", "temperature", "max_completion_length"):
        assert getattr(paper, name) != getattr(default, name), name


@pytest.mark.parametrize(("kind", "known"), [(presets.SFT, SFTConfig), (presets.GRPO, GRPOConfig)])
def test_presets_speak_of_what_there_is(kind, known, tmp_path):
    for settings in kind.values():
        known(output_dir=str(tmp_path), **{**settings, "use_cpu": True, "bf16": False})


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="there are paper"):
        presets.settle({}, presets.SFT, "papre", {})
