"""The filter language of the Runs screen."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinylm.runs.folder import RunFolder
from tinylm.runs.listing import RunListing
from tui.screens.runs import filter

MOBY = RunListing(
    run=RunFolder(Path("/home/u/runs/whale")), name="whale", status="finished", data="moby_dick.txt", device="cpu",
    parameters=1_310_720, vocab_size=2048, step=400, steps=400, tokens=614_400,
    seconds=102.0, val_bpb=1.9, best_step=380,
    tokens_per_second=6100.0, utc="2026-11-23T05:00:00+00:00", bytes=16_000_000, note="the good one", fault="",
)  # fmt: skip
YOUNG = replace(MOBY, name="young", status="training", data="stories", val_bpb=None, note="", parameters=900_000)


def matching(text: str) -> list[str]:
    chosen = filter.parse(text)
    assert chosen.fault == ""
    return [entry.name for entry in (MOBY, YOUNG) if chosen.matches(entry)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["whale", "young"]),
        ("   ", ["whale", "young"]),
        ("WHALE", ["whale"]),
        ("moby", ["whale"]),
        ("good", ["whale"]),
        ('"good one"', ["whale"]),
        ('note:"good one"', ["whale"]),
        ('"good mo', []),
        ("-good", ["young"]),
        ("state:done", ["whale"]),
        ("state:running", ["young"]),
        ("state:train", ["young"]),
        ("-state:done", ["young"]),
        ("data:stories", ["young"]),
        ("device:cpu name:y", ["young"]),
        ("val<2", ["whale"]),
        ("val<1.9", []),
        ("val<=1.9", ["whale"]),
        ("bpb>0", ["whale"]),
        ("-val<2", ["young"]),
        ("weights>=1M", ["whale"]),
        ("weights<1m", ["young"]),
        ("size>10MB", ["whale", "young"]),
        ("time>1m", ["whale", "young"]),
        ("time>2m", []),
        ("vocab:2048", ["whale", "young"]),
        ("state:done val<2 data:moby one", ["whale"]),
        ("state:done young", []),
    ],
)
def test_a_filter_finds(text: str, names: list[str]) -> None:
    assert matching(text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val<", "val< needs a number, as in val<1.5"),
        ("val<two", "val< needs a number"),
        ("time>3x", "time> needs a number, as in time>10m"),
        ("state<3", "state is a word: write state:3"),
        ("colour:red", "there is no 'colour' to filter by; there are state, data"),
    ],
)
def test_a_mistake_is_reported_and_the_rest_counts(text: str, message: str) -> None:
    chosen = filter.parse(f"{text} whale")
    assert chosen.fault.startswith(message)
    assert chosen.matches(MOBY)
    assert not chosen.matches(YOUNG)


@given(st.text(max_size=40) | st.from_regex(r"[-a-z\":<>= 0-9.]{0,20}", fullmatch=True))
def test_nothing_that_is_typed_raises(text: str) -> None:
    filter.parse(text).matches(MOBY)
