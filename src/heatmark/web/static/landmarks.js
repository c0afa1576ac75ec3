// The landmark picker: what is marked (a list with a history), the panel that shows it, and the keys.
import { Viewer } from "./viewer.js";

const COLORS = ["#e8590c", "#1971c2", "#2f9e44", "#9c36b5", "#c2255c", "#0c8599", "#f08c00", "#6741d9", "#5c940d", "#862e9c"];
const METRES = { m: 1, cm: 0.01, mm: 0.001, in: 0.0254, ft: 0.3048 };
const KINDS = { mirror: "mirror pair", interchangeable: "interchangeable", bones: "bone" };
const SIDES = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]];
const NEAR_PX = 5; // a press that moves less is a click

const $ = (id) => document.getElementById(id);
const viewer = new Viewer($("canvas"));

// Landmarks are known by an id here, so that a new name follows everywhere; names are put back when saving.
let state = { name: "", unit: "m", landmarks: [], mirror: [], interchangeable: [], bones: [], parts: {}, sigmas: {} };
let past = [], future = [], savedAs = "", selected = new Set(), moving = false, nextId = 1;

// ---- what is marked -------------------------------------------------------------------------------------------

function change(make) {
  const before = JSON.stringify(state);
  make(state);
  if (JSON.stringify(state) === before) return;
  past.push(before);
  future = [];
  show();
}

function travel(from, to) {
  if (!from.length) return;
  to.push(JSON.stringify(state));
  state = JSON.parse(from.pop());
  selected = new Set([...selected].filter((id) => find(id)));
  show();
}

const find = (id) => state.landmarks.find((landmark) => landmark.id === id);
const nameOf = (id) => find(id)?.name || "?";

function add(point) {
  const taken = new Set(state.landmarks.map((l) => l.name));
  let n = state.landmarks.length + 1;
  while (taken.has(`landmark_${n}`)) n++;
  const id = nextId++;
  change((s) => s.landmarks.push({ id, name: `landmark_${n}`, point }));
  select([id]);
  rename(id);
}

function remove(ids) {
  const gone = new Set(ids);
  change((s) => {
    s.landmarks = s.landmarks.filter((l) => !gone.has(l.id));
    for (const kind of ["mirror", "bones"]) s[kind] = s[kind].filter((group) => !group.some((id) => gone.has(id)));
    s.interchangeable = s.interchangeable.map((g) => g.filter((id) => !gone.has(id))).filter((g) => g.length > 1);
    for (const part of Object.keys(s.parts)) s.parts[part] = s.parts[part].filter((id) => !gone.has(id));
    for (const id of gone) delete s.sigmas[id];
  });
  select([...selected].filter((id) => !gone.has(id)));
}

function join(kind) {
  const ids = state.landmarks.filter((l) => selected.has(l.id)).map((l) => l.id);
  const wanted = kind === "interchangeable" ? ids.length >= 2 : ids.length === 2;
  if (!wanted) return say(`Select ${kind === "interchangeable" ? "two or more" : "two"} landmarks first (Ctrl click in the list).`, true);
  change((s) => {
    const same = (group) => group.length === ids.length && group.every((id) => ids.includes(id));
    if (s[kind].some(same)) s[kind] = s[kind].filter((group) => !same(group)); // a second time takes it back
    else if (kind === "bones") s.bones.push(ids);
    else s[kind] = [...s[kind].filter((group) => !group.some((id) => ids.includes(id))), ids];
  });
}

function select(ids) {
  selected = new Set(ids);
  if (selected.size !== 1) moving = false;
  show();
}

// ---- what the server holds ------------------------------------------------------------------------------------

function opened(description) {
  const ids = {};
  state.landmarks = Object.entries(description.landmarks).map(([name, point]) => ({ id: (ids[name] = nextId++), name, point }));
  state.name = description.name;
  state.unit = description.unit;
  for (const kind of Object.keys(KINDS)) state[kind] = (description[kind] || []).map((group) => group.map((name) => ids[name]));
  for (const [part, names] of Object.entries(description.parts || {})) state.parts[part] = names.map((name) => ids[name]);
  for (const [name, sigma] of Object.entries(description.sigmas || {})) state.sigmas[ids[name]] = sigma;
}

