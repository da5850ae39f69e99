"""gin configuration: built objects, files found from anywhere, and mistakes named in one line."""

import ast

import pytest

from eiw import errors, gin_config
from eiw.models import config
from eiw.training import loop, optimizer

HEADER = "from __gin__ import dynamic_registration\nfrom eiw.models import config\n"


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / "job.gin"
    path.write_text(HEADER + 'include "sizes/tiny.gin"\nconfig.DecoderConfig.vocab_size = 259\n')
    return str(path)


def test_builds_from_a_size_file_and_an_override(gin_file, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    built, text = gin_config.build(
        config.DecoderConfig, [gin_file], ["config.DecoderConfig.num_layers = 5"]
    )
    assert (built.vocab_size, built.embed_dim, built.num_layers) == (259, 128, 5)
    assert "config.DecoderConfig.num_layers = 5" in text


def test_the_bindings_of_what_was_built_are_read_back(gin_file):
    _, text = gin_config.build(
        config.DecoderConfig, [gin_file], [f"config.DecoderConfig.size = '{'long ' * 30}'"]
    )
    bindings = gin_config.bindings_of(text)
    assert bindings["config.DecoderConfig.vocab_size"] == "259"
    # gin cuts a long text into many, one a line.
    assert "\\\n" in text
    assert ast.literal_eval(bindings["config.DecoderConfig.size"]) == "long " * 30


def test_a_folder_with_a_files_first_name_is_no_package(gin_file, monkeypatch, tmp_path):
    # As `python -m` has it: the working directory is where modules are looked for.
    (tmp_path / "sizes").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    built, _ = gin_config.build(config.DecoderConfig, [gin_file])
    assert built.size == "tiny"


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        ("config.DecoderConfig.num_layer = 1", "num_layers"),
        ("config.DecoderConfigg.num_layers = 1", "no DecoderConfigg. Did you mean DecoderConfig"),
        ("config.DecoderConfig.num_layers = ", "parse"),
        ("config.DecoderConfig.num_layers = %LAYERS", "LAYERS"),
        ("LAYERS = 5", "nothing reads LAYERS"),
        ("config.DecoderConfig.num_layers = (", "never closed"),
        ("config.DecoderConfig.num_layers = 3 4", "Expected newline: config.D"),
        ("config.DecoderConfig.num_layers=many", r"layers=many: many is no value; text .* own\.$"),
        ("foo.bar = 1", "no file imports the foo of foo.bar"),
        ("config.DecoderConfig.num_layers = @config.DecoderConfi()", "Did you mean DecoderConfig"),
        ("config.DecoderConfig.remat = 'some'", r"give one of \['none', 'dots', 'full'\]\.$"),
        ("other/config.DecoderConfig.num_layers = 5", "nothing reads other/config.DecoderConfig"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(gin_file, binding, words):
    with pytest.raises(errors.InputError, match=words) as caught:
        gin_config.build(config.DecoderConfig, [gin_file], [binding])
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(errors.InputError, match=r"sizes/4m\.gin"):
        gin_config.build(config.DecoderConfig, ["sizes/4m.gin"])


@pytest.mark.parametrize("named_in_file", [True, False])
def test_an_optimizer_and_its_settings_are_bound_by_name(tmp_path, named_in_file):
    path = tmp_path / "train.gin"
    choice = "loop.TrainConfig.optimizer = @optimizer.AdamW()"
    path.write_text(
        "from __gin__ import dynamic_registration\n"
        "from eiw.training import loop\n"
        "from eiw.training import optimizer\n"
        "loop.TrainConfig.steps = 1\n" + (choice if named_in_file else "")
    )
    bindings = [] if named_in_file else [choice]
    built, _ = gin_config.build(
        loop.TrainConfig, [str(path)], [*bindings, "optimizer.AdamW.learning_rate = 0.5"]
    )
    assert built.optimizer == optimizer.AdamW(learning_rate=0.5)
