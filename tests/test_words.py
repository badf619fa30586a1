"""Numbers and names as people read and type them."""

import pytest

from tinylm import words


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (950, "950 bytes"),
        (3_210, "3.2 kB"),
        (9_960, "10 kB"),
        (106_000, "106 kB"),
        (999_600, "1.00 MB"),
        (8_500_000, "8.50 MB"),
        (120_000_000, "120 MB"),
        (999_600_000, "1.00 GB"),
    ],
)
def test_sizes_of_texts(size: int, text: str) -> None:
    assert words.text_size(size) == text


def test_a_small_memory_is_not_zero_gigabytes() -> None:
    assert [words.gigabytes(size) for size in (16e9, 4e7)] == ["16.0 GB", "40.00 MB"]


@pytest.mark.parametrize(
    ("epochs", "text"),
    [(1, "1 pass"), (1.004, "1 pass"), (0.68, "0.68 passes"), (2, "2 passes"), (4931, "4,900 passes")],
)
def test_passes(epochs: float, text: str) -> None:
    assert words.passes(epochs) == text


def test_one_is_singular() -> None:
    assert [words.counted(n, "batch", "batches") for n in (0, 1, 2_000)] == ["0 batches", "1 batch", "2,000 batches"]


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("quik", ["quick"]),
        ("QUICK", ["quick"]),
        ("chra", ["char"]),
        ("chars", ["char"]),
        ("chat", []),
        ("sed", ["seed"]),
        ("seeed", ["seed"]),
        ("speed", []),
        ("", []),
        ("reptition-penlty", ["repetition_penalty"]),
        ("repetition", []),
    ],
)
def test_only_slips_of_the_keyboard_are_near(typed: str, near: list[str]) -> None:
    assert words.near(typed, ["quick", "char", "seed", "repetition_penalty"]) == near
