"""COCO's JSON judged as it stands in the file, before any reader has changed it: a fault says the field and
the numbers that its author wrote (COCO pixels, counted from 0).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import DataError, UserError
from ..types import Skeleton
from .coco import SLACK
from .faults import Fault
from .records import read_json


def judged(file: Path) -> tuple[dict[str, list] | None, list[Fault]]:
    """The file's three lists, None where they cannot be had, and every fault of their fields."""
    raw, found = _parsed(file)
    if raw is not None:
        skeletons = dict(_categories(raw["categories"], file.name, found))
        sizes = _pictures(raw["images"], file.name, found)
        _annotations(raw["annotations"], file.name, sizes, skeletons, found)
    return raw, found


def named_pictures(raw: dict[str, list]) -> list[tuple[dict, int]]:
    """The pictures that can be looked for, and how many annotations each has."""
    instances = Counter(_key(a, "image_id") for a in raw["annotations"] if _plain(a))
    pictures = (p for p in raw["images"] if _plain(p) and _named(p) and not _leaves(p["file_name"]))
    return [(picture, instances[_key(picture, "id")]) for picture in pictures]


def counted(raw: dict[str, list]) -> Counter[str]:
    """Pictures, instances (of them crowds, and unlabelled ones) and landmarks by visibility."""
    annotations = [a for a in raw["annotations"] if _plain(a)]
    flags = Counter(v for a in annotations for v in _flags(a) if _flag(v))
    crowd = [a.get("iscrowd") == 1 for a in annotations]
    bare = [not any(_flag(v) and v for v in _flags(a)) for a in annotations]
    counts = Counter(pictures=len(raw["images"]), instances=len(raw["annotations"]))
    counts.update(crowds=sum(crowd), unlabelled=sum(b and not c for b, c in zip(bare, crowd)))
    return counts + Counter(seen=flags[2], hidden=flags[1], absent=flags[0])


def _parsed(annotations: Path) -> tuple[dict[str, list] | None, list[Fault]]:
    """The file's three lists, or why there are none."""
    name = annotations.name

    def fault(what: str, field: str = "") -> tuple[None, list[Fault]]:
        return None, [Fault(name, "", field, what)]

    try:
        raw = read_json(annotations)
    except DataError as error:
        return fault(str(error).removeprefix(f"{annotations}: "))
    if not isinstance(raw, dict):
        return fault(f"wanted an object with images, annotations and categories, got a {type(raw).__name__}")
    lists: dict[str, list] = {}
    found = []
    for field in ("images", "annotations", "categories"):
        if not isinstance(raw.get(field), list):
            came = "nothing" if field not in raw else f"a {type(raw[field]).__name__}"
            found.append(Fault(name, "", field, f"wanted a list, got {came}"))
            continue
        lists[field] = raw[field]
        found += [
            Fault(name, f"{field}[{i}]", "", f"wanted an object, got {item!r:.60}")
            for i, item in enumerate(raw[field])
            if not _plain(item)
        ]
        if not raw[field]:
            found.append(Fault(name, "", field, "is an empty list"))
    return (lists, found) if len(lists) == 3 else (None, found)


def _categories(categories: list, file: str, found: list[Fault]) -> Iterator[tuple[Any, Skeleton | None]]:
    """(id, skeleton) of each category; a skeleton that cannot be built is None, and its faults are noted."""
    for category in filter(_plain, categories):
        key = _key(category, "id")
        where = f"category {key!r}" if "name" not in category else f"category {category['name']!r}"

        def fault(field: str, what: str, where: str = where) -> None:
            found.append(Fault(file, where, field, what))

        if not isinstance(key, int):
            fault("id", f"wanted a whole number, got {key!r}")
        names = category.get("keypoints")
        if names is None:
            yield key, None  # a category of boxes only
            continue
        if not (isinstance(names, list) and names and all(isinstance(n, str) and n for n in names)):
            fault("keypoints", f"wanted a list of names, got {names!r:.80}")
            yield key, None
            continue
        before = len(found)
        for twice in sorted({n for n in names if names.count(n) > 1}):
            fault("keypoints", f"names {twice!r} twice")
        for bone in _list(category, "skeleton", fault):
            if not (isinstance(bone, list) and len(bone) == 2 and all(isinstance(k, int) for k in bone)):
                fault("skeleton", f"wanted a pair of numbers, got {bone!r}")
            elif not all(1 <= k <= len(names) for k in bone):
                fault("skeleton", f"{bone} is outside 1..{len(names)} (landmarks are counted from 1)")
        _named_groups(category, names, fault)
        built = None
        if len(found) == before:
            groups: dict[str, Any] = {f: category.get(f) or () for f in ("mirror", "interchangeable")}
            try:
                built = Skeleton(str(category.get("name")), tuple(names), **groups)
            except UserError as error:
                fault("", str(error))
        yield key, built
    for twice in _repeated(c.get("id") for c in filter(_plain, categories)):
        found.append(Fault(file, f"category {twice!r}", "id", "is used twice"))


