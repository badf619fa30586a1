"""One step of decoding: on each device, for any shape and any number of texts, what the plain model says."""

import os
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
from tinylm.hardware import autotune, device
from tinylm.inference import decode
from tinylm.inference.decode import CapturedStep, CpuStep, Step, WholeRoom, steps_for
from tinylm.inference.generate import choose_variants
from tinylm.kernels import compiler
from tinylm.kernels import decode as native
from tinylm.kernels.decode import NativeStep
from tinylm.kernels.decode import keep_in as really_keep_in  # before tests are kept from it
from tinylm.model.kv_cache import KVCache
from tinylm.model.transformer import Transformer

ROOM = 16
VARIANTS = [
    {},
    {"n_kv_head": 4},
    {"n_kv_head": 1},
    {"qk_norm": True},
    {"qk_norm": True, "attention_scale": 3.0},
    {"attention_scale": 0.5},
    {"tie_embeddings": True},
    {"head_size": 2, "n_layer": 1},
    {"dropout": 0.5, "norm_eps": 2e-4},
    {"mlp_ratio": 1},
]


def build(**changes: object) -> Transformer:
    return models.build(**{"block_size": ROOM, **changes}).eval()


def keep_in(home: Path, *, make: bool = True) -> None:
    """Use the code of this home, or make it, as for a model that is worth it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "SMALL", 0)
        really_keep_in(home, build(), make=make)


def some_ids(texts: int) -> Tensor:
    return torch.randint(50, (texts, ROOM), generator=torch.Generator().manual_seed(1))


def filled(model: Transformer, ids: Tensor) -> KVCache:
    """A cache that holds the ids (B, T)."""
    cache = KVCache(model.config, len(ids), ROOM, model.embedding.weight)
    if ids.size(1):
        model.next_logits(ids, cache)
    return cache


def step_for(model: Transformer, cache: KVCache) -> Step:
    return steps_for(model, len(cache))(cache)


def check_steps(kind: type[NativeStep | CpuStep], changes: dict[str, object], texts: int) -> None:
    """All steps but the first few say what the plain model says, and leave the cache that it leaves."""
    model, ids = build(**changes), some_ids(texts)
    cache = filled(model, ids[:, :3])
    step = step_for(model, cache)
    assert isinstance(step, kind)
    for place in range(3, ROOM):
        scores = step(ids[:, place].tolist())
        torch.testing.assert_close(scores, model.logits(ids[:, : place + 1])[:, -1], rtol=1e-4, atol=1e-5)
        assert cache.length == place + 1
    whole = filled(model, ids)
    torch.testing.assert_close(cache.keys, whole.keys, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(cache.values, whole.values, rtol=1e-4, atol=1e-5)


# ---- compiled where it runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose cache the compiled step is kept in."""
    return tmp_path_factory.mktemp("native")


@pytest.fixture
def compiled(kept: Path) -> None:
    keep_in(kept)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("texts", [1, 2, 5, 9, 16, 27])
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_compiled_steps_say_what_the_plain_model_says(changes: dict[str, object], texts: int) -> None:
    check_steps(NativeStep, changes, texts)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("cores", [2, 3])
@torch.inference_mode()
def test_cores_that_share_the_texts_say_the_same(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: cores)
    check_steps(NativeStep, {"n_kv_head": 1}, 27)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("at_once", [2, 6, 64])
