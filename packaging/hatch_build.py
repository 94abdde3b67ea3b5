# SPDX-License-Identifier: BSD-3-Clause
"""Builds the wheel with configure and make, and puts configure into the sdist.

PYSTUCK_CONFIGURE has further arguments for configure, such as --without-static-deps.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "librpyc-ssl.so.0"


class Autotools(BuildHookInterface):
    """Runs autogen.sh, configure and make."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what goes into the wheel or the sdist."""
        root = Path(self.root)
        if version == "editable":
            sys.exit(
                "pystuck cannot be installed as editable: run ./quickstart, then set "
                f"PYTHONPATH={root}/pystuck_ext:{root}/build/pystuck_ext/.libs"
            )
        if not (root / "configure").exists():
            self._run(root, "./autogen.sh")
        if self.target_name == "wheel":
            self._stage = tempfile.TemporaryDirectory(prefix="pystuck-wheel-")
            self._install(root, Path(self._stage.name))
            self._choose(Path(self._stage.name), build_data)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the staging folder."""
        if self.target_name == "wheel":
            self._stage.cleanup()

    def _run(self, directory: Path, *command: str) -> None:
        if command[0] == "make" and not shutil.which("make"):
            sys.exit("pystuck: make is missing: install make")
        status = subprocess.run(command, cwd=directory, check=False).returncode
        if status:
            sys.exit(f"pystuck: {shlex.join(command)} failed with status {status}: see above")

    def _install(self, root: Path, stage: Path) -> None:
        """Install into the staging folder: the programs in bin, the package in site, and so on."""
        build = root / "build" / f"wheel-{sysconfig.get_config_var('SOABI')}"
        shutil.rmtree(build, ignore_errors=True)  # it may have been made with other options
        build.mkdir(parents=True)
        options = shlex.split(os.environ.get("PYSTUCK_CONFIGURE", ""))
        self._run(
            build, str(root / "configure"), "--quiet", "--with-static-deps", "--prefix=/",
            "--libdir=/lib", "pythondir=/site", f"PYTHON={sys.executable}", *options,
        )  # fmt: skip
        self._run(build, "make", "-s", f"-j{os.cpu_count()}", "install-strip", f"DESTDIR={stage}")

    def _choose(self, stage: Path, build_data: dict[str, Any]) -> None:
        build_data.update(pure_python=False, infer_tag=True)
        included = build_data["force_include"]
        for path in (stage / "site").iterdir():
            # hatchling writes its own metadata, and pip compiles.
            if path.suffix != ".dist-info" and path.name != "__pycache__":
                included[str(path)] = path.name
        if (stage / "lib" / LIBRARY).exists():  # not with --disable-ssl
            included[str((stage / "lib" / LIBRARY).resolve())] = f"pystuck/{LIBRARY}"
        for path in (stage / "bin").iterdir():
            build_data["shared_scripts"][str(path)] = path.name
        # Manuals and completions. Not as a directory, in which hatchling applies "exclude".
        for path in (stage / "share").rglob("*"):
            name = path.relative_to(stage)
            if path.is_file() and name.parts[1] != "doc":
                build_data["shared_data"][str(path)] = str(name)
