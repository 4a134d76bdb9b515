"""What low-rank factors learned is part of what is exported."""

from collections.abc import Callable
from pathlib import Path

import torch

from tests.tfmcore.training.bases import LORA, TRAINING
from tfmcore.config import Config, with_base
from tfmcore.families.exporting import export_model
from tfmcore.families.importing import import_model
from tfmcore.inference.opened import open_model
from tfmcore.messages import Saved
from tfmcore.runs import Run
from tfmcore.training.trainer import train


def test_a_tuned_bert_is_one_of_plain_matrices(hf_originals: Callable[[str, str], Path], tmp_path: Path) -> None:
    """A BERT that learned by LoRA to tell two kinds of texts apart answers alike in transformers."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = import_model(hf_originals("bert", "ForMaskedLM"), tmp_path / "bert").model
    rows = [f"word{n} word{n + 2},{'even' if n % 2 else 'odd'}" for n in range(40)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    raw = {
        "data": {"task": "classification", "source": "file", "path": str(tmp_path / "rows.csv")},
        "training": TRAINING | LORA | {"finetune_from": str(tmp_path / "bert")},
    }
    events = list(train(Config.parse(with_base(raw, Path)), tmp_path / "run"))
    assert any(isinstance(event, Saved) for event in events)
    written = export_model(Run(tmp_path / "run").best().folder, tmp_path / "hf")
    assert written.architecture == "BertForSequenceClassification"
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "hf", local_files_only=True).eval()
    opened, read = open_model(Run(tmp_path / "run").best().folder), AutoTokenizer.from_pretrained(tmp_path / "hf")
    inputs = read("word3 word4", return_tensors="pt")
    assert inputs["input_ids"].tolist() == [opened.encode("word3 word4").ids]
    with torch.no_grad():
        torch.testing.assert_close(
            theirs(**inputs).logits, opened.model.cpu()(inputs["input_ids"]).logits, atol=1e-5, rtol=0
        )
    assert theirs.config.id2label == {0: "even", 1: "odd"}
    name = "encoder.layers.0.self_attention.query_key_value.weight"
    before, after = dict(base.named_parameters())[name], dict(opened.model.named_parameters())[name]
    assert torch.linalg.matrix_rank((after - before)[:32], atol=1e-5) == LORA["lora_rank"]