function posted() {
  const groups = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, state[kind].map((group) => group.map(nameOf))]));
  const parts = Object.entries(state.parts).filter(([, ids]) => ids.length);
  return {
    name: state.name, unit: state.unit, ...groups,
    landmarks: state.landmarks.map(({ name, point }) => ({ name, point })),
    parts: Object.fromEntries(parts.map(([part, ids]) => [part, ids.map(nameOf)])),
    sigmas: Object.fromEntries(Object.entries(state.sigmas).map(([id, sigma]) => [nameOf(Number(id)), sigma])),
  };
}

async function save() {
  if (!state.landmarks.length) return say("There is no landmark yet: click on the mesh to put one.", true);
  document.activeElement?.blur();
  const sent = JSON.stringify(state);
  let answer;
  $("save").textContent = "Saving …";
  $("save").disabled = true;
  try {
    const response = await fetch("landmarks", { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(posted()) });
    answer = await response.json();
  } catch {
    answer = { error: "the server does not answer; is `heatmark landmarks` still running?" };
  }
  $("save").textContent = "Save";
  if (answer.error) {
    show();
    say(`Not saved: ${answer.error}`, true);
    const named = state.landmarks.filter((l) => answer.error.includes(`'${l.name}'`));
    if (named.length) select(named.map((l) => l.id));
    return;
  }
  savedAs = sent;
  show();
  say(`Saved ${answer.landmarks} landmark${answer.landmarks === 1 ? "" : "s"} of a ${length(answer.size_m)} long ${state.name}.`);
}

// ---- the panel --------------------------------------------------------------------------------------------------

const color = (index) => COLORS[index % COLORS.length];
const length = (metres) => metres >= 1 ? `${metres.toPrecision(3)} m` : metres >= 0.01 ? `${(metres * 100).toPrecision(3)} cm` : `${(metres * 1000).toPrecision(3)} mm`;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function show() {
  if ($("name") !== document.activeElement) $("name").value = state.name;
  $("unit").value = state.unit;
  $("length").textContent = viewer.size ? `${length(viewer.size * METRES[state.unit])} long` : "";
  $("count").textContent = state.landmarks.length || "";
  $("empty").hidden = state.landmarks.length > 0;
  showList();
  $("groups").replaceChildren(...Object.keys(KINDS).flatMap((kind) => state[kind].map((group) => relation(kind, group))));
  const n = selected.size;
  document.querySelector('[data-act="mirror"]').disabled = document.querySelector('[data-act="bone"]').disabled = n !== 2;
  document.querySelector('[data-act="interchangeable"]').disabled = n < 2;
  $("selecting").textContent = n > 1 ? `${n} selected.` : state.landmarks.length > 1 ? "Ctrl click in the list selects several." : "";
  $("undo").disabled = !past.length;
  $("redo").disabled = !future.length;
  const dirty = JSON.stringify(state) !== savedAs;
  $("save").disabled = !dirty || !state.landmarks.length;
  $("saved").textContent = !state.landmarks.length ? "" : dirty ? "Not saved yet." : `Saved to ${$("saved").dataset.out}`;
  $("saved").className = dirty ? "soft" : "good";
  $("canvas").classList.toggle("moving", moving);
  $("hint").textContent = moving ? `Click where “${nameOf([...selected][0])}” belongs. Esc: leave it.`
    : state.landmarks.length ? "" : "Click on the surface to put a landmark. Drag turns, the wheel zooms.";
  place(true);
}

// A row of the list is made once and brought up to date, so that a field being typed in is left alone.
const rows = new Map();

function row(landmark, index) {
  const item = rows.get(landmark.id) ?? newRow(landmark.id);
  const [, input, bin] = item.children;
  if (input !== document.activeElement) input.value = landmark.name;
  const twice = state.landmarks.some((other) => other !== landmark && other.name === landmark.name);
  input.classList.toggle("wrong", twice || !landmark.name);
  input.title = twice ? "another landmark has this name" : "";
  bin.ariaLabel = `delete ${landmark.name}`;
  item.classList.toggle("selected", selected.has(landmark.id));
  item.style.setProperty("--color", color(index));
  return item;
}

