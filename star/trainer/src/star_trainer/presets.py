"""Settings by name. They override the configuration beside the export; what is set by hand overrides them.

paper    the hyper-parameters that are reported of the paper, instead of TRL's own. Which loss of GRPO
         it used and how it scaled rewards is not said: dapo, scaled within the group, are our choice.
scratch  a small student made from nothing, on a CPU, in minutes.
smoke    a few steps of anything, to see that everything is in its place.
"""

from __future__ import annotations

from typing import Any

SFT: dict[str, dict[str, Any]] = {
    "paper": {
        "learning_rate": 2e-5,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 16,
        "max_length": 16384,
        "num_train_epochs": 3,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.03,
    },
    "scratch": {
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": False,
        "max_length": 2048,
        "bf16": True,
        "max_steps": 4000,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 50,
        "weight_decay": 0.01,
        "adam_beta2": 0.98,
        "logging_steps": 50,
        "save_steps": 500,
        "train_sampling_strategy": "group_by_length",
    },
    "smoke": {
        "learning_rate": 1e-3,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": False,
        "max_length": None,
        "max_steps": 4,
        "logging_steps": 1,
        "use_cpu": True,
        "bf16": False,
    },
}

GRPO: dict[str, dict[str, Any]] = {
    "paper": {
        "learning_rate": 1e-6,
        "beta": 0.001,
        "temperature": 0.7,
        "num_generations": 8,
        "max_completion_length": 16384,
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 4,
        "loss_type": "dapo",
        "scale_rewards": "group",
    },
    "scratch": {
        "learning_rate": 1.5e-5,
        "beta": 0.02,
        "temperature": 1.0,
        "num_generations": 8,
        "max_completion_length": 1024,
        "per_device_train_batch_size": 32,
        "gradient_accumulation_steps": 3,
        "gradient_checkpointing": False,
        "max_steps": 25,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "bf16": True,
        "use_vllm": False,
    },
    "smoke": {
        "learning_rate": 1e-4,
        "beta": 0.02,
        "temperature": 1.0,
        "num_generations": 2,
        "max_completion_length": 768,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": False,
        "max_steps": 2,
        "logging_steps": 1,
        "use_vllm": False,
        "use_cpu": True,
        "bf16": False,
    },
}

# Of the files beside an export: where rows and models are, which the launcher knows better.
_NOT_SETTINGS = {"model_name_or_path", "output_dir", "datasets"}


def settle(
    beside: dict[str, Any], presets: dict[str, dict[str, Any]], preset: str | None, by_hand: dict[str, Any]
) -> dict[str, Any]:
    """The settings of TRL's configuration: those beside the export, then the preset's, then those set by hand."""
    if preset is not None and preset not in presets:
        raise ValueError(f"preset {preset!r}: there are {', '.join(presets)}")
    settings = {k: v for k, v in beside.items() if k not in _NOT_SETTINGS}
    settings.update(presets[preset] if preset else {})
    settings.update(by_hand)
    return settings


def fast_bfloat16() -> bool:
    """Whether the processor multiplies matrices of bfloat16 itself; otherwise it is slower than float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def fit_to_machine(settings: dict[str, Any]) -> list[str]:
    """Changes what this machine cannot do, and says what it changed."""
    import importlib.util

    import torch

    changed = []
    if not torch.cuda.is_available():
        for name, value in {"use_cpu": True, "bf16": fast_bfloat16(), "use_vllm": False}.items():
            if name in settings and settings[name] and not value:
                changed.append(f"{name}: {value}, since there is no GPU")
                settings[name] = value
        settings["use_cpu"] = True
    elif settings.get("use_vllm") and importlib.util.find_spec("vllm") is None:
        changed.append("use_vllm: False, since vLLM is not installed")
        settings["use_vllm"] = False
    return changed
