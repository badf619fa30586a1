"""From tables, files and flags to one configuration, and from a fault to a sentence."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tinylm.cli.main import parser
from tinylm.config import flags, resolve
from tinylm.config.aliases import ALIASES
from tinylm.config.aliases import NAMES as ELSEWHERE
from tinylm.config.schema import FORMAT, DataConfig, RunConfig
from tinylm.errors import ConfigError
from tinylm.runs.folder import RunFolder
from tinylm.words import bare

QUIETLY = hypothesis_settings(max_examples=80, deadline=None, derandomize=True)

# ---- any table ----------------------------------------------------------------------------------------------------

NAMES = sorted({part for name in resolve.settings() for part in name.split(".") if part != "N"})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 2, 4, 8, 0.0, 0.5, 1.0, -1, 10**40, "auto", "on", "wsd", "2m", "bpe", "cpu", ""])
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.datetimes()
)
KEYS = st.sampled_from(NAMES) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)


def group(name: str) -> st.SearchStrategy[dict[str, object]]:
    """A table with real keys of one group, and now and then something else."""
    own = [key.rpartition(".")[2] for key in resolve.settings() if key.rpartition(".")[0] == name]
    return st.dictionaries(st.sampled_from(own) | st.text(max_size=4), VALUES, max_size=4)


PHASES = st.lists(group("train.phases.N"), max_size=3)
TRAIN = st.builds(lambda table, phases: {**table, "phases": phases}, group("train"), PHASES) | group("train")
GROUPS = {name: group(name) for name in ("model", "tokenizer", "data", "sample")} | {"train": TRAIN}
TABLES = st.fixed_dictionaries({}, optional=GROUPS) | st.dictionaries(KEYS, VALUES, max_size=5)


@QUIETLY
@given(TABLES)
def test_any_table_gives_a_configuration_or_a_sentence(table: dict[str, object]) -> None:
    try:
        config = resolve.validate(table)
    except ConfigError as error:
        caught = error
    else:
        assert resolve.validate(tomllib.loads(resolve.to_toml(config))) == config
        return
    assert caught.message.strip()
    assert caught.hint.strip()


@QUIETLY
@given(st.text(max_size=30) | st.builds(lambda key, text: f"{key}={text}", st.sampled_from(NAMES), st.text(max_size=9)))
def test_any_assignment_gives_a_configuration_or_a_sentence(assignment: str) -> None:
    try:
        config = resolve.validate(resolve.assign(RunConfig().model_dump(), assignment))
    except ConfigError:
        return
    assert isinstance(config, RunConfig)


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 3000, "{a=" * 3000, "0x" + "f" * 9000])
def test_monstrous_values_are_configuration_errors(value: str) -> None:
    with pytest.raises(ConfigError):
        resolve.validate(resolve.assign(RunConfig().model_dump(), f"model.n_layer={value}"))


@pytest.mark.parametrize("key", ["model" + ".a" * 5000, f"train.phases.{'9' * 5000}.max_lr"])
def test_monstrous_keys_are_configuration_errors(key: str) -> None:
    with pytest.raises(ConfigError):
        resolve.validate(resolve.assign(RunConfig().model_dump(), f"{key}=1"))


@pytest.mark.parametrize(
    "text",
    [
        b"a = ",
        b"\xff\xfe\x00\x01\x80",
        b"n = " + b"9" * 5000,
        b"a = " + b"[" * 5000,
        b"[model]\nn_layer" + b".a" * 5000 + b" = 1",
        b"[model]\nn_layer = 1\nn_layer = 2",
    ],
)
def test_a_broken_file_is_a_configuration_error(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        resolve.validate(resolve.read_toml(file))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text",
    [
        "[model]\n" + "a." * 50_000 + "b = 1",
        "[" + "a." * 50_000 + "b]\n" + "".join(f"k{i} = 1\n" for i in range(50_000)),
        "[[ " + '"a\\"" . \'b\' .' * 9 + "c]]",
    ],
)
def test_a_key_of_thousands_of_names_is_refused_at_once(text: str) -> None:
    """The standard library takes minutes for them."""
    with pytest.raises(ValueError, match="more than 8 names"):
        resolve.parse_toml(text)


def test_dots_outside_of_keys_are_allowed() -> None:
    dots = ".".join("abcdefghijkl")
    assert resolve.parse_toml(f'a = ["{dots}",\n  "{dots}"]\n# {dots}\n') == {"a": [dots, dots]}


def test_a_folder_and_a_missing_file_are_configuration_errors(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(ConfigError, match=str(path)):
            resolve.read_toml(path)


def test_a_file_with_a_byte_order_mark_can_be_read(tmp_path: Path) -> None:
    """Notepad writes one."""
    file = tmp_path / "mark.toml"
    file.write_bytes(b"\xef\xbb\xbf[model]\nn_layer = 2\n")
    assert resolve.validate(resolve.read_toml(file)).model.n_layer == 2


# ---- there and back -----------------------------------------------------------------------------------------------

RICH = {
    "preset": "mine",
    "model": {"n_layer": 2, "dropout": 0.1, "rope_theta": 1e5, "norm_eps": 2e-4, "qk_norm": True},
    "tokenizer": {"kind": "char"},
    "data": {"sources": ["a [b] \"c\" 'd' \\ ünï\n.txt", "stories"], "val_fraction": 0.0},
    "train": {
        "betas": [0.8, 0.99],
        "budget": "1.5h",
        "threads": 3,
        "eval_interval": 7,
        "checkpoint_interval": 9,
        "stop_at": 11,
        "phases": [
            {"name": "one", "share": 0.25, "max_lr": 0.1 + 0.2},
            {"name": "zwei\u2028", "share": 0.75, "schedule": "cosine", "min_lr": 1e-9, "sources": ["b"]},
        ],
    },
    "sample": {"prompt": 'line\n"quoted"\t\x1b', "seed": 2**63 - 1},
}


@pytest.mark.parametrize("table", [{}, RICH])
def test_a_configuration_survives_its_file(table: dict[str, object], tmp_path: Path) -> None:
    config = resolve.validate(table)
    file = tmp_path / "config.toml"
    file.write_bytes(resolve.to_toml(config).encode())
    assert resolve.validate(resolve.read_toml(file)) == config
    assert resolve.from_run_folder(file) == (config, [])


def test_a_run_that_names_no_split_has_the_first(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    lines = resolve.to_toml(RunConfig()).splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith("split")))
    config, _ = resolve.from_run_folder(file)
    assert (config.data.split, RunConfig().data.split) == (1, 2)
    file.write_text("")
    assert resolve.from_run_folder(file)[0].data.split == 1
    assert resolve.validate(resolve.read_toml(file)).data.split == 2, "a new run with this configuration"


def test_a_resumed_run_keeps_its_split() -> None:
    own = resolve.with_values(RunConfig(), data={"split": 1})
    assert resolve.resumed(own, RunConfig()) == own


def test_a_file_carries_its_format_and_every_setting_that_has_a_value() -> None:
    table = tomllib.loads(resolve.to_toml(RunConfig()))
    assert table["format"] == FORMAT
    for name in resolve.settings():
        group_name, _, key = name.rpartition(".")
        if "phases." not in name and getattr(getattr(RunConfig(), group_name, RunConfig()), key) is not None:
            assert key in (table[group_name] if group_name else table)


def test_replacing_values_leaves_the_original_and_validates() -> None:
    config = RunConfig()
    changed = resolve.with_values(config, train={"threads": 2})
    assert (changed.train.threads, config.train.threads) == (2, "auto")
    with pytest.raises(ConfigError):
        resolve.with_values(config, train={"threads": 0})


# ---- run folders of a newer version -------------------------------------------------------------------------------

NEWER = """
format = 99
colour = "red"
[model]
n_layer = 2
n_experts = 8
[train]
batch_size = 3
[[train.phases]]
name = "one"
steps = 5
swing = 0.5
[holograms]
depth = 3
"""


def test_a_newer_format_opens_with_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(NEWER)
    config, unknown = resolve.from_run_folder(tmp_path / "config.toml")
    assert (config.model.n_layer, config.train.batch_size, config.train.phases[0].steps) == (2, 3, 5)
    assert sorted(unknown) == ["colour", "holograms", "model.n_experts", "train.phases.0.swing"]
    assert RunFolder(tmp_path).config() == config


def test_an_unknown_key_in_a_run_folder_of_our_own_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(NEWER.replace("99", str(FORMAT)))
    with pytest.raises(ConfigError):
        resolve.from_run_folder(tmp_path / "config.toml")


@pytest.mark.parametrize("line", ["model = 3", "train = [1]", "[train]\nphases = 3", "[train]\nphases = [3]"])
def test_a_newer_format_with_other_shapes_is_a_configuration_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.toml").write_text(f"format = 99\n{line}\n")
    with pytest.raises(ConfigError):
        resolve.from_run_folder(tmp_path / "config.toml")


@pytest.mark.parametrize("number", [FORMAT + 1, 99])
def test_a_given_configuration_cannot_claim_a_newer_format(number: int) -> None:
    """Else this version would write a run folder that says it is a newer one's."""
    with pytest.raises(ConfigError, match="format"):
        resolve.validate({"format": number})