@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("texts", [1, 3, 9])
@torch.inference_mode()
def test_compiled_steps_read_what_the_plain_model_reads(
    texts: int, cores: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one go or in several, from the beginning or from behind a token, and on from there."""
    monkeypatch.setattr(device, "cores", lambda: cores)
    monkeypatch.setattr(native, "AT_ONCE", at_once)
    model, ids = build(), some_ids(texts)
    whole = filled(model, ids)
    for first in (0, 1):
        cache = filled(model, ids[:, :first])
        step = step_for(model, cache)
        assert isinstance(step, NativeStep)
        scores = step.read(ids[:, first : ROOM - 1].tolist()).clone()
        torch.testing.assert_close(scores, model.logits(ids[:, :-1])[:, -1], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(step(ids[:, -1].tolist()), model.logits(ids)[:, -1], rtol=1e-4, atol=1e-5)
        assert cache.length == ROOM
        torch.testing.assert_close(cache.keys, whole.keys, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(cache.values, whole.values, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_compiled_steps_read_with_any_model(changes: dict[str, object]) -> None:
    model, ids = build(**changes), some_ids(2)
    step = step_for(model, filled(model, ids[:, :0]))
    assert isinstance(step, NativeStep)
    torch.testing.assert_close(step.read(ids.tolist()), model.logits(ids)[:, -1], rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("read", [1, 2, ROOM - 1])
@torch.inference_mode()
def test_a_compiled_step_goes_on_from_any_place(read: int) -> None:
    model, ids = build(), some_ids(2)
    scores = step_for(model, filled(model, ids[:, :read]))(ids[:, read].tolist())
    torch.testing.assert_close(scores, model.logits(ids[:, : read + 1])[:, -1], rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@torch.inference_mode()
def test_cores_that_come_later_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: 1)
    model, ids = build(), some_ids(27)
    step = step_for(model, filled(model, ids[:, :3]))
    monkeypatch.setattr(device, "cores", lambda: 5)
    torch.testing.assert_close(step(ids[:, 3].tolist()), model.logits(ids[:, :4])[:, -1], rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("tokens", [[7] * (ROOM - 2), [50], [-1]], ids=["no room", "no such token", "below none"])
@torch.inference_mode()
def test_what_lies_outside_is_refused(tokens: list[int]) -> None:
    model, ids = build(), some_ids(1)
    cache = filled(model, ids[:, :3])
    step = step_for(model, cache)
    assert isinstance(step, NativeStep)
    with pytest.raises(IndexError):
        step.read([tokens])
    assert cache.length == 3


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@torch.inference_mode()
def test_a_forked_process_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that shared the work with it are not there any more."""
    monkeypatch.setattr(device, "cores", lambda: 2)
    model, ids = build(), some_ids(9)
    step = step_for(model, filled(model, ids[:, :3]))
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
@pytest.mark.usefixtures("compiled")
def test_writers_beside_each_other_write_what_they_write_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take turns with the same cores."""
    monkeypatch.setattr(device, "cores", lambda: 2)
    model, settings = build(block_size=64), SampleConfig(max_new_tokens=60)

    def written(seed: int) -> list[tuple[int, int]]:
        texts = choose_variants(model, [1, 2], settings, range(seed, seed + 9), -1)
        return [(text, chosen.token) for text, chosen in texts]

    alone = [written(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(written, range(4))) == alone


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@torch.inference_mode()
def test_what_is_no_number_is_noticed(bad: float) -> None:
    model, ids = build(), some_ids(2)
    model.blocks[0].feed_forward.down.weight[3, 5] = bad  # type: ignore[union-attr, index, operator]
    scores = step_for(model, filled(model, ids[:, :3]))(ids[:, 3].tolist())
    assert not torch.isfinite(scores).any()


@needs_compiler
def test_it_is_compiled_once_and_made_again_where_it_is_damaged(home: Path) -> None:
    keep_in(home)
    assert native.code() is not None
    [library] = (home / "cache" / "compiled").glob("*.so")
    whole, made = library.read_bytes(), library.stat().st_mtime_ns
    native._code.cache_clear()
    keep_in(home)
    assert native.code() is not None
    assert library.stat().st_mtime_ns == made
    library.unlink()  # what is loaded stays as it is
    library.write_bytes(whole[: len(whole) // 2])
    native._code.cache_clear()
    keep_in(home)
    assert native.code() is not None
    assert library.read_bytes() == whole
    assert sorted(path.suffix for path in library.parent.iterdir()) == [".sha256", ".so"]


def test_nothing_is_compiled_where_there_is_no_time(home: Path) -> None:
    keep_in(home, make=False)
    assert native.code() is None
    assert not (home / "cache").exists()


def test_nothing_is_compiled_for_a_small_model(home: Path) -> None:
    really_keep_in(home, build())
    assert native.code() is None
    assert not (home / "cache").exists()


@pytest.mark.parametrize("fault", ["no compiler", "it fails", "it makes something else", "no room"])
def test_without_it_torch_takes_the_steps(fault: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "no compiler":
        monkeypatch.setattr(autotune, "compiler", lambda: None)
    elif fault == "it fails":
        monkeypatch.setattr(compiler, "FLAGS", ("--no-such-flag",))
    elif fault == "it makes something else":
        monkeypatch.setattr(native, "_CLOSE", -1.0)
    else:
        (home / "cache").write_text("a file where a folder should be")
    keep_in(home)
    model, ids = build(), some_ids(1)
    with torch.inference_mode():
        assert isinstance(step_for(model, filled(model, ids[:, :3])), CpuStep)
    assert [*home.glob("cache/compiled/*")] == [], "half-made files were left"


# ---- either way ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("both_ways")
@torch.inference_mode()
def test_a_cache_that_was_emptied_is_filled_anew() -> None:
    model, ids = build(), some_ids(1)
    cache = filled(model, ids[:, :9])
    step = step_for(model, cache)
    step([1])
    for length in (4, 5, 1):  # fewer tokens than were there, as many, and others
        cache.length = 0
        model.next_logits(ids[:, 4 : 4 + length], cache)
        torch.testing.assert_close(
            step([7]), model.logits(torch.tensor([[*ids[0, 4 : 4 + length].tolist(), 7]]))[:, -1], rtol=1e-4, atol=1e-5
        )


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("rows", [[2, 0, 2], [1]], ids=str)
@torch.inference_mode()
def test_rows_that_are_taken_go_on_as_they_were(rows: list[int]) -> None:
    model, ids = build(), some_ids(3)
    cache = filled(model, ids[:, :5])
    steps = steps_for(model, 3)
    expected = steps(filled(model, ids[:, :5]))([4, 5, 6])[rows]
    cache.take(rows)
    assert len(cache) == len(rows)
    torch.testing.assert_close(steps(cache)([4 + row for row in rows]), expected, rtol=1e-4, atol=1e-5)


# ---- by torch's operations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [1, 2, 5])
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_steps_on_the_cpu_say_what_the_plain_model_says(changes: dict[str, object], texts: int) -> None:
    check_steps(CpuStep, changes, texts)


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_the_whole_room_masked_says_the_same(changes: dict[str, object]) -> None:
    """What a CUDA graph records, run without one."""
    model, ids = build(**changes), some_ids(2)
    cache = filled(model, ids[:, :3])
    cache.keys[:, :, :, 3:], cache.values[:, :, :, 3:] = 1e3, 1e3  # nothing beyond the position is looked at
    whole = WholeRoom(cache)
    for place in range(3, ROOM):
        whole.position.fill_(place)
        scores = model.next_logits(ids[:, place, None], whole)
        torch.testing.assert_close(scores, model.logits(ids[:, : place + 1])[:, -1], rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_what_cannot_be_recorded_comes_from_the_plain_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(model: Transformer, cache: KVCache) -> CapturedStep:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(decode, "CapturedStep", refused)
    model, ids = build(), some_ids(2)
    scores = steps_for(model, 2, "cuda")(filled(model, ids[:, :3]))(ids[:, 3].tolist())
    torch.testing.assert_close(scores, model.logits(ids[:, :4])[:, -1], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("texts", [1, 4])
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
@torch.inference_mode()
def test_recorded_steps_on_cuda_say_what_the_plain_model_says(changes: dict[str, object], texts: int) -> None:
    model, ids = build(**changes).cuda(), some_ids(texts).cuda()
    cache = filled(model, ids[:, :3])
    step = step_for(model, cache)
    assert isinstance(step, CapturedStep)
    for place in range(3, ROOM):
        scores = step(ids[:, place].tolist())
        torch.testing.assert_close(scores, model.logits(ids[:, : place + 1])[:, -1], rtol=1e-3, atol=1e-4)