function newRow(id) {
  const input = element("input", { type: "text", className: "grow", maxLength: 64, spellcheck: false, ariaLabel: "name" });
  const take = () => change(() => { const l = find(id); if (l) l.name = input.value.trim(); });
  input.onchange = take;
  input.onblur = take;
  input.onkeydown = (event) => {
    if (event.key === "Escape") input.value = nameOf(id);
    if (event.key === "Enter" || event.key === "Escape") { event.stopPropagation(); input.blur(); $("canvas").focus(); }
  };
  input.onfocus = () => { if (!selected.has(id)) select([id]); };
  const bin = element("button", { className: "quiet", textContent: "✕", title: "Delete" });
  bin.onclick = () => remove([id]);
  const item = element("li", {}, element("i", { className: "dot" }), input, bin);
  item.onpointerdown = (event) => {
    const several = event.ctrlKey || event.metaKey || event.shiftKey;
    if (event.target === bin || (event.target === input && !several)) return;
    event.preventDefault();
    const many = new Set(several ? selected : []);
    if (!many.delete(id)) many.add(id);
    select(many);
  };
  rows.set(id, item);
  return item;
}

// Puts the rows in order without taking a focused one out of the page.
function showList() {
  const wanted = state.landmarks.map(row);
  for (const item of [...$("list").children]) if (!wanted.includes(item)) item.remove();
  wanted.forEach((item, at) => { if ($("list").children[at] !== item) $("list").insertBefore(item, $("list").children[at] ?? null); });
}

function relation(kind, group) {
  const undo = element("button", { className: "quiet", textContent: "✕", title: "Take apart" });
  undo.onclick = () => change((s) => (s[kind] = s[kind].filter((other) => other !== group)));
  const who = group.map(nameOf).join(kind === "bones" ? " – " : kind === "mirror" ? " ⇄ " : ", ");
  return element("li", {}, element("span", { className: "kind", textContent: KINDS[kind] }), element("span", { className: "who", textContent: who }), undo);
}

function rename(id) {
  const input = rows.get(id).children[1];
  input.focus();
  input.select();
}

function say(text, fault = false) {
  $("toast").textContent = text;
  $("toast").classList.toggle("fault", fault);
  $("toast").hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => ($("toast").hidden = true), fault ? 9000 : 4000);
}

// ---- markers over the mesh ------------------------------------------------------------------------------------

const markers = new Map();

function place(rested = false) {
  if (!viewer.size) return;
  for (const [id, marker] of markers) if (!find(id)) { marker.remove(); markers.delete(id); }
  const spots = new Map();
  state.landmarks.forEach((landmark, index) => {
    const marker = markers.get(landmark.id) ?? newMarker(landmark.id);
    const spot = viewer.project(landmark.point);
    spots.set(landmark.id, spot);
    marker.hidden = !spot.front;
    marker.style.transform = `translate(${spot.x}px, ${spot.y}px)`;
    marker.style.setProperty("--color", color(index));
    marker.firstChild.textContent = landmark.name;
    marker.classList.toggle("selected", selected.has(landmark.id));
    if (rested) marker.classList.toggle("behind", viewer.hidden(landmark.point));
  });
  const lines = Object.keys(KINDS).flatMap((kind) => state[kind].flatMap((group) => group.slice(1).map((id, i) => line(kind, spots.get(group[i]), spots.get(id)))));
  $("lines").replaceChildren(...lines);
}

function line(kind, a, b) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [key, value] of Object.entries({ x1: a.x, y1: a.y, x2: b.x, y2: b.y, class: kind })) drawn.setAttribute(key, value);
  return drawn;
}

function newMarker(id) {
  const marker = element("div", { className: "marker", title: "drag: move · Del: delete" }, element("span"));
  marker.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) return select(selected.has(id) ? [...selected].filter((i) => i !== id) : [...selected, id]);
    select([id]);
    $("canvas").focus();
    marker.setPointerCapture(event.pointerId);
    const from = [event.clientX, event.clientY], before = JSON.stringify(state);
    let dragged = false;
    marker.onpointermove = (move) => {
      dragged ||= Math.hypot(move.clientX - from[0], move.clientY - from[1]) > NEAR_PX;
      const point = dragged && viewer.pick(move.clientX, move.clientY, move.shiftKey);
      if (!point) return;
      find(id).point = point;
      place();
    };
    marker.onpointerup = marker.onpointercancel = () => {
      marker.onpointermove = marker.onpointerup = marker.onpointercancel = null;
      if (JSON.stringify(state) === before) return;
      past.push(before);
      future = [];
      show();
    };
  };
  marker.addEventListener("wheel", (event) => $("canvas").dispatchEvent(new WheelEvent("wheel", event)), { passive: true });
  markers.set(id, marker);
  $("markers").append(marker);
  return marker;
}

