"""One step of decoding: on each device, for any shape and any number of texts, the logits of the plain model."""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests import models
from tests.native import needs_compiler
from tests.waiting import until
from tinylm.config.schema import SampleConfig
from tinylm.hardware import device
from tinylm.inference import decode
from tinylm.inference.decode import CapturedStep, StaticCache, Step, step_factory
from tinylm.inference.generate import generate_batch
from tinylm.kernels import compiler
from tinylm.kernels import decode as native
from tinylm.kernels.decode import DecodeLibrary, NativeStep
from tinylm.kernels.decode import load_in_background as really_load  # before the autouse fixture replaces it
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer

ROOM = 16
VARIANTS = [
    *models.VARIANTS,
    {"dropout": 0.5, "norm_eps": 2e-4},
    {"mlp_ratio": 1},
]


def build(**changes: object) -> Transformer:
    return models.build(**{"block_size": ROOM, **changes}).eval()


def load(home: Path, *, may_build: bool = True) -> DecodeLibrary | None:
    """The library of this home, built if it is missing, as for a model that is large enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "MIN_PARAMETERS", 0)
        return really_load(home, build(), may_build=may_build).result()


def some_ids(texts: int) -> Tensor:
    return torch.randint(50, (texts, ROOM), generator=torch.Generator().manual_seed(1))


def filled(model: Transformer, ids: Tensor) -> KVCache:
    """A cache that holds the ids (B, T)."""
    cache = KVCache(model.config, len(ids), ROOM, model.embedding.weight)
    if ids.size(1):
        model.next_logits(ids, cache)
    return cache


def step_for(model: Transformer, cache: KVCache, library: DecodeLibrary | None = None) -> Step:
    return step_factory(model, library)(cache)


def check_steps(model: Transformer, texts: int, library: DecodeLibrary | None = None) -> Step:
    """From any position, steps give the logits and the cache of the plain model."""
    ids = some_ids(texts)
    expected = model.logits(ids)
    for first in (1, 3, ROOM - 1):
        cache = filled(model, ids[:, :first])
        step = step_for(model, cache, library)
        for position in range(first, ROOM):
            logits = step(ids[:, position].tolist())
            torch.testing.assert_close(logits, expected[:, position], rtol=1e-4, atol=1e-5)
            assert cache.length == position + 1
    whole = filled(model, ids)
    torch.testing.assert_close(cache.keys, whole.keys, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(cache.values, whole.values, rtol=1e-4, atol=1e-5)
    return step


# ---- compiled where it runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose cache the compiled step is kept in."""
    return tmp_path_factory.mktemp("native")


@pytest.fixture
def compiled(kept: Path) -> DecodeLibrary:
    library = load(kept)
    assert library is not None
    return library


@needs_compiler
@pytest.mark.parametrize("texts", [1, 2, 5, 9, 16, 27])
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_compiled_steps_give_the_plain_logits(compiled: DecodeLibrary, changes: dict[str, object], texts: int) -> None:
    assert isinstance(check_steps(build(**changes), texts, compiled), NativeStep)


@needs_compiler
@pytest.mark.parametrize("cores", [2, 3])
@torch.inference_mode()
def test_cores_that_share_the_texts_give_the_same(
    compiled: DecodeLibrary, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "cores", lambda: cores)
    assert isinstance(check_steps(build(n_kv_head=1), 27, compiled), NativeStep)


