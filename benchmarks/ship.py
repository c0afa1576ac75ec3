"""A finished run becomes a shipped detector: exported through the gate, scored on photographs, its card
completed.

    python -m benchmarks.ship RUN TOOL PHOTOGRAPHS

RUN is a training run's folder, TOOL a name of zoo.DETECTORS, PHOTOGRAPHS a labelled dataset of that tool that
the run never saw. The file in src/heatmark/zoo is replaced only where the new one scores at least as well
inside the boxes, or with --anyway. Given a model file in place of a run, the shipped one say, that is scored
anew.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from heatmark import zoo
from heatmark.commands.export import export
from heatmark.commands.graphs import onnx_of, write
from heatmark.runtime import load

from .runs import evaluated

LICENCE = "Apache-2.0; inside: EfficientNet-lite0 (Apache-2.0), trained on ImageNet"
RENDERED_WITH = (
    "26 CC0 environment maps; 500 photographs of everyday things (ImageNet terms) as grounds and backgrounds"
)
LIMITS = (
    "One tool of its kind in the picture or box. Learnt from rendered pictures only; scores fall among many "
    "other tools, on strong truncation, and for shapes its family does not draw."
)


def scores(model: Path, photographs: Path) -> dict[str, float]:
    """PCK@0.1 in fractions, inside labelled boxes and on whole pictures, as the card tells them."""
    inside = evaluated(model, photographs)
    whole = evaluated(model, photographs, boxes="whole", second_look=True)
    return {
        "photographs, in boxes: PCK@0.1": round(inside.result.at(0.1), 4),
        "photographs, in boxes: mean error of the correct, of the box": round(inside.result.error, 4),
        "photographs, whole, second look: PCK@0.1": round(whole.result.at(0.1), 4),
        "photographs": inside.counts["pictures"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("tool", choices=sorted(zoo.DETECTORS))
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--precision", default="fp16")
    parser.add_argument("--anyway", action="store_true", help="replace a better one too")
    given = parser.parse_args()
    target = zoo.folder() / zoo.DETECTORS[given.tool]
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / target.name
        if given.run.suffix == ".onnx":
            shutil.copyfile(given.run, fresh)
        else:
            moved = export(given.run, out=fresh, precision=given.precision).max_shift_px
            print(f"{given.tool}: moved at most {moved:.3f} px by {given.precision}")
        measured = scores(fresh, given.photographs)
        print(f"{given.tool}: {measured}")
        key = "photographs, in boxes: PCK@0.1"
        before = load(target).card.results.get(key, 0.0) if target.exists() else 0.0
        if measured[key] < before and not given.anyway:
            print(f"kept the shipped one: it scores {before:.4f}")
            return
        card = load(fresh).card
        words = {"name": given.tool, "results": card.results | measured, "licence": LICENCE, "limits": LIMITS}
        card = card.model_copy(update=words | {"data": card.data | {"rendered with": RENDERED_WITH}})
        write(onnx_of(fresh), card, fresh)
        shutil.copyfile(fresh, target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