# ---- unknown keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "name", "nearest"),
    [
        ({"model": {"n_layers": 3}}, "model.n_layers", "model.n_layer?"),
        ({"model": {"nLayer": 3}}, "model.nLayer", "model.n_layer?"),
        ({"model": {"n-layer": 3}}, "model.n-layer", "model.n_layer?"),
        ({"train": {"batchsize": 3}}, "train.batchsize", "train.batch_size?"),
        ({"train": {"lr2": 3}}, "train.lr2", ""),
        ({"train": {"phases": [{"steps": 3, "maxlr": 1.0}]}}, "train.phases.0.maxlr", "max_lr?"),
        ({"sample": {"temprature": 3}}, "sample.temprature", "sample.temperature?"),
        ({"batch_size": 3}, "batch_size", "train.batch_size?"),
        ({"Model": {}}, "Model", ""),
        ({"modle": {"n_layer": 3}}, "modle.n_layer", "model.n_layer?"),
        ({"optimizer": {"lr": 1e-3}}, "optimizer.lr", "train.phases.0.max_lr?"),
        ({"train": {"phases": [{"steps": 3}, {"steps": 3, "warmup": 9}]}}, "train.phases.1.warmup", "1.warmup_steps?"),
        ({"train": {"int": 3}}, "train.int", ""),
        ({"model": {"größe": 3}}, "model.größe", ""),
    ],
)
def test_an_unknown_key_is_refused_by_name(table: dict[str, object], name: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve.validate(table)
    assert f" {name}." in caught.value.message
    assert nearest in caught.value.hint


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("train.learning_rate", "train.phases.0.max_lr"),
        ("lr", "train.phases.0.max_lr"),
        ("train.phases.2.learningRate", "train.phases.2.max_lr"),
        ("min_lr", "train.phases.0.min_lr"),
        ("max_iters", "--steps"),
        ("max_steps", "--steps"),
        ("train.steps", "--steps"),
        ("num_train_epochs", "--epochs"),
        ("dropout", "model.dropout"),
        ("hidden_size", "model.n_embd"),
        ("intermediate-size", "model.mlp_ratio"),
        ("n_heads", "model.n_head"),
        ("per_device_train_batch_size", "train.batch_size"),
        ("accumulate_grad_batches", "train.accumulation_steps"),
        ("gradient_clip_val", "train.grad_clip"),
        ("warmup_ratio", "train.phases.0.warmup_steps"),
        ("tempreature", "sample.temperature"),
        ("learing_rate", "train.phases.0.max_lr"),
        ("model.batch_size", "train.batch_size"),
        ("train.phases.0.step", "train.phases.0.steps"),
        ("sample.prompts", "sample.prompt"),
    ],
)
def test_a_name_from_elsewhere_leads_to_ours(name: str, ours: str) -> None:
    assert resolve.meant_by(name)[0].partition(",")[0] == ours


