"""The rendered YAML of an environment: what was reviewed, whatever the values say by now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.errors import MISSING, UserError
from scripts.files import ROOT, refuse
from scripts.strict_yaml import read_yaml
from scripts.targets import command


@dataclass(frozen=True)
class Rendered:
    """Files are named by their parts: `file("pipelines", "model.yml")` is pipelines/<env>/model.yml."""

    environment: str
    root: Path = ROOT

    def file(self, *parts: str) -> Path:
        """Returns a rendered file; a UserError where it is not there."""
        path = self.root / parts[0] / self.environment / Path(*parts[1:])
        if not path.is_file():
            name = path.relative_to(self.root)
            raise UserError(f"{name}: no such file; run {command('render', self.environment)}", MISSING)
        return path

    def document(self, *parts: str) -> dict[str, Any]:
        """Returns a rendered file's content."""
        import yaml

        path = self.file(*parts)
        return read_yaml(path, yaml.SafeLoader, path.relative_to(self.root).as_posix())[0]

    def fingerprint(self) -> str:
        """Returns a hash of all rendered files, with those that go with them: another one is another YAML."""
        told = hashlib.sha256()
        for kind in ("pipelines", "endpoints"):
            for path in sorted((self.root / kind / self.environment).rglob("*")):
                if path.is_file():
                    content = path.read_bytes()
                    told.update(f"{path.relative_to(self.root).as_posix()} {len(content)}\n".encode() + content)
        return f"sha256:{told.hexdigest()}"

    def name(self, *parts: str) -> str:
        """Returns the name that a rendered file gives to what it makes."""
        name = self.document(*parts).get("name")
        if not name or not isinstance(name, str):
            path = self.file(*parts).relative_to(self.root)
            refuse(path, "gives no name", f"{command('render', self.environment)} writes it anew")
        return name
