"""The doctor finds what is there and what is not, and never falls ill itself."""

import io
import json
import subprocess

import pytest
from rich.console import Console

from heatmark.commands import doctor
from heatmark.errors import EXTRAS


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they were not installed."""
    real = doctor.find_spec

    def hide(*names: str) -> None:
        monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in names else real(name))

    return hide


def test_the_machine_has_cores_memory_and_a_disk():
    machine = doctor.machine()
    assert 1 <= int(machine["cores"] or 0) <= int(machine["cores_of_machine"] or 0)
    assert float(machine["disk_free_gib"] or -1) >= 0
    assert str(machine["python"]).startswith("3.")


def test_a_missing_extra_comes_with_the_line_that_mends_it(without):
    without("fastapi", "multipart", "ray")
    found = {f.name: f for f in doctor.extras()}
    assert found["web"].what == "missing: fastapi, python-multipart"
    assert found["web"].mend == "pip install 'heatmark[web]'"
    assert found["ray"].mend == "pip install 'heatmark[ray]'"


def test_every_extra_is_looked_at():
    assert [f.name for f in doctor.extras()] == list(dict.fromkeys(EXTRAS.values()))


def test_without_mitsuba_nothing_is_probed(without):
    without("mitsuba")
    (finding,) = doctor.rendering()
    assert not finding.works and finding.mend == "pip install 'heatmark[synth]'"


def test_a_variant_that_does_not_work_says_why_and_how_to_get_it(monkeypatch):
    render = pytest.importorskip("heatmark.synth.render")
    monkeypatch.setattr(
        render, "works", lambda variant: "" if variant == "scalar_rgb" else "it aborted (exit -6)"
    )
    found = {f.name: f for f in doctor.rendering()}
    assert not found["llvm_ad_rgb"].works and "libllvm19" in found["llvm_ad_rgb"].mend
    assert found["llvm_ad_rgb"].what == "it aborted (exit -6)"
    assert found["scalar_rgb"].works and "taken by default" in found["scalar_rgb"].what


def test_a_driver_that_is_not_there_is_said_in_words(monkeypatch):
    render = pytest.importorskip("heatmark.synth.render")
    said = "ImportError: jit_init_thread_state(): the CUDA backend hasn't been initialized. Make sure to call"
    ended = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    assert render.works.__wrapped__("cuda_ad_rgb") == "no NVIDIA driver was found"
    assert render.works.__wrapped__("llvm_ad_rgb") == "no LLVM library was found"


def test_a_broken_package_is_a_finding_not_a_crash():
    def broken() -> str:
        raise OSError("libcudnn.so.9: cannot open shared object file\nand more")

    finding = doctor._tried("onnxruntime", "onnxruntime", broken)
    assert not finding.works and "broken: libcudnn.so.9: cannot open" in finding.what


def test_a_detector_without_its_file_is_not_there(monkeypatch, tmp_path):
    from heatmark import zoo

    (tmp_path / "hammer.onnx").write_bytes(b"x" * 2**20)
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    found = {f.name: f for f in doctor.detectors()}
    assert found["hammer"] == doctor.Finding("hammer", True, "1.0 MiB")
    assert not found["wrench"].works


def test_a_damaged_detector_is_a_finding(monkeypatch, tmp_path):
    from heatmark import zoo
    from heatmark.runtime.seal import sealed

    (tmp_path / "hammer.onnx").write_bytes(sealed(b"weights").replace(b"weights", b"wights!"))
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    hammer = next(f for f in doctor.detectors() if f.name == "hammer")
    assert not hammer.works and hammer.what.startswith("hammer.onnx is damaged")


def test_the_report_is_a_table_and_plain_json(monkeypatch):
    one = (doctor.Finding("a", True, "fine"), doctor.Finding("b", False, "missing", "pip install b"))
    report = doctor.Doctor(doctor.machine(), one, one, one, one)
    assert json.loads(json.dumps(report.to_dict()))["engines"]["b"] == {
        "works": False, "what": "missing", "mend": "pip install b",
    }  # fmt: skip
    screen = io.StringIO()
    Console(file=screen, width=120).print(report)
    assert "pip install b" in screen.getvalue() and "Rendering" in screen.getvalue()