def _named_groups(category: dict, names: list[str], fault: Callable[[str, str], None]) -> None:
    """mirror, interchangeable, parts and sigmas name landmarks that exist and contradict nothing."""

    def known(field: str, members: Iterable) -> None:
        for member in members:
            if member not in names:
                near = get_close_matches(str(member), names, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                fault(field, f"no landmark is called {member!r}{hint}; there are: {', '.join(names)}")

    for field in ("mirror", "interchangeable"):
        groups = [g for g in _list(category, field, fault) if _group(g, field, fault)]
        flat = [n for g in groups for n in g]
        known(field, dict.fromkeys(flat))
        for twice in sorted({str(n) for n in flat if flat.count(n) > 1}):
            fault(field, f"{twice!r} stands in it twice")
    for field in ("parts", "sigmas"):
        mapping = category.get(field) or {}
        if field == "sigmas" and isinstance(mapping, list) and len(mapping) == len(names):
            mapping = dict(zip(names, mapping))  # COCO's own tools list them in the landmarks' order
        if not isinstance(mapping, dict):
            fault(field, f"wanted an object keyed by name, got a {type(mapping).__name__}")
        elif field == "parts":
            for part, members in mapping.items():
                ok = isinstance(members, list)
                known(f"parts.{part}", members if ok else [])
                if not ok:
                    fault(f"parts.{part}", f"wanted a list of landmarks, got {members!r:.60}")
        else:
            known("sigmas", mapping)
            for landmark, sigma in mapping.items():
                if not (is_number(sigma) and sigma > 0):
                    fault(f"sigmas.{landmark}", f"wanted a positive number, got {sigma!r}")
    _mirrored_groups(category, fault)


def _mirrored_groups(category: dict, fault: Callable[[str, str], None]) -> None:
    """What cannot be told apart in a picture cannot be told apart in its mirror image either."""
    listed = {n: v if isinstance(v := category.get(n), list) else [] for n in ("mirror", "interchangeable")}
    pairs = [p for p in listed["mirror"] if isinstance(p, list) and len(p) == 2]
    groups = [set(map(str, g)) for g in listed["interchangeable"] if isinstance(g, list)]
    other = {a: b for p in pairs for a, b in (map(str, p), map(str, p[::-1]))}
    for group in groups:
        image = {other.get(n, n) for n in group}
        if image not in groups:
            said = ", ".join(sorted(group))
            fault(
                "interchangeable", f"({said}) would mirror to ({', '.join(sorted(image))}), which is no group"
            )


def _pictures(pictures: list, file: str, found: list[Fault]) -> dict[Any, tuple[float, float] | None]:
    """id -> declared (H, W), or None where it is not usable."""
    sizes: dict[Any, tuple[float, float] | None] = {}
    for i, picture in enumerate(pictures):
        if not _plain(picture):
            continue
        where = f"image {picture.get('id', f'[{i}]')}"
        if not isinstance(picture.get("id"), int):
            found.append(Fault(file, where, "id", f"wanted a whole number, got {picture.get('id')!r}"))
            continue
        if not _named(picture):
            found.append(Fault(file, where, "file_name", f"wanted a name, got {picture.get('file_name')!r}"))
        elif _leaves(picture["file_name"]):
            found.append(
                Fault(file, where, "file_name", f"{picture['file_name']!r} leaves the dataset's folder")
            )
        w, h = picture.get("width"), picture.get("height")
        sizes[picture["id"]] = (h, w) if is_number(h) and is_number(w) and h > 0 and w > 0 else None
        for field, value in (("width", w), ("height", h)):
            if not (isinstance(value, int) and value > 0):
                found.append(Fault(file, where, field, f"wanted pixels, got {value!r}"))
    for field in ("id", "file_name"):
        for twice in _repeated(p.get(field) for p in pictures if _plain(p)):
            found.append(Fault(file, f"image {twice!r}", field, "is used twice"))
    return sizes


def _annotations(annotations: list, file: str, sizes: dict, skeletons: dict, found: list[Fault]) -> None:
    for i, one in enumerate(annotations):
        if not _plain(one):
            continue
        where = f"annotation {one.get('id', f'[{i}]')}"

        def fault(field: str, what: str, where: str = where) -> None:
            found.append(Fault(file, where, field, what))

        if not isinstance(one.get("id"), int):
            fault("id", f"wanted a whole number, got {one.get('id')!r}")
        image, category = _key(one, "image_id"), _key(one, "category_id")
        if image not in sizes:
            fault("image_id", f"no image has the id {one.get('image_id')!r}")
        size = sizes.get(image)
        _box(one, size, fault)
        if not (one.get("area") is None or is_number(one["area"]) and one["area"] >= 0):
            fault("area", f"wanted a finite number of 0 or more, got {one['area']!r:.60}")
        if one.get("iscrowd", 0) not in (0, 1):
            fault("iscrowd", f"wanted 0 or 1, got {one['iscrowd']!r:.60}")
        if category not in skeletons:
            fault(
                "category_id",
                f"no category has the id {one.get('category_id')!r}; there are: {_ids(skeletons)}",
            )
        elif (skeleton := skeletons[category]) is not None:
            _keypoints(one, skeleton, size, fault)
    for twice in _repeated(a.get("id") for a in annotations if _plain(a)):
        found.append(Fault(file, f"annotation {twice!r}", "id", "is used twice"))


def _box(one: dict, size: tuple | None, fault: Callable[[str, str], None]) -> None:
    box = one.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(is_number(v) for v in box)):
        fault("bbox", f"wanted four finite numbers x, y, w, h, got {box!r:.80}")
        return
    x, y, w, h = box
    if w <= 0 or h <= 0:
        fault("bbox", f"has no area: {w:g} x {h:g}")
    elif size is not None:
        picture = f"the picture's {size[1]:g} x {size[0]:g}"
        if x >= size[1] or y >= size[0] or x + w <= 0 or y + h <= 0:
            fault("bbox", f"{box} lies outside {picture}")
        elif min(x, y) < -SLACK or x + w > size[1] + SLACK or y + h > size[0] + SLACK:
            fault("bbox", f"{box} reaches beyond {picture}")


