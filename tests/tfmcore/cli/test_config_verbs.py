"""presets, new, check, options: the verbs about configs."""

import json

import pytest

from tfmcore.config import find_preset, load_config, options, presets


def test_presets_are_listed(tfm):
    lines = tfm("presets").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(presets())
    assert all(line.rstrip().endswith(".") for line in lines[1:])


def test_one_preset_is_told_with_its_reasons(tfm):
    preset = find_preset("bert-mini")
    text = tfm("presets", "bert-mini").out
    assert preset.why in text
    assert preset.paper in text
    for path, reason in preset.reasons.items():
        assert any(line.startswith(path) and reason in line for line in text.splitlines()), path
    assert tfm("presets", "bert").code == 2


def test_presets_as_json(tfm):
    found = [json.loads(line) for line in tfm("presets", "--json").out.splitlines()]
    assert [preset["name"] for preset in found] == list(presets())
    assert found[0]["sections"]["model"]


@pytest.mark.parametrize("name", presets())
def test_new_writes_what_the_preset_says(tfm, name, tmp_path):
    path = tmp_path / "été 🙂.toml"
    result = tfm("new", name, "--set", "training.seed=7", "-o", path)
    assert (result.code, result.out) == (0, "")
    assert str(path) in result.err
    assert load_config(path) == find_preset(name).config(["training.seed=7"])
    assert tfm("check", path).code == 0


def test_new_replaces_nothing_unless_forced(tfm, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("precious")
    result = tfm("new", "reverse", "-o", path)
    assert (result.code, path.read_text()) == (2, "precious")
    assert "--force" in result.err
    assert tfm("new", "reverse", "-o", path, "--force").code == 0
    assert load_config(path) == find_preset("reverse").config()


def test_check_says_every_problem_on_a_line(tfm, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[model]\nnum_heads = 3\nlayers = 2\n[data]\nsource = "flie"\n')
    result = tfm("check", path)
    assert (result.code, result.out) == (2, "")
    lines = result.err.splitlines()
    assert [line.removeprefix(f"{path}: ").split(":")[0] for line in lines] == [
        "data.source",
        "model.layers",
        "data.path",
        "model.num_heads",
    ]


def test_check_as_json(tfm):
    good = tfm("check", "nano-decoder", "--json")
    facts = json.loads(good.out)
    assert (good.code, good.err, facts["ok"]) == (0, "", True)
    assert facts["total_parameters"] == sum(facts["parameters"].values())
    bad = tfm("check", "nano-decoder", "--set", "model.num_heads=3", "--json")
    (problem,) = json.loads(bad.out)["problems"]
    assert (bad.code, bad.err) == (2, "")
    assert problem["field"] == "model.num_heads"
    assert problem["nearest"] == 2


@pytest.mark.parametrize("name", presets())
def test_check_sums_a_config_up(tfm, name):
    result = tfm("check", name)
    assert (result.code, result.err) == (0, "")
    assert "parameters" in result.out
    assert "iB of memory" in result.out


@pytest.mark.parametrize("section", [None, "data", "tokenizer", "model", "training"])
def test_options_explains_each(tfm, section):
    result = tfm("options", *([section] if section else []))
    names = [line.split()[0] for line in result.out.splitlines() if line and not line.startswith(" ")]
    assert names == [option.path for option in options(section)]
    for option in options(section):
        assert option.title in result.out
        assert option.paper in result.out
        assert all(choice in result.out for choice in option.choices)


def test_options_says_what_a_list_can_have(tfm):
    lines = tfm("options", "training").out.splitlines()
    assert 'training.lora_targets  (list of attention, feed_forward, up to 2; default ["attention"])' in lines
    assert "training.freeze  (list, up to 64; default [])" in lines


def test_options_as_json(tfm):
    found = [json.loads(line) for line in tfm("options", "model", "--json").out.splitlines()]
    assert [(each["section"], each["name"]) for each in found] == [("model", each.name) for each in options("model")]


def test_check_says_what_each_process_holds(tfm):
    shared = ["--set", 'training.parallel=["data", "tensor"]', "--set"]
    result = tfm("check", "nano-decoder", *shared, "training.num_processes=4")
    lines = result.out.splitlines()[-5:]
    assert lines[0] == "4 processes: data 2 × tensor 2"
    assert lines[2] == "  process 2: heads 3–4 of 4, features 173–344 of 344, examples 1–6 of 12"
    facts = json.loads(tfm("check", "nano-decoder", *shared, "training.num_processes=4", "--json").out)
    assert facts["processes"][2]["place"] == {"data": 1, "tensor": 0}
    assert facts["processes"][2]["holds"][-1] == "examples 7–12 of 12"
    assert "iB of memory on each device" in result.out
    many = ["--set", "training.num_processes=64", "--set", "training.batch_size=64"]
    result = tfm("check", "nano-decoder", "--set", 'training.parallel=["fsdp"]', *many)
    assert result.out.splitlines()[-1] == "  … 56 more"
    assert json.loads(tfm("check", "nano-decoder", "--json").out)["processes"] == []
