"""The record: it comes back as it was written, and says whether it is of the YAML that lies here now."""

import dataclasses
import shutil

from scripts.chain.rendered import Rendered
from scripts.files import ROOT
from scripts.rehearse import record
from tests.rehearse.told import told


def test_what_was_written_is_read_again(tmp_path):
    assert record.read(tmp_path, "demo") is None
    (tmp_path / record.FILE).write_text(told().as_json())
    assert record.read(tmp_path, "demo") == told()


def test_it_is_of_one_yaml_and_of_no_other(tmp_path):
    for kind in ("pipelines", "endpoints"):
        shutil.copytree(ROOT / kind / "demo", tmp_path / kind / "demo")
    assert Rendered("demo", tmp_path).fingerprint() == Rendered("demo").fingerprint()
    made = dataclasses.replace(told(), yaml=Rendered("demo").fingerprint())
    assert made.is_of(tmp_path)
    file = tmp_path / "endpoints/demo/endpoint.yml"
    content = file.read_bytes()
    file.write_bytes(content + b"\n")
    assert not made.is_of(tmp_path)
    file.write_bytes(content)
    assert made.is_of(tmp_path)
    file.rename(file.with_name("other.yml"))
    assert not made.is_of(tmp_path)
