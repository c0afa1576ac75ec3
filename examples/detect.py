"""Find a hammer's landmarks in a photograph with a shipped detector, and draw them. Needs the core install
only.
"""

from pathlib import Path

import heatmark as hm
from heatmark import zoo
from heatmark.imaging import decode, encode_jpeg
from heatmark.runtime.draw import overlay

photograph = zoo.photographs("hammer")[0]
detector = hm.load("hammer")
poses = detector(photograph, second_look=True)

for name, (x, y), score in zip(poses.skeleton.landmarks, poses.points[0], poses.scores[0]):
    print(f"{name:11} x {x:6.1f}  y {y:6.1f}  score {score:.2f}")

picture = decode(photograph.read_bytes(), photograph.name)
Path("hammer-overlay.jpg").write_bytes(encode_jpeg(overlay(picture, poses)))
print(f"hammer-overlay.jpg, in {detector.latency.total:.1f} ms")
