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
        32, title="Batch size", help="Sequences per batch.", unit="sequences", essential=True, ge=1, le=65_536
    )
    accumulation: int = option(
        1,
        title="Accumulation",
        help="Micro-batches, each of the batch size, whose gradients are accumulated for one optimizer step.",
        unit="batches",
        ge=1,
        le=4096,
    )
    optimizer: Literal["adamw", "muon"] = option(
        "adamw",
        title="Optimizer",
        help="AdamW, or Muon, which orthogonalises the momentum of each hidden matrix, scaled to the size of AdamW's "
        "updates; other parameters use AdamW.",
        paper="https://arxiv.org/abs/2502.16982",
    )
    learning_rate: float = option(
        1e-3,
        title="Learning rate",
        help="Peak learning rate; with noam, the factor on d_model^-½ · min(step^-½, step · warm-up^-1.5).",
        essential=True,
        gt=0.0,
        le=100.0,
    )
    schedule: Literal["constant", "linear", "cosine", "noam", "wsd"] = option(
        "cosine",
        title="Schedule",
        help="After warm-up: constant, linear or cosine decay, inverse square root (noam), or constant with a decay at "
        "the end (wsd: warmup-stable-decay).",
        paper="https://arxiv.org/abs/1608.03983",
        essential=True,
    )
    warmup_steps: int = option(
        100, title="Warm-up", help="Steps over which the learning rate rises from 0.", unit="steps", ge=0, le=10_000_000
    )
    minimum_learning_rate: float = option(
        0.1,
        title="Final learning rate",
        help="Where linear, cosine and wsd end, as a fraction of the peak learning rate.",
        ge=0.0,
        le=1.0,
    )
    decay_share: float = option(
        0.2,
        title="Decay fraction",
        help="Fraction of the steps, at the end, over which wsd decays the learning rate.",
        paper="https://arxiv.org/abs/2405.18392",
        gt=0.0,
        le=1.0,
    )
    weight_decay: float = option(
        0.1,
        title="Weight decay",
        help="Decoupled weight decay of matrices; norms and biases have none.",
        ge=0.0,
        le=10.0,
    )
    beta1: float = option(0.9, title="β₁", help="Decay rate of Adam's first moment estimate.", ge=0.0, lt=1.0)
    beta2: float = option(0.99, title="β₂", help="Decay rate of Adam's second moment estimate.", ge=0.0, lt=1.0)
    epsilon: float = option(
        1e-8, title="ε", help="Added to Adam's denominator for numerical stability.", gt=0.0, le=0.1
    )
    momentum: float = option(0.95, title="Muon momentum", help="Decay rate of Muon's momentum.", ge=0.0, lt=1.0)
    ema_decay: float = option(
        0.0,
        title="EMA decay",
        help="Decay of an exponential moving average (EMA) of the weights; the averaged weights are validated, sampled "
        "and saved; 0: no averaging.",
        paper="https://arxiv.org/abs/1803.05407",
        ge=0.0,
        lt=1.0,
    )
    gradient_clip: float = option(
        1.0, title="Gradient clipping", help="Maximum global gradient norm; 0: no clipping.", ge=0.0, le=1e6
    )
    label_smoothing: float = option(
        0.0,
        title="Label smoothing",
        help="Probability mass moved from the true class evenly to all classes.",
        paper="https://arxiv.org/abs/1512.00567",
        ge=0.0,
        le=0.9,
    )
    class_weights: Literal["none", "balanced"] = option(
        "none",
        title="Class weights",
        help="In classification and tagging. balanced: examples are weighted in the loss by the inverse frequency of "
        "their class in the training data, so that rare classes are learned too. The losses shown are unweighted.",
    )
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = option(
        "fp32",
        title="Precision",
        help="fp32, or matrix products in tf32 (on a GPU; elsewhere fp32), in bf16 (fp32 on a CPU that lacks it) or in "
        "fp16 with loss scaling: faster where the hardware supports them; the weights stay in fp32.",
        paper="https://arxiv.org/abs/1710.03740",
    )
    gradient_checkpointing: bool = option(
        False,
        title="Gradient checkpointing",
        help="Recompute activations layer by layer in the backward pass: less memory, about a third more time.",
        paper="https://arxiv.org/abs/1604.06174",
    )
    compile: Literal["auto", "always", "never"] = option(
        "auto",
        title="Compile",
        help="Compile the layers with torch.compile. auto: a run long enough tries it before its first step and keeps "
        "it if steps get faster. Needs a C++ compiler.",
        paper="https://docs.pytorch.org/docs/stable/torch.compiler.html",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = option(
        "auto", title="Device", help="Where to train; auto uses a GPU if there is one."
    )
    threads: int | None = option(
        None,
        title="Threads",
        help="CPU threads; empty: one per core. A bit-identical resume needs the same number.",
        unit="threads",
        ge=1,
        le=1024,
    )
    shares: int = option(
        2,
        title="Batch shares",
        help="On a CPU, each batch is split into this many shares, computed side by side, each on its part of the "
        "threads, which then wait for each other less; 1: no split. Large models never split their batches.",
        ge=1,
        le=64,
    )
    parallel: SomeOf[Kind] = option(
        [],
        title="Parallel",
        help="How several processes share the training: data parallel (a slice of each batch), fsdp (weights sharded "
        "too), tensor parallel (heads and features split), pipeline parallel (layers split), or two of these; empty: "
        "one process.",
        paper="https://arxiv.org/abs/2104.04473",
        max_length=2,
    )
    num_processes: int = option(
        2, title="Processes", help="Processes that share the training, one per device.", unit="processes", ge=2, le=4096
    )
    parallel_sizes: list[int] = option(
        [],
        title="Processes per kind",
        help="How many processes each of two kinds has; their product is the number of processes. Empty: split evenly.",
        unit="processes",
        max_length=2,
    )
    eval_every: int = option(
        100, title="Validate every", help="Steps between validations.", unit="steps", ge=1, le=100_000_000
    )
    eval_at_start: bool = option(
        False,
        title="Validate at the start",
        help="Also validate, sample and save before the first step: what the model can do before it is trained here.",
    )
    eval_batches: int | None = option(
        None,
        title="Validation batches",
        help="Batches per validation; empty: all.",
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
        help="Prompts given to the model while it trains; empty: taken from the held-out data.",
        max_length=16,
    )
    health_every: int = option(
        50,
        title="Layer statistics every",
        help="Steps between records of each layer's gradient norm, update-to-weight ratio and activation scale; 0: "
        "none.",
        unit="steps",
        ge=0,
        le=100_000_000,
    )
    best_by: Literal["metric", "loss"] = option(
        "metric",
        title="Best by",
        help="Criterion for the best checkpoint: the task's metric (accuracy, F1) where it has one, or the validation "
        "loss.",
    )
    tensorboard: bool = option(
        False,
        title="TensorBoard",
        help="Also write the curves for TensorBoard, into the run's folder (needs the extra tensorboard).",
    )
    early_stopping: int | None = option(
        None,
        title="Early stopping",
        help="Patience: stop after this many validations in a row without a new best; empty: never.",
        unit="validations",
        ge=1,
        le=10_000,
    )
    seed: int = option(
        0, title="Seed", help="Random seed of the weights, the order of the data and dropout.", ge=0, le=2**31 - 1
    )

    finetune_from: str = option(
        "",
        title="Fine-tune from",
        help="A model folder or a run whose weights, shape and tokenizer this run starts with; empty: from scratch.",
        paper="https://arxiv.org/abs/1810.04805",
        max_length=4096,
    )
    branch_from: str = option(
        "",
        title="Branch from",
        help="A checkpoint of another run that this one continues from, with its weights, optimizer and step; empty: "
        "none.",
        max_length=4096,
    )
    freeze: list[str] = option(
        [],
        title="Freeze",
        help="Parts to freeze (not trained): embedding, encoder, decoder, head, layers.0-3, decoder.layers.2 …",
        max_length=64,
    )
    layer_decay: float = option(
        1.0,
        title="Layer decay",
        help="Layer-wise learning-rate decay: each layer's learning rate is this factor times that of the layer above, "
        "the embedding's is the lowest; 1: all the same.",
        paper="https://arxiv.org/abs/2003.10555",
        gt=0.0,
        le=1.0,
    )
    lora_rank: int = option(
        0,
        title="LoRA rank",
        help="Rank of the trainable update to each target matrix, itself frozen; 0: no LoRA.",
        paper="https://arxiv.org/abs/2106.09685",
        ge=0,
        le=1024,
    )
    lora_alpha: float = option(
        16.0, title="LoRA alpha", help="The update is scaled by alpha ÷ rank.", gt=0.0, le=4096.0
    )
    lora_dropout: float = option(
        0.0, title="LoRA dropout", help="Fraction of an update's inputs set to zero in training.", ge=0.0, le=0.95
    )
    lora_targets: SomeOf[Literal["attention", "feed_forward"]] = option(
        ["attention"],
        title="LoRA targets",
        help="Layers whose matrices get an update: attention, feed_forward.",
        min_length=1,
        max_length=2,
    )

    @property
    def sequences_per_step(self) -> int:
        """Of all micro-batches."""
        return self.batch_size * self.accumulation

    def checks(self) -> Iterator[Problem]:
        if self.schedule == "noam" and self.warmup_steps == 0:
            yield Problem("warmup_steps", "the noam schedule needs a warm-up", max(1, self.steps // 10))
        if self.compile == "always" and self.parallel and self.parallel != ["data"]:
            yield Problem(
                "compile", "steps are compiled by one process, or by several that are data parallel only", "auto"
            )
        if self.compile == "always" and self.device == "mps":
            yield Problem("compile", "steps are compiled for the CPU and CUDA only", "auto")
        if self.lora_rank and not self.finetune_from:
            yield Problem("lora_rank", "LoRA adapts a trained model: name one in training.finetune_from", 0)
