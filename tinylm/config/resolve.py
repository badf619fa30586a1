"""Presets, files and flags become one validated configuration, and faults in them become sentences."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tinylm import files, paths
from tinylm.config import schema
from tinylm.config.aliases import ALIASES, VALUES
from tinylm.config.schema import FITTED, FORMAT, STORIES, Phase, RunConfig
from tinylm.errors import ConfigError
from tinylm.words import bare, counted, did_you_mean, near

Table = dict[str, Any]
"""A TOML table as the standard library reads it."""

_DEEPEST_KEY = 8
"""Most names in a dotted key; settings have four."""

MOST_BYTES = 1 << 20
"""Largest configuration file; one with all settings has 3 KB."""

_NAME = r"(?:[\w-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_TOO_DEEP = re.compile(rf"^[ \t]*(?:\[\[?[ \t]*)?(?:{_NAME}[ \t]*\.[ \t]*){{{_DEEPEST_KEY}}}", re.MULTILINE)
"""A key of more names than that; tomllib takes quadratic time for it."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """`base` overridden by `over`: tables key by key, everything else, lists included, as a whole."""
    merged = dict(base)
    for key, value in over.items():
        both_tables = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both_tables else value
    return merged


def validate(table: Mapping[str, Any]) -> RunConfig:
    """The configuration in `table`, with defaults filled in; ConfigError names the setting that is wrong."""
    try:
        return RunConfig.model_validate(dict(table))
    except ValidationError as error:
        raise _config_error(error) from None


def read_toml(path: Path) -> Table:
    """The table in a TOML file; ConfigError where it cannot be read."""
    try:
        return parse_toml(files.read(path, MOST_BYTES).decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.", "Check the path.") from None
    except OSError as error:
        raise ConfigError(f"The configuration file {path} cannot be read: {error.strerror}.", "Give another.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The configuration file {path} is not text.", "Give a TOML file in UTF-8.") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", "Mend that line; every text needs quotes.") from None


def parse_toml(text: str) -> Table:
    """Parse TOML; ValueError where it is none or nested too deep."""
    if deep := _TOO_DEEP.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise ValueError(f"a key of more than {_DEEPEST_KEY} names (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def with_values(config: RunConfig, **groups: Mapping[str, object]) -> RunConfig:
    """A copy with some settings replaced: `with_values(config, train={"threads": 2})`."""
    return validate(merge(config.model_dump(), groups))


def to_toml(config: RunConfig) -> str:
    """The whole configuration as the text of a config.toml."""
    return tomli_w.dumps(config.model_dump(exclude_none=True, mode="json"))


def from_run_folder(path: Path) -> tuple[RunConfig, list[str]]:
    """The configuration in a run folder's config.toml, and the settings there that only a newer version knows.

    Where `data.split` is missing it is 1, since earlier versions had no other. A run folder may come from a stranger:
    RunError where it holds links or devices (`files.check_folder`).
    """
    files.check_folder(path.parent)
    table = read_toml(path)
    unknown: list[str] = []
    if isinstance(table.get("format"), int) and table["format"] > FORMAT:
        table.pop("repeat", None)  # what a newer version recorded cannot be repeated here
        table, unknown = _known_part(table, RunConfig, "")
        table["format"] = FORMAT
    return validate(merge({"data": {"split": 1}}, table)), unknown


def presets(home: Path) -> dict[str, Path]:
    """The files of presets by name: ours first, then the user's own, of which those with our names are ignored."""
    folders = (paths.assets() / "presets", paths.user_presets(home))
    by_name: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.toml"))):
        by_name.setdefault(path.stem, path)
    return by_name


def read_preset(name: str, home: Path) -> Table:
    """The table of a preset; ConfigError lists the presets there are."""
    known = presets(home)
    if name not in known:
        hint = did_you_mean(name, known) or f"Choose one of: {', '.join(known)}."
        raise ConfigError(f"There is no preset named {name!r}.", hint)
    return read_toml(known[name]) | {"preset": name}


