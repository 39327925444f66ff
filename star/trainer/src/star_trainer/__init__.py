"""The student's trainer: supervised fine-tuning and GRPO on the rows of mars export.

    mars export --for trl-sft   ──rows──> sft  ──> checkpoint ──> serve (or vLLM, SGLang, transformers)
    mars export --for trl-grpo  ──rows──> grpo ──> checkpoint
    mars env                    ──tools, rewards──┘

Everything a student reads or writes is one conversation in a chat template. What
the template, the tools and the prompt look like is said by the export and by the
environment, never here: training, rollouts and serving print the same bytes.

Modules, in the order of the work: ``rows`` reads an export, ``conversation``
renders it and says what of it is trained, ``labels`` permutes the candidates,
``vocabulary`` and ``student`` make or load a model, ``sft`` and ``grpo`` train
it by TRL, ``rollout`` lets it act in the ``environment``, ``record`` writes
metrics and the model card, ``evaluate`` measures, ``serve`` answers over
OpenAI's API.
"""