// ---- mouse and keys ---------------------------------------------------------------------------------------------

let pressed = null;
$("canvas").addEventListener("pointerdown", (event) => (pressed = event.button === 0 ? [event.clientX, event.clientY] : null));
$("canvas").addEventListener("pointerup", (event) => {
  if (!pressed || Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > NEAR_PX) return;
  pressed = null;
  const point = viewer.pick(event.clientX, event.clientY, event.shiftKey);
  if (!point) return select([]);
  if (!moving) return add(point);
  moving = false;
  const [id] = selected;
  change(() => (find(id).point = point));
});
$("canvas").addEventListener("pointermove", (event) => {
  if (event.buttons || hovering || viewer.large) return;
  hovering = requestAnimationFrame(() => {
    hovering = null;
    const point = viewer.size && viewer.pick(event.clientX, event.clientY);
    $("canvas").classList.toggle("on-mesh", Boolean(point));
    $("where").textContent = point ? `${point.map((v) => v.toPrecision(4)).join("  ")} ${state.unit}` : "";
  });
});
let hovering = null;

function turnOn(button, on) {
  document.querySelector(`[data-act="${button}"]`).classList.toggle("on", on);
}

const ACTS = {
  save, undo: () => travel(past, future), redo: () => travel(future, past),
  mirror: () => join("mirror"), interchangeable: () => join("interchangeable"), bone: () => join("bones"),
  frame: () => viewer.frame(),
  up: () => { viewer.setUp("XYZ"[("XYZ".indexOf(viewer.up) + 1) % 3]); viewer.frame(); $("up").textContent = viewer.up; },
  texture: () => { viewer.setTexture(!viewer.textured); turnOn("texture", viewer.textured); },
  wires: () => { viewer.setWires(!viewer.wires); turnOn("wires", viewer.wires); },
  help: () => ($("help").hidden = !$("help").hidden),
};
for (const button of document.querySelectorAll("[data-act]")) button.onclick = () => ACTS[button.dataset.act]();

function step(by) {
  const all = state.landmarks.map((l) => l.id);
  if (!all.length) return;
  const at = all.indexOf([...selected].at(-1));
  select([all[at < 0 ? 0 : (at + by + all.length) % all.length]]);
}

const KEYS = {
  f: ACTS.frame, u: ACTS.up, t: ACTS.texture, w: ACTS.wires, "?": ACTS.help, h: ACTS.help,
  p: ACTS.mirror, g: ACTS.interchangeable, b: ACTS.bone,
  m: () => { moving = selected.size === 1; show(); },
  Delete: () => remove(selected), Backspace: () => remove(selected),
  ArrowDown: () => step(1), ArrowUp: () => step(-1),
  Enter: () => selected.size && rename([...selected][0]), F2: () => selected.size && rename([...selected][0]),
  Escape: () => { if (moving) { moving = false; show(); } else if (!$("help").hidden) ACTS.help(); else select([]); },
};
SIDES.forEach((side, i) => (KEYS[String(i + 1)] = () => viewer.frame(side)));

document.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    const act = { s: save, z: event.shiftKey ? ACTS.redo : ACTS.undo, y: ACTS.redo }[key];
    if (act && !(key !== "s" && event.target.matches?.("input"))) { event.preventDefault(); act(); }
    return;
  }
  if (event.altKey || event.target.matches?.("input, select")) return;
  if (KEYS[key]) { event.preventDefault(); KEYS[key](); }
});

$("name").onchange = () => change((s) => (s.name = $("name").value.trim()));
$("unit").onchange = () => change((s) => (s.unit = $("unit").value));
window.addEventListener("beforeunload", (event) => { if (past.length && JSON.stringify(state) !== savedAs) event.preventDefault(); });

// ---- start ----------------------------------------------------------------------------------------------------

viewer.onframe = () => place();
viewer.onrest = () => place(true);

async function start() {
  const answer = await (await fetch("landmarks")).json();
  if (answer.error) throw new Error(answer.error);
  await viewer.load("mesh");
  $("file").textContent = answer.mesh;
  $("saved").dataset.out = answer.out;
  $("up").textContent = viewer.up;
  turnOn("texture", true);
  opened(answer.description);
  if (state.landmarks.length) savedAs = JSON.stringify(state);
  show();
  document.body.dataset.ready = "yes";
}

start().catch((error) => say(error.message, true));
