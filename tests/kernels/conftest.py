"""What the tests of our own code share."""

import ctypes

import pytest

from tests.native import train_pass_library
from tinylm.kernels import compiler


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The library of passes and of Muon's step."""
    return compiler.load(train_pass_library(tmp_path_factory))
