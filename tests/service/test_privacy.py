"""What the service tells others: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_onnx_runtime_does_not_report_home(models_dir: Path, tmp_path: Path) -> None:
    program = (
        "import service.colorizer, onnxruntime\n"
        f"onnxruntime.InferenceSession({str(models_dir / 'v1.onnx')!r})\n"
    )
    # It leaves the id of its session in a file; where tests run it may be quiet by itself.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(tmp_path)},
        check=True,
    )

    assert list(tmp_path.glob(".*")) == []
