"""What the system may lack: a home folder, the current folder, standard streams, files of Linux's, characters.

Each situation ends as it should, or with a message and exit code 2, and never with a traceback or "our fault".
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.command_line import TINY, Result, begin, call, one_message
from tests.run_files import steps
from tinylm.runs.folder import list_runs, open_run

if os.name == "nt":
    pytest.skip("no such environments there", allow_module_level=True)

UNKNOWN_USER = """
import pwd, sys
def unknown(*_): raise KeyError("uid not found")
pwd.getpwuid = pwd.getpwnam = unknown
from tui.__main__ import main
main()
"""
"""The program, run for a user whom the system does not know, as containers run programs."""


def run(*arguments: object, program: Sequence[str] = ("-m", "tui"), **environment: str | None) -> Result:
    """Call the program in a process of its own; None takes a variable out of the environment."""
    changed = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        env={name: value for name, value in changed.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def refusal(result: Result) -> str:
    assert result.code == 2, result.err
    assert result.out == ""
    return one_message(result.err)


# ---- home and paths -----------------------------------------------------------------------------------------------

NO_HOME = {"HOME": None, "XDG_DATA_HOME": None, "USER": None, "LOGNAME": None}


def test_a_user_without_a_home_folder(home: Path, tiny_file: Path) -> None:
    nobody = ("-c", UNKNOWN_USER)
    assert "--home" in refusal(run("--runs", program=nobody, **NO_HOME))
    result = run(*begin(home, tiny_file, "--steps", 2), program=nobody, **NO_HOME)
    assert result.code == 0, result.err
    assert f"--home {home}" in result.out
    assert steps(list_runs(home)[0]) == [1, 2]


@pytest.mark.parametrize("variable", ["HOME", "XDG_DATA_HOME"])
@pytest.mark.parametrize("value", ["", "relative", "/nonexistent", "/dev/null"])
def test_a_home_folder_that_is_none(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv(variable, value)
    result = call("--runs")
    assert result.code in (0, 2), result.err
    assert "Traceback" not in result.err


def test_a_home_in_the_folder_of_nobody(finished_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given in ("~nosuchuser/models", "~nosuchuser"):
        assert given in refusal(call("--runs", "--home", given))
        monkeypatch.setenv("TINYLM_HOME", given)
        assert given in refusal(call("--runs"))
    monkeypatch.chdir(tmp_path)
    finished_home.rename("~nosuchuser")
    assert "finished" in call("--runs", "--home", "./~nosuchuser").out


def test_homes_that_are_given_in_other_ways(finished_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished_home.parent)
    monkeypatch.setenv("HOME", str(finished_home.parent))
    for given in (finished_home.name, f"~/{finished_home.name}", f"./{finished_home.name}/"):
        monkeypatch.setenv("TINYLM_HOME", given)
        assert "finished" in call("--runs").out
    monkeypatch.setenv("TINYLM_HOME", "")
    assert "no run yet" in call("--runs").out


def test_texts_whose_names_begin_with_a_tilde(
    home: Path, tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("~tilde.txt").write_text(tiny_text, encoding="utf-8")
    assert call(*begin(home, Path("~tilde.txt"), "--steps", 1, "--run", "one")).code == 0
    assert open_run(home, "one").config().data.sources == [str(tmp_path / "~tilde.txt")]
    assert "~nosuchuser" in refusal(call(*begin(home, Path("~nosuchuser/books"), "--steps", 1)))
    assert "~nosuchuser" in refusal(call("--train", "--home", home, "--config", "~nosuchuser/my.toml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("my.toml").write_text('[data]\nsources = ["~/~tilde.txt"]\n', encoding="utf-8")
    more = ("--steps", 1, "--run", "two")
    assert call("--train", "--home", home, "--config", "~/my.toml", *TINY, *more).code == 0
    assert open_run(home, "two").config().data.sources == [str(tmp_path / "~tilde.txt")]


def test_a_current_folder_that_was_deleted(trained_home: Path, tmp_path: Path) -> None:
    code = f"import os; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); {UNKNOWN_USER}"
    for mode in (["--runs"], ["--generate", "The"], ["--train", "--home", "here"]):
        program = ("-c", code.replace("import os", f"import os; os.chdir({str(tmp_path)!r})", 1))
        assert "folder" in refusal(run("--home", trained_home, *mode, program=program))


# ---- streams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(closed: str, home: Path, tiny_file: Path) -> None:
    """Also their descriptors are taken, or the next file that is opened would become stdout."""

    def shell(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "tui", *map(str, arguments)]
        return subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, check=False)

    answer = shell("--version")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.startswith(b"tinylm-studio") is (">&-" not in closed.split())
    trained = shell(*begin(home, tiny_file, "--steps", 2, "--run", "one"))
    assert trained.returncode == 0, trained.stderr
    assert b"Traceback" not in trained.stderr
    assert steps(open_run(home, "one")) == [1, 2]
    assert call("--generate", "The", "--home", home).code == 0, "nothing was printed into its files"
    assert shell("--home", home).returncode == 2, "the app needs a terminal"


@pytest.mark.parametrize("mode", ["--version", "--help", "--runs"])
def test_a_stdout_that_takes_nothing(mode: str, trained_home: Path) -> None:
    targets = ["/dev/full"] if Path("/dev/full").exists() else []
    for target in [*targets, "/dev/null"]:
        with open(target, "rb" if target == "/dev/null" else "wb") as out:  # noqa: PTH123  # read-only, the second
            command = [sys.executable, "-m", "tui", mode, "--home", str(trained_home)]
            done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2
        one_message(done.stderr)


# ---- files, locales and limits ------------------------------------------------------------------------------------


def test_output_in_ascii_alone(trained_home: Path, tiny_text: str, tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    written = run("--generate", "Café", "--home", trained_home, **ascii_only)
    assert (written.code, written.err) == (0, "")
    assert written.out.startswith("Caf")
    assert written.out.isascii()
    text = tmp_path / "книга.txt"
    text.write_text(tiny_text, encoding="utf-8")
    result = run(*begin(tmp_path / "home", text, "--steps", 2), **ascii_only)
    assert result.code in (0, 2), result.err
    assert result.code == 0 or one_message(result.err)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not enforce it")
def test_a_limit_on_memory(trained_home: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (300 << 20, resource.RLIM_INFINITY))"
    program = ("-c", f"{limit}; from tui.__main__ import main; main()")
    assert "memory" in refusal(run("--doctor", "--home", trained_home, program=program))


def test_a_library_that_cannot_be_loaded(trained_home: Path) -> None:
    broken = "import sys; sys.modules['torch'] = None; from tui.__main__ import main; main()"
    assert "torch" in refusal(run("--generate", "The", "--home", trained_home, program=("-c", broken)))
