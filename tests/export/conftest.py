"""Where the base model lies, once it is converted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import new_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The home whose converted base model other tests have, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZUREML_LOCAL_HOME", str(new_home(tmp_path_factory)))
        yield