def assign(table: Table, assignment: str) -> Table:
    """`table` after one `--set KEY=VALUE`; KEY is dotted, VALUE a TOML value or a bare word.

    A number in the key is the index of an existing item of a list (`train.phases.0.max_lr`).
    """
    key, equals, text = assignment.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise ConfigError(f"--set {assignment} is not KEY=VALUE.", "Write for example --set model.n_layer=4.")
    try:
        value: Any = parse_toml(f"value = {text.strip()}")["value"]
    except ValueError:
        value = text.strip()
    if len(names) > _DEEPEST_KEY:
        raise ConfigError(f"--set {key[:60]} names nothing that there is.", suggestion(key))
    return put(table, names, value)


def put(table: Table, names: Sequence[str], value: object) -> Table:
    """`table` with the setting at `names` replaced; ConfigError where one of the names on the way is no table."""
    return cast(Table, _assigned(table, list(names), value, ".".join(names)))


def _assigned(node: Any, names: list[str], value: Any, key: str) -> Any:
    name, rest = names[0], names[1:]
    if isinstance(node, list):
        if not name.isdecimal() or len(name) > 4 or int(name) >= len(node):
            hint = suggestion(key) if meant_by(key) else f"Choose 0 to {len(node) - 1}."
            raise ConfigError(f"--set {key}: there is no item {name!r} here.", hint)
        return [
            (_assigned(item, rest, value, key) if rest else value) if i == int(name) else item
            for i, item in enumerate(node)
        ]
    if not isinstance(node, Mapping):
        raise ConfigError(f"--set {key} names a setting inside {node!r}, which has none.", suggestion(key))
    return {**node, name: _assigned(node.get(name, {}), rest, value, key) if rest else value}


@cache
def settings() -> dict[str, Any]:
    """The pydantic field of every setting by its dotted name, from which forms, help and suggestions are made.

    The settings of a phase are named `train.phases.N.max_lr`.
    """
    docstrings = _docstrings()

    def walk(group: type[BaseModel], prefix: str) -> Iterable[tuple[str, Any]]:
        for name, field in group.model_fields.items():
            if name == "repeat":
                continue  # written by the trainer alone
            field.description = field.description or docstrings.get((group.__name__, name))
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from walk(field.annotation, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", field
                if name == "phases":
                    yield from walk(Phase, f"{prefix}{name}.N.")

    return dict(walk(RunConfig, ""))


def _docstrings() -> dict[tuple[str, str], str]:
    """The docstring of each setting by (class, setting).

    Read here, since `use_attribute_docstrings` reads the source anew for each class: 14 ms of every start.
    """
    classes = [node for node in ast.parse(Path(schema.__file__).read_bytes()).body if isinstance(node, ast.ClassDef)]
    return {
        (group.name, setting.target.id): cleandoc(docstring.value.value)
        for group in classes
        for setting, docstring in pairwise(group.body)
        if isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name)
        if isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
        if isinstance(docstring.value.value, str)
    }


def is_fitted(key: str) -> bool:
    """Whether `train.fit` chooses the setting of that dotted name, or a part of it."""
    group, _, name = key.partition(".")
    return name.partition(".")[0] in FITTED.get(group, ())