@pytest.mark.parametrize("ours", sorted(set(ALIASES.values())))
def test_every_name_from_elsewhere_leads_to_something_that_there_is(ours: str) -> None:
    name, _, remark = ours.partition(", ")
    flags = parser()._option_string_actions
    assert ours.endswith(".") or name in flags or name in resolve.settings()
    assert remark.rpartition("in a file ")[2] in resolve.settings() if "in a file" in remark else True


def test_no_name_from_elsewhere_stands_for_two_of_ours() -> None:
    """Nor is it one of ours, but where a flag is the shorter way to it."""
    aliases = [bare(alias) for line in ELSEWHERE.values() for alias in line.split()]
    assert sorted(aliases) == sorted(set(aliases))
    own = {bare(name.rpartition(".")[2]) for name in resolve.settings()}
    assert [name for name in own & ALIASES.keys() if not ALIASES[name].startswith("--")] == []


def slips(word: str) -> list[str]:
    """The word with one letter left out, or two neighbours swapped."""
    swapped = [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]
    return [*(word[:i] + word[i + 1 :] for i in range(len(word))), *swapped]


@pytest.mark.parametrize("name", sorted(resolve.settings()))
def test_a_slip_in_the_name_of_a_setting_leads_back_to_it(name: str) -> None:
    group, _, leaf = name.rpartition(".")
    known = resolve.settings()
    for typed in slips(leaf):
        key = f"{group}.{typed}".replace(".N.", ".0.")
        if group and bare(typed) and bare(typed) not in ALIASES and f"{group}.{typed}" not in known:
            assert name.replace(".N.", ".0.") in resolve.meant_by(key), key