def _keypoints(one: dict, skeleton: Skeleton, size: tuple | None, fault: Callable[[str, str], None]) -> None:
    flat, k = one.get("keypoints"), len(skeleton)
    if flat is None and not one.get("num_keypoints"):
        return  # an instance with a box only
    if not isinstance(flat, list) or len(flat) != 3 * k:
        came = f"{len(flat)} numbers" if isinstance(flat, list) else repr(flat)
        fault("keypoints", f"wanted 3 x {k} numbers for {', '.join(skeleton.landmarks)}, got {came}")
        return
    for landmark, x, y, v in zip(skeleton.landmarks, flat[0::3], flat[1::3], flat[2::3]):
        field = f"keypoints.{landmark}"
        if not _flag(v):
            fault(field, f"visibility must be 0 (absent), 1 (hidden) or 2 (seen), got {v!r}")
        elif not (is_number(x) and is_number(y)):
            if v or not all(isinstance(c, (int, float)) or c is None for c in (x, y)):
                fault(field, f"wanted finite numbers, got ({x!r}, {y!r})")
        elif v and size is not None:
            if min(x, y) + 0.5 < -SLACK or x + 0.5 > size[1] + SLACK or y + 0.5 > size[0] + SLACK:
                fault(
                    field, f"({x:g}, {y:g}) with v={v} lies outside the picture's {size[1]:g} x {size[0]:g}"
                )
    labelled = sum(_flag(v) and v > 0 for v in flat[2::3])
    if one.get("num_keypoints", labelled) != labelled:
        fault("num_keypoints", f"says {one['num_keypoints']!r}, but {labelled} have v > 0")


def _group(group: object, field: str, fault: Callable[[str, str], None]) -> bool:
    """Whether it is a pair (mirror) or a group of two or more (interchangeable) names."""
    right = isinstance(group, list) and all(isinstance(n, str) for n in group)
    if not right or (len(group) != 2 if field == "mirror" else len(group) < 2):  # type: ignore[arg-type]
        fault(
            field, f"wanted {'pairs' if field == 'mirror' else 'groups'} of landmark names, got {group!r:.80}"
        )
        return False
    return True


def _list(holder: dict, field: str, fault: Callable[[str, str], None]) -> list:
    value = holder.get(field) or []
    if not isinstance(value, list):
        fault(field, f"wanted a list, got a {type(value).__name__}")
        return []
    return value


def _plain(item: object) -> bool:
    return isinstance(item, dict)


def _named(picture: dict) -> bool:
    return isinstance(picture.get("file_name"), str) and bool(picture["file_name"])


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18  # NaN is not


def _flag(value: object) -> bool:
    return is_number(value) and value in (0, 1, 2)


def _key(item: dict, field: str) -> Any:
    """An id to look up: as it is, or as text where it is of a kind that cannot be one."""
    value = item.get(field)
    return value if value is None or isinstance(value, (int, str)) else repr(value)


def _flags(annotation: dict) -> list:
    flat = annotation.get("keypoints")
    return flat[2::3] if isinstance(flat, list) else []


def _repeated(values: Iterable) -> list:
    counts = Counter(v for v in values if isinstance(v, (int, str)))
    return [value for value, times in counts.items() if times > 1]


def _leaves(name: str) -> bool:
    return Path(name).is_absolute() or ".." in Path(name).parts


def _ids(skeletons: dict) -> str:
    return ", ".join(map(repr, skeletons)) or "none"