def by_dotted_name(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings in a table, each with its dotted name; a list counts as one setting."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from by_dotted_name(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


MAY_CHANGE = ("train.budget", "train.stop_at", "train.patience", "train.device", "train.threads")
"""The settings that may change when a run is resumed."""


def resumed(own: RunConfig, wanted: RunConfig) -> RunConfig:
    """A run's own configuration with the changes in `wanted`; ConfigError names one that a run may not make.

    `auto` in `wanted` means what the run chose, and so do all settings that `train.fit` in `wanted` would choose. The
    split is always the run's own.
    """
    old = dict(by_dotted_name(own.model_dump(exclude={"repeat"})))
    new = {
        name: old[name] if value == "auto" or (wanted.train.fit and (name == "train.fit" or is_fitted(name))) else value
        for name, value in by_dotted_name(absolute_sources(wanted).model_dump(exclude={"repeat"}))
    }
    differ = [
        difference
        for name in new
        if name not in MAY_CHANGE and name not in ("preset", "data.split")
        for difference in _differences(name, old[name], new[name])
    ]
    if differ:
        raise ConfigError(
            f"{differ[0]}{'; other settings differ too' if len(differ) > 1 else ''}.",
            "Leave that out to go on with the run, or start a new one without --resume.",
        )
    return with_values(own, train={name.partition(".")[2]: new[name] for name in MAY_CHANGE})


def _differences(name: str, old: object, new: object) -> list[str]:
    """Each setting under a dotted name that a run has with another value than is asked for, as a clause."""
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [clause for key in old for clause in _differences(f"{name}.{key}", old[key], new.get(key))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and isinstance(old[0], Mapping):
        return [clause for i, item in enumerate(old) for clause in _differences(f"{name}.{i}", item, new[i])]
    if name == "train.phases":
        return [f"The run has {counted(len(old), 'phase')} in train.phases, and {len(new)} are asked for"]  # type: ignore[arg-type]
    return [f"The run was begun with {_as_toml(name, old)}, and {_as_toml(name, new)} is asked for"]


def _as_toml(name: str, value: object) -> str:
    """`train.grad_clip = 1.0` as in a TOML file."""
    if value is None:
        return f"no {name}"
    if isinstance(value, list):  # on one line
        return f"{name} = {json.dumps(value, ensure_ascii=False)}"
    return f"{name} = {tomli_w.dumps({'value': value}).removeprefix('value = ').strip()}"


def absolute_sources(config: RunConfig) -> RunConfig:
    """The configuration with absolute paths, so that a run means the same from any folder."""

    def absolute(sources: Sequence[str]) -> list[str]:
        return [source if source == STORIES else str(paths.absolute(source)) for source in sources]

    phases = [
        phase.model_copy(update={"sources": absolute(phase.sources)}) if phase.sources else phase
        for phase in config.train.phases
    ]
    data = config.data.model_copy(update={"sources": absolute(config.data.sources)})
    return config.model_copy(update={"data": data, "train": config.train.model_copy(update={"phases": phases})})


def _known_part(table: Mapping[str, Any], group: type[BaseModel], prefix: str) -> tuple[Table, list[str]]:
    known: Table = {}
    unknown: list[str] = []
    for key, value in table.items():
        field = group.model_fields.get(key)
        if field is None:
            unknown.append(prefix + key)
        elif isinstance(value, Mapping) and isinstance(field.annotation, type):
            known[key], inner = _known_part(value, field.annotation, f"{prefix}{key}.")
            unknown += inner
        elif key == "phases" and isinstance(value, list) and all(isinstance(phase, Mapping) for phase in value):
            parts = [_known_part(phase, Phase, f"{prefix}{key}.{i}.") for i, phase in enumerate(value)]
            known[key] = [part for part, _ in parts]
            unknown += [name for _, names in parts for name in names]
        else:
            known[key] = value
    return known, unknown


_TELLING = 6
"""Letters from which on a name with a slip in it is recognised whatever its group."""


def meant_by(name: str) -> list[str]:
    """The settings and flags that an unknown dotted name may stand for, as in `ALIASES`; phases with their number."""
    group, _, leaf = re.sub(r"\.\d+(?=\.|$)", ".N", name[:100]).rpartition(".")
    number = re.search(r"phases\.(\d+)", name)
    return [ours.replace(".N.", f".{number[1] if number else 0}.") for ours in _near_settings(group, leaf)]


def _near_settings(group: str, leaf: str) -> list[str]:
    """The settings of the own group whose name is near `leaf`, else those of others, where a short name tells little.

    Names from elsewhere come before slips of the keyboard.
    """
    by_leaf: dict[str, list[str]] = {}
    for dotted in settings():
        by_leaf.setdefault(dotted.rpartition(".")[2], []).append(dotted)
    close = near(leaf, [name for name, dotted in by_leaf.items() if f"{group}.{name}" in dotted])
    if bare(leaf) in ALIASES and bare(leaf) not in map(bare, close):
        return [ALIASES[bare(leaf)]]
    if close:
        return [f"{group}.{name}" for name in close]
    tells = len(bare(leaf)) >= _TELLING
    close = [name for name in near(leaf, [*by_leaf, *ALIASES]) if tells or bare(name) == bare(leaf)]
    found = [dotted for name in close for dotted in by_leaf.get(name) or [ALIASES[name]]]
    return [dotted for dotted in found if ".N." not in dotted] or found


def suggestion(name: str) -> str:
    """What an unknown dotted name may stand for, as a hint; where nothing is near, where all settings are listed."""
    found = meant_by(name)
    if not found:
        return "The config.toml of any run lists all settings."
    return found[0] if found[0].endswith(".") else f"Did you mean {' or '.join(found[:3])}?"


_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "list_type": "a list in [brackets]",
    "tuple_type": "a list in [brackets]",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "too_short": "a list with something in it",
}


def _config_error(error: ValidationError) -> ConfigError:
    """The first fault of a validation as a message and a hint."""
    fault = error.errors()[0]
    # Pydantic adds the members of unions ("literal['auto']", "int") to the location; ours are names and indices.
    location = [
        str(part) for part in fault["loc"] if re.fullmatch(r"[a-z_]+|\d+", str(part)) and part not in ("int", "float")
    ]
    name = ".".join(location)
    if fault["type"] == "extra_forbidden":
        name = ".".join(map(str, fault["loc"]))
        if isinstance(fault["input"], Mapping):  # a whole group that there is not: say what was set in it
            name = next((f"{name}.{inner}" for inner, _ in by_dotted_name(fault["input"])), name)
        return ConfigError(f"There is no setting {name if len(name) <= 100 else name[:97] + '...'}.", suggestion(name))
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        known = re.sub(r"\.\d+(\.|$)", r".N\1", name) in settings()
        hint = f"Change {name}." if known else "Change one of the settings that it names."
        return ConfigError(f"The settings do not fit: {context['error']}.", hint)
    given = _short_repr(fault["input"])
    key = re.sub(r"\.\d+(\.|$)", r".N\1", name)
    field = settings().get(key)
    faults = [other for other in error.errors() if other["loc"][: len(location)] == fault["loc"][: len(location)]]
    wanted = [_EXPECTED.get(other["type"], other["msg"].removeprefix("Input should be ")) for other in faults]
    message = f"{name} is {given}, but must be {' or '.join(dict.fromkeys(wanted))}."
    choices = [choice for other in faults for choice in _choices(other)]
    if meant := _near_values(key, fault["input"], choices):
        return ConfigError(message, f"Did you mean {' or '.join(meant)}?")
    hint = "Give another value."
    if field is None:
        within = next((dotted for dotted in settings() if dotted.startswith(f"{key}.")), None)
        hint = f"Set what is in it, such as {within}." if within else hint
    elif field.description:
        hint = f"{field.title}: {field.description}"
    if field is not None and isinstance(field.default, str | int | float):
        hint = f"The default is {tomli_w.dumps({name: field.default}).partition(' = ')[2].strip()}. {hint}"
    return ConfigError(message, hint)


def _choices(fault: ErrorDetails) -> list[str]:
    """The words that a setting may be, where the fault is about such a setting."""
    if fault["type"] == "bool_type":
        return ["true", "false"]
    return re.findall(r"'([^']*)'", fault["ctx"]["expected"]) if fault["type"] == "literal_error" else []


def _near_values(key: str, given: object, choices: Sequence[str]) -> list[str]:
    """Those of the words `choices` of a setting that a wrong value may stand for."""
    if not isinstance(given, str | int) or (isinstance(given, int) and not 0 <= given < 100):
        return []
    word = str(given)[:40].casefold()
    by_word = _YES_AND_NO | {other: ours for ours, others in VALUES.get(key, {}).items() for other in others.split()}
    switches = [choice for choice in choices if choice in by_word.get(word, "").split()]
    return switches or near(word, choices)


_YES_AND_NO = dict.fromkeys(("true", "on", "yes", "y", "1"), "true on") | dict.fromkeys(
    ("false", "off", "no", "n", "0"), "false off"
)
"""How people write yes and no, and how settings do."""


def _short_repr(value: object) -> str:
    """`repr(value)`, shortened; huge numbers and deep nesting have none."""
    try:
        text = repr(value).lower() if isinstance(value, bool) else repr(value)
    except (ValueError, RecursionError):
        return "too large to show"
    return text if len(text) <= 60 else f"{text[:57]}..."