@pytest.mark.parametrize(
    "name",
    "banana colour foo x speed feed size shape verbose debug mode train.speed model.kind2 sample.hello data.thing "
    "train.phases.0.swing kernel attention loss tokens größe model.größe train.lr2 ... 42".split(),
)
def test_nothing_is_guessed_where_nothing_is_near(name: str) -> None:
    assert resolve.meant_by(name) == []


@pytest.mark.parametrize(
    ("setting", "value", "meant"),
    [
        ("train.phases.0.schedule", "cosin", "cosine"),
        ("train.phases.0.schedule", "linear", "wsd"),
        ("train.precision", "bfloat16", "bf16"),
        ("train.precision", "16", "fp16"),
        ("train.device", "gpu", "cuda"),
        ("train.compile", "true", "on"),
        ("data.unwrap", "false", "off"),
        ("model.qk_norm", "yes", "true"),
        ("train.fit", "0", "false"),
        ("tokenizer.kind", "chars", "char"),
        ("train.optimizer", "lion", ""),
    ],
)
def test_a_wrong_word_leads_to_the_right_one(setting: str, value: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve.validate(resolve.assign(RunConfig().model_dump(), f"{setting}={value}"))
    assert f"Did you mean {meant}?" in caught.value.hint if meant else "Did you mean" not in caught.value.hint


def test_a_group_that_is_given_a_value_leads_to_a_setting_in_it() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve.validate({"tokenizer": "char"})
    assert "tokenizer.kind" in caught.value.hint


@pytest.mark.parametrize(
    ("train", "named"),
    [
        ({"batch_size": "huge"}, "train.batch_size; 'huge'; whole number; 16"),
        ({"phases": [{"steps": 3, "schedule": "zigzag"}]}, "train.phases.0.schedule; cyclic; cosine; wsd; constant"),
        ({"eval_interval": "never"}, "train.eval_interval; 'never'; auto; whole number"),
    ],
)
def test_the_error_of_a_wrong_value_names_the_setting_and_what_is_allowed(train: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve.validate({"train": train})
    assert [part for part in named.split("; ") if part not in str(caught.value)] == []


# ---- --set --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("model.n_layer=4", ("model", "n_layer"), 4),
        (" model.n_layer = 4 ", ("model", "n_layer"), 4),
        ("model.dropout=0.1", ("model", "dropout"), 0.1),
        ("model.qk_norm=true", ("model", "qk_norm"), True),
        ("train.compile=off", ("train", "compile"), "off"),
        ('train.compile="off"', ("train", "compile"), "off"),
        ("train.betas=[0.8, 0.9]", ("train", "betas"), [0.8, 0.9]),
        ("train.budget=500 steps", ("train", "budget"), "500 steps"),
        ("sample.prompt=a=b", ("sample", "prompt"), "a=b"),
        ("sample.prompt=", ("sample", "prompt"), ""),
        ("train.phases.0.max_lr=3e-4", ("train", "phases", 0, "max_lr"), 3e-4),
        ("train.phases.1.steps=7", ("train", "phases", 1, "steps"), 7),
    ],
)
def test_an_assignment_sets_one_value(assignment: str, path: tuple[str | int, ...], value: object) -> None:
    table = {"model": {"n_head": 2}, "train": {"phases": [{"steps": 1}, {"steps": 2}]}}
    node: object = resolve.assign(table, assignment)
    for part in path:
        node = node[part]  # type: ignore[index]
    assert node == value
    assert table == {"model": {"n_head": 2}, "train": {"phases": [{"steps": 1}, {"steps": 2}]}}


