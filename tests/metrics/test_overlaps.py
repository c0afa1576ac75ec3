import numpy as np

from heatmark.metrics.boxes import iou


def test_overlap_of_a_box_with_itself_is_one_and_of_nothing_zero():
    boxes = np.array([[0, 0, 4, 2], [10, 10, 10, 10.0]])
    assert iou(boxes, boxes).tolist() == [[1, 0], [0, 0]]


def test_no_boxes_overlap_nothing():
    assert iou(np.empty((0, 4)), np.ones((3, 4))).shape == (0, 3)
