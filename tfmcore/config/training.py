"""`[training]`: how long, how fast and how carefully the model learns."""

from collections.abc import Iterator
from typing import Literal

from tfmcore.config.option import Section, SomeOf, option
from tfmcore.config.parallel import Kind
from tfmcore.config.problems import Problem


class TrainingConfig(Section):
    """How the model is trained."""

    steps: int = option(
        1000, title="Steps", help="Optimizer steps.", unit="steps", essential=True, ge=1, le=1_000_000_000
    )
    batch_size: int = option(
        32, title="Batch", help="Sequences in a batch.", unit="sequences", essential=True, ge=1, le=65_536
    )
    accumulation: int = option(
        1, title="Accumulation", help="Batches whose gradients are added before a step.", unit="batches", ge=1, le=4096
    )
    optimizer: Literal["adamw", "muon"] = option(
        "adamw",
        title="Optimizer",
        help="AdamW, or Muon: each hidden matrix moves by an orthogonal one, as far as AdamW's rate says; "
        "all other weights are AdamW's.",
        paper="https://arxiv.org/abs/2502.16982",
    )
    learning_rate: float = option(
        1e-3,
        title="Learning rate",
        help="Highest learning rate; for noam the factor on d_model^-½ · min(step^-½, step · warm-up^-1.5).",
        essential=True,
        gt=0.0,
        le=100.0,
    )
    schedule: Literal["constant", "linear", "cosine", "noam", "wsd"] = option(
        "cosine",
        title="Schedule",
        help="How the learning rate goes after warm-up: stays, falls on a line or a cosine, by the paper of 2017, or "
        "stays and falls at the end (wsd).",
        paper="https://arxiv.org/abs/1608.03983",
        essential=True,
    )
    warmup_steps: int = option(
        100, title="Warm-up", help="Steps in which the learning rate rises from 0.", unit="steps", ge=0, le=10_000_000
    )
    minimum_learning_rate: float = option(
        0.1, title="Final share", help="Where linear, cosine and wsd end, as a share of the learning rate.", ge=0.0,
        le=1.0,
    )  # fmt: skip
    decay_share: float = option(
        0.2,
        title="Decay share",
        help="Share of all steps, the last ones, in which wsd lets the learning rate fall.",
        paper="https://arxiv.org/abs/2405.18392",
        gt=0.0,
        le=1.0,
    )
    weight_decay: float = option(
        0.1, title="Weight decay", help="Decoupled decay of matrices; norms and biases have none.", ge=0.0, le=10.0
    )
    beta1: float = option(0.9, title="β₁", help="Adam's decay of the gradient's mean.", ge=0.0, lt=1.0)
    beta2: float = option(0.99, title="β₂", help="Adam's decay of the gradient's square.", ge=0.0, lt=1.0)
    epsilon: float = option(1e-8, title="ε", help="Adam's guard against division by zero.", gt=0.0, le=0.1)
    momentum: float = option(0.95, title="Muon momentum", help="Muon's decay of the gradient's mean.", ge=0.0, lt=1.0)
    ema_decay: float = option(
        0.0,
        title="Weight average",
        help="Decay of a moving average of the weights, which is what is validated, sampled and saved; 0: none.",
        paper="https://arxiv.org/abs/1803.05407",
        ge=0.0,
        lt=1.0,
    )
    gradient_clip: float = option(
        1.0, title="Gradient clip", help="Largest norm of the whole gradient; 0: no clipping.", ge=0.0, le=1e6
    )
    label_smoothing: float = option(
        0.0,
        title="Label smoothing",
        help="Probability spread over all classes in the loss.",
        paper="https://arxiv.org/abs/1512.00567",
        ge=0.0,
        le=0.9,
    )
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = option(
        "fp32",
        title="Precision",
        help="fp32, or matrix products in tf32 (on a GPU; elsewhere the same as fp32), in bf16 (the same "
        "as fp32 on a processor without) or, with a scaled loss, in fp16: faster where the hardware has them; weights "
        "stay fp32.",
        paper="https://arxiv.org/abs/1710.03740",
    )
    gradient_checkpointing: bool = option(
        False,
        title="Gradient checkpointing",
        help="Recompute each layer in the backward pass: less memory, about a third more time.",
        paper="https://arxiv.org/abs/1604.06174",
    )
    compile: Literal["auto", "always", "never"] = option(
        "auto",
        title="Compile",
        help="Have torch.compile write code for the layers; auto: where it pays within the run, which a long one tries "
        "before its first step. Needs a C++ compiler.",
        paper="https://docs.pytorch.org/docs/stable/torch.compiler.html",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option(
        "auto", title="Device", help="Where to train; auto takes a GPU where there is one."
    )
    threads: int | None = option(
        None,
        title="Threads",
        help="Processor threads; empty: as many as cores. Exact resume needs the same number.",
        unit="threads",
        ge=1,
        le=1024,
    )
    shares: int = option(
        2,
        title="Batch shares",
        help="On a processor, a batch is computed in so many shares side by side, each by its part of the threads, "
        "which then wait for each other less; 1: as one. Large models are never shared.",
        ge=1,
        le=64,
    )
    parallel: SomeOf[Kind] = option(
        [],
        title="Parallel",
        help="How several processes share the training: data (shares of each batch), fsdp (and shards of the weights), "
        "tensor (some heads each), pipeline (some layers each), or two of these; empty: one process.",
        paper="https://arxiv.org/abs/2104.04473",
        max_length=2,
    )
    num_processes: int = option(
        2, title="Processes", help="Processes that share the training, one a device.", unit="processes", ge=2, le=4096
    )
    parallel_sizes: list[int] = option(
        [],
        title="Processes of each kind",
        help="How many processes each of two kinds has; their product is all of them. Empty: split evenly.",
        unit="processes",
        max_length=2,
    )
    eval_every: int = option(
        100, title="Validate every", help="Steps between validations.", unit="steps", ge=1, le=100_000_000
    )
    eval_batches: int | None = option(
        None,
        title="Validation batches",
        help="Batches of a validation; empty: all there are.",
        ge=1,
        le=1_000_000,
    )
    save_every: int = option(
        500, title="Save every", help="Steps between checkpoints; the last step is always saved.", unit="steps", ge=1,
        le=100_000_000,
    )  # fmt: skip
    keep_every: int = option(
        0,
        title="Keep every",
        help="Steps between checkpoints that stay, to inspect and to branch from; 0: only the newest two and the best.",
        unit="steps",
        ge=0,
        le=100_000_000,
    )
    sample_every: int = option(
        200, title="Sample every", help="Steps between samples; 0: none.", unit="steps", ge=0, le=100_000_000
    )
    sample_prompts: list[str] = option(
        [],
        title="Sample prompts",
        help="Texts the model is asked about while it trains; empty: taken from the held-out data.",
        max_length=16,
    )
    health_every: int = option(
        50,
        title="Look at layers every",
        help="Steps between looks at the gradient, the update and the results of each layer; 0: none.",
        unit="steps",
        ge=0,
        le=100_000_000,
    )
    best_by: Literal["metric", "loss"] = option(
        "metric",
        title="Best by",
        help="What makes a checkpoint the best: the task's metric (accuracy, F1) where it has one, or the loss alone.",
    )
    tensorboard: bool = option(
        False,
        title="TensorBoard",
        help="Write the curves for TensorBoard too, into the run's folder (needs the extra tensorboard).",
    )
    early_stopping: int | None = option(
        None,
        title="Early stopping",
        help="Stop after this many validations that were not the best so far; empty: never.",
        unit="validations",
        ge=1,
        le=10_000,
    )
    seed: int = option(
        0, title="Seed", help="Seed of the weights, the order of the data and dropout.", ge=0, le=2**31 - 1
    )

    finetune_from: str = option(
        "",
        title="Begin from",
        help="A model folder or a run whose weights, shape and tokenizer this one begins with; empty: from scratch.",
        paper="https://arxiv.org/abs/1810.04805",
        max_length=4096,
    )
    branch_from: str = option(
        "",
        title="Go on from",
        help="A checkpoint of a run, which this one goes on from: with its weights, optimizer and step; empty: none.",
        max_length=4096,
    )
    freeze: list[str] = option(
        [],
        title="Freeze",
        help="Parts that keep their weights: embedding, encoder, decoder, head, layers.0-3, decoder.layers.2 …",
        max_length=64,
    )
    layer_decay: float = option(
        1.0,
        title="Layer decay",
        help="Each layer learns at this share of the rate of the layer above it, the embedding slowest; 1: all alike.",
        paper="https://arxiv.org/abs/2003.10555",
        gt=0.0,
        le=1.0,
    )
    lora_rank: int = option(
        0,
        title="LoRA rank",
        help="Rank of the update that each chosen matrix learns while itself it stays; 0: the matrices learn.",
        paper="https://arxiv.org/abs/2106.09685",
        ge=0,
        le=1024,
    )
    lora_alpha: float = option(
        16.0, title="LoRA alpha", help="The update counts alpha ÷ rank times.", gt=0.0, le=4096.0
    )
    lora_dropout: float = option(
        0.0, title="LoRA dropout", help="Share of an update's inputs set to zero in training.", ge=0.0, le=0.95
    )
    lora_targets: SomeOf[Literal["attention", "feed_forward"]] = option(
        ["attention"],
        title="LoRA targets",
        help="Whose matrices get an update: attention, feed_forward.",
        min_length=1,
        max_length=2,
    )

    def checks(self) -> Iterator[Problem]:
        if self.schedule == "noam" and self.warmup_steps == 0:
            yield Problem("warmup_steps", "the noam schedule needs a warm-up", max(1, self.steps // 10))
        if self.compile == "always" and self.parallel and self.parallel != ["data"]:
            yield Problem("compile", "steps are compiled by one process, or by several of the kind data", "auto")
        if self.compile == "always" and self.device == "mps":
            yield Problem("compile", "steps are compiled for processors and CUDA only", "auto")
        if self.lora_rank and not self.finetune_from:
            yield Problem("lora_rank", "LoRA adapts a model that is there: name one in training.finetune_from", 0)