@pytest.mark.parametrize(
    "assignment",
    [
        "",
        "=",
        "=3",
        "model.n_layer",
        ".=1",
        "a..b=1",
        "model.=1",
        ".model=1",
        "train.phases.2.steps=1",
        "train.phases.-1.steps=1",
        "train.phases.x.steps=1",
        "train.phases.0.steps.a=1",
        "train.phases.9=1",
        "train.batch_size.a=1",
    ],
)
def test_junk_assignments_are_refused(assignment: str) -> None:
    table = {"train": {"batch_size": 2, "phases": [{"steps": 1}, {"steps": 2}]}}
    with pytest.raises(ConfigError, match="--set"):
        resolve.assign(table, assignment)


# ---- precedence ---------------------------------------------------------------------------------------------------


def configured(home: Path, *arguments: str, run: RunFolder | None = None) -> RunConfig:
    return flags.configuration(parser().parse_args(["--train", *arguments]), home, run.config() if run else None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a preset that says 1 wherever it can."""
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "ones.toml").write_text(
        "[train]\nseed = 1\nbatch_size = 1\neval_iters = 1\nkeep_checkpoints = 1\nbudget = '1 steps'\n"
        "[[train.phases]]\nshare = 1.0\n"
    )
    (tmp_path / "twos.toml").write_text(
        "[train]\nseed = 2\nbatch_size = 2\neval_iters = 2\nbudget = '2 steps'\n[data]\nsources = ['two']\n"
    )
    return tmp_path


def test_precedence(home: Path) -> None:
    config = configured(
        home,
        *("--preset", "ones", "--config", str(home / "twos.toml")),
        *("--set", "train.seed=3", "--set", "train.batch_size=3", "--set", "data.sources=['three']"),
        *("--set", "train.budget=3 steps", "--seed", "4", "--steps", "4", "--data", "four", "--data", "five"),
    )
    train = config.train
    assert (train.seed, train.batch_size, train.eval_iters, train.keep_checkpoints) == (4, 3, 2, 1)
    assert train.accumulation_steps == 1
    assert train.budget == "4 steps"
    assert config.data.sources == ["four", "five"]


def test_without_flags_it_is_the_preset_quick(home: Path) -> None:
    config = configured(home)
    assert config.preset == "quick"
    assert config.train.budget == "2m"
    assert config.data.sources == ["stories"]
    assert config.train.device == "auto"


def test_a_file_may_name_its_preset_and_the_flag_wins(home: Path) -> None:
    file = home / "named.toml"
    file.write_text("preset = 'ones'\n[train]\nseed = 9\n")
    assert configured(home, "--config", str(file)).train.batch_size == 1
    config = configured(home, "--config", str(file), "--preset", "char")
    assert config.tokenizer.kind == "char"
    assert config.train.seed == 9
    assert config.preset == "char"


def test_a_file_that_names_no_preset_that_there_is(home: Path) -> None:
    file = home / "named.toml"
    file.write_text("preset = 'quik'\n[train]\nseed = 9\n")
    with pytest.raises(ConfigError) as caught:
        configured(home, "--config", str(file))
    assert "Did you mean quick?" in caught.value.hint


def test_the_last_assignment_wins(home: Path) -> None:
    assert configured(home, "--set", "train.seed=3", "--set", "train.seed=5").train.seed == 5


def test_a_runs_own_file_reproduces_its_settings(home: Path) -> None:
    config = configured(home, "--preset", "seed", "--set", "model.n_layer=2", "--time", "1h")
    file = home / "again.toml"
    file.write_text(resolve.to_toml(config))
    assert configured(home, "--config", str(file)) == config


def test_a_whole_file_works_where_its_preset_is_not(home: Path) -> None:
    """A run's config.toml holds all settings; on another machine its user preset need not exist."""
    file = home / "whole.toml"
    file.write_text(resolve.to_toml(configured(home, "--preset", "ones")))
    (home / "presets" / "ones.toml").unlink()
    assert configured(home, "--config", str(file)).train.batch_size == 1


def test_resuming_starts_from_the_runs_own_settings(home: Path) -> None:
    own = configured(home, "--preset", "ones", "--seed", "7")
    (home / "config.toml").write_text(resolve.to_toml(own))
    config = configured(home, "--steps", "50", run=RunFolder(home))
    assert config.train.seed == 7
    assert config.train.budget == "50 steps"
    assert resolve.with_values(config, train={"budget": own.train.budget}) == own


@pytest.mark.parametrize("assignment", ["train=3", "data=3", "train=[]"])
def test_a_group_that_is_no_table_is_refused_whatever_the_flags(home: Path, assignment: str) -> None:
    """Flags are laid on afterwards and must not wipe the mistake away, with all that stood there."""
    with pytest.raises(ConfigError, match=assignment.partition("=")[0]):
        configured(home, "--data", "four", "--steps", "4", "--set", assignment)


@pytest.mark.parametrize("amount", ["1000000", "1234567.5", "0.00001", "2.0000001"])
def test_epochs_arrive_as_they_were_given(home: Path, amount: str) -> None:
    from tinylm.config.schema import Budget

    budget = configured(home, "--epochs", amount).train.budget
    assert budget is not None
    assert Budget.parse(budget) == Budget("epochs", float(amount))


def test_a_file_name_that_is_not_unicode_is_to_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not Unicode") as caught:
        resolve.validate({"data": {"sources": ["caf\udce9.txt"]}})
    assert caught.value.hint == "Rename it."


def test_other_texts_on_resume_are_named_on_one_line() -> None:
    own, wanted = (RunConfig(data=DataConfig(sources=[source])) for source in ("/a.txt", "/b.txt"))
    with pytest.raises(ConfigError) as caught:
        resolve.resumed(own, wanted)
    assert 'data.sources = ["/a.txt"], and data.sources = ["/b.txt"]' in caught.value.message