@needs_compiler
@pytest.mark.parametrize("at_once", [2, 6, 64])
@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("texts", [1, 3, 9])
@torch.inference_mode()
def test_compiled_steps_read_what_the_plain_model_reads(
    compiled: DecodeLibrary, texts: int, cores: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one go or in several, from the beginning or from behind a token, and on from there."""
    monkeypatch.setattr(device, "cores", lambda: cores)
    monkeypatch.setattr(native, "PROMPT_TOKENS_PER_THREAD", at_once)
    model, ids = build(), some_ids(texts)
    whole = filled(model, ids)
    for first in (0, 1):
        cache = filled(model, ids[:, :first])
        step = step_for(model, cache, compiled)
        assert isinstance(step, NativeStep)
        logits = step.prefill(ids[:, first : ROOM - 1].tolist()).clone()
        torch.testing.assert_close(logits, model.logits(ids[:, :-1])[:, -1], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(step(ids[:, -1].tolist()), model.logits(ids)[:, -1], rtol=1e-4, atol=1e-5)
        assert cache.length == ROOM
        torch.testing.assert_close(cache.keys, whole.keys, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(cache.values, whole.values, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_compiled_steps_read_with_any_model(compiled: DecodeLibrary, changes: dict[str, object]) -> None:
    model, ids = build(**changes), some_ids(2)
    step = step_for(model, filled(model, ids[:, :0]), compiled)
    assert isinstance(step, NativeStep)
    torch.testing.assert_close(step.prefill(ids.tolist()), model.logits(ids)[:, -1], rtol=1e-4, atol=1e-5)


@needs_compiler
@torch.inference_mode()
def test_cores_that_come_later_do_nothing(compiled: DecodeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: 1)
    model, ids = build(), some_ids(27)
    step = step_for(model, filled(model, ids[:, :3]), compiled)
    monkeypatch.setattr(device, "cores", lambda: 5)
    torch.testing.assert_close(step(ids[:, 3].tolist()), model.logits(ids[:, :4])[:, -1], rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("tokens", [[7] * (ROOM - 2), [50], [-1]], ids=["no room", "no such token", "below none"])
@torch.inference_mode()
def test_what_lies_outside_is_refused(compiled: DecodeLibrary, tokens: list[int]) -> None:
    model, ids = build(), some_ids(1)
    cache = filled(model, ids[:, :3])
    step = step_for(model, cache, compiled)
    assert isinstance(step, NativeStep)
    with pytest.raises(IndexError):
        step.prefill([tokens])
    assert cache.length == 3


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@torch.inference_mode()
def test_a_forked_process_continues(compiled: DecodeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that shared the work with it are not there any more."""
    monkeypatch.setattr(device, "cores", lambda: 2)
    model, ids = build(), some_ids(9)
    step = step_for(model, filled(model, ids[:, :3]), compiled)
    step(ids[:, 3].tolist())
    child = os.fork()
    if not child:
        step(ids[:, 4].tolist())
        os._exit(7)
    ended: list[int] = []

    def has_ended() -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        ended.extend([status] if pid else [])
        return bool(ended)

    try:
        until(has_ended)
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    [status] = ended
    assert os.waitstatus_to_exitcode(status) == 7


@needs_compiler
def test_writers_beside_each_other_write_what_they_write_alone(
    compiled: DecodeLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take turns with the same cores."""
    monkeypatch.setattr(device, "cores", lambda: 2)
    model, settings = build(block_size=64), SampleConfig(max_new_tokens=60)

    def written(seed: int) -> list[tuple[int, int]]:
        texts = generate_batch(model, [1, 2], settings, range(seed, seed + 9), -1, library=compiled)
        return [(text, chosen.token) for text, chosen in texts]

    alone = [written(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(written, range(4))) == alone


@needs_compiler
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@torch.inference_mode()
def test_nan_and_infinity_are_noticed(compiled: DecodeLibrary, bad: float) -> None:
    model, ids = build(), some_ids(2)
    model.blocks[0].feed_forward.down.weight[3, 5] = bad  # type: ignore[union-attr, index, operator]
    logits = step_for(model, filled(model, ids[:, :3]), compiled)(ids[:, 3].tolist())
    assert not torch.isfinite(logits).any()


@needs_compiler
def test_it_is_compiled_once_and_made_again_where_it_is_damaged(home: Path, tmp_path: Path) -> None:
    assert load(home) is not None
    [library] = (home / "cache" / "compiled").glob("*.so")
    whole, made = library.read_bytes(), library.stat().st_mtime_ns
    again = Path(shutil.copytree(home, tmp_path / "again"))  # a process keeps what it has loaded from a home
    assert load(again) is not None
    [copy] = (again / "cache" / "compiled").glob("*.so")
    assert copy.stat().st_mtime_ns == made
    library.unlink()  # what is loaded stays as it is
    library.write_bytes(whole[: len(whole) // 2])
    damaged = Path(shutil.copytree(home, tmp_path / "damaged"))
    assert load(damaged) is not None
    [library] = (damaged / "cache" / "compiled").glob("*.so")
    assert library.read_bytes() == whole
    assert sorted(path.suffix for path in library.parent.iterdir()) == [".sha256", ".so"]


def test_nothing_is_compiled_for_a_small_model_or_where_there_is_no_time(home: Path) -> None:
    assert really_load(home, build()).result() is None
    assert load(home, may_build=False) is None
    assert not (home / "cache").exists()


@pytest.mark.parametrize("fault", ["no compiler", "it fails", "it makes something else", "no room"])
def test_without_it_torch_takes_the_steps(fault: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "no compiler":
        monkeypatch.setattr(compiler, "find", lambda: None)
    elif fault == "it fails":
        monkeypatch.setattr(compiler, "FLAGS", ("--no-such-flag",))
    elif fault == "it makes something else":
        monkeypatch.setattr(native, "TOLERANCE", -1.0)
    else:
        (home / "cache").write_text("a file where a folder should be")
    library, model, ids = load(home), build(), some_ids(1)
    assert library is None
    with torch.inference_mode():
        logits = step_for(model, filled(model, ids[:, :3]))(ids[:, 3].tolist())
        assert torch.equal(logits, model.next_logits(ids[:, 3, None], filled(model, ids[:, :3])))
    assert [*home.glob("cache/compiled/*")] == [], "half-made files were left"


# ---- either way ------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_a_cache_that_was_emptied_is_filled_anew(either_library: DecodeLibrary | None) -> None:
    model, ids = build(), some_ids(1)
    cache = filled(model, ids[:, :9])
    step = step_for(model, cache, either_library)
    step([1])
    for length in (4, 5, 1):  # fewer tokens than were there, as many, and others
        cache.length = 0
        model.next_logits(ids[:, 4 : 4 + length], cache)
        torch.testing.assert_close(
            step([7]), model.logits(torch.tensor([[*ids[0, 4 : 4 + length].tolist(), 7]]))[:, -1], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("rows", [[2, 0, 2], [1]], ids=str)
@torch.inference_mode()
def test_rows_that_are_selected_continue_as_before(either_library: DecodeLibrary | None, rows: list[int]) -> None:
    model, ids = build(), some_ids(3)
    cache = filled(model, ids[:, :5])
    make_step = step_factory(model, either_library)
    expected = make_step(filled(model, ids[:, :5]))([4, 5, 6])[rows]
    cache.select(rows)
    assert len(cache) == len(rows)
    torch.testing.assert_close(make_step(cache)([4 + row for row in rows]), expected, rtol=1e-4, atol=1e-5)


# ---- by torch's operations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [1, 2, 5])
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_without_a_compiler_steps_are_the_models_own(changes: dict[str, object], texts: int) -> None:
    check_steps(build(**changes), texts)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_the_whole_cache_masked_gives_the_same(changes: dict[str, object]) -> None:
    """What a CUDA graph records, run without one."""
    model, ids = build(**changes), some_ids(2)
    cache = filled(model, ids[:, :3])
    cache.keys[:, :, :, 3:], cache.values[:, :, :, 3:] = 1e3, 1e3  # nothing beyond the position is looked at
    whole = StaticCache(cache)
    for position in range(3, ROOM):
        whole.position.fill_(position)
        logits = model.next_logits(ids[:, position, None], whole)
        torch.testing.assert_close(logits, model.logits(ids[:, : position + 1])[:, -1], rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_what_cannot_be_captured_comes_from_the_plain_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(model: Transformer, cache: KVCache) -> CapturedStep:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(decode, "CapturedStep", refused)
    model, ids = build(), some_ids(2)
    logits = step_factory(model, device_type="cuda")(filled(model, ids[:, :3]))(ids[:, 3].tolist())
    torch.testing.assert_close(logits, model.logits(ids[:, :4])[:, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("texts", [1, 4])
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_captured_steps_on_cuda_give_the_plain_logits(changes: dict[str, object], texts: int) -> None:
    model, ids = build(**changes).cuda(), some_ids(texts).cuda()
    cache = filled(model, ids[:, :3])
    step = step_for(model, cache)
    assert isinstance(step, CapturedStep)
    for position in range(3, ROOM):
        logits = step(ids[:, position].tolist())
        torch.testing.assert_close(logits, model.logits(ids[:, : position + 1])[:, -1], rtol=1e-3, atol=1e-4)
