// The detector's page: a picture or webcam frame goes to POST /detect, the points that come back are drawn on it.

const COLORS = ["#00c8ff", "#ff9f00", "#00dc82", "#ff5a5a", "#f0e442", "#cc79ff", "#78aaff", "#ff8cc8"]; // as in overlays
const LONGEST_FRAME = 960; // px of a webcam frame that is sent
const HIDDEN_BELOW = 2; // visibility: 2 seen, 1 hidden, 0 absent

const $ = (id) => document.getElementById(id);
let models = [], examples = {}, camera = null;
let last = null; // { picture, found }: what is on the screen, to draw again when the threshold moves

async function ask(blob, name) {
  const again = $("second").checked && (camera ? "live" : true);
  const query = new URLSearchParams({ model: $("model").value, second_look: again });
  let response;
  try {
    response = await fetch(`detect?${query}`, { method: "POST", body: blob, headers: { "content-type": blob.type || "application/octet-stream" } });
  } catch {
    throw new Error("the server does not answer; is `heatmark serve` still running?");
  }
  const answer = await response.json();
  if (answer.error) throw new Error(answer.error.replace(/^picture(?=:)/, name));
  return answer;
}

async function look(blob, name) {
  stop();
  $("toast").hidden = true;
  $("stage").classList.add("busy");
  try {
    const start = performance.now();
    const [found, picture] = await Promise.all([ask(blob, name), createImageBitmap(blob, { imageOrientation: "from-image" }).catch(() => null)]);
    if (!picture) throw new Error(`${name}: this browser cannot show it; the points are in the table`);
    last = { picture, found, blob, name, round: performance.now() - start };
    draw();
  } catch (error) {
    say(error.message);
  } finally {
    $("stage").classList.remove("busy");
  }
}

function draw() {
  const { picture, found } = last;
  const [h, w] = found.size, canvas = $("canvas"), scale = Math.max(1, 640 / Math.max(h, w));
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  canvas.hidden = false;
  $("empty").hidden = true;
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const unit = Math.max(canvas.width, canvas.height) / 640, least = Number($("threshold").value);
  const model = models.find((m) => m.name === found.model);
  for (const instance of found.instances) {
    if (model.task === "dense") { // boxes, and no points
      const [x1, y1, x2, y2] = instance.box.map((v) => v * scale);
      if (instance.score >= least) stroke(pen, () => pen.rect(x1, y1, x2 - x1, y2 - y1), COLORS[0], 1.5 * unit);
      continue;
    }
    const there = (name) => { const p = instance.points[name]; return p && p.x !== null && p.score >= least ? p : null; };
    for (const [a, b] of model.bones.map((bone) => bone.map(there))) {
      if (!a || !b) continue;
      stroke(pen, () => { pen.moveTo(a.x * scale, a.y * scale); pen.lineTo(b.x * scale, b.y * scale); }, "#ffffff", 2 * unit);
    }
    model.landmarks.forEach((name, k) => { const p = there(name); if (p) dot(pen, p, name, COLORS[k % COLORS.length], scale, unit); });
  }
  showTable(found, model, least);
}

function stroke(pen, path, color, width) {
  for (const [c, w] of [["rgba(0,0,0,0.6)", width * 2], [color, width]]) {
    pen.beginPath(); path(); pen.strokeStyle = c; pen.lineWidth = w; pen.stroke();
  }
}

function dot(pen, point, name, color, scale, unit) {
  const x = point.x * scale, y = point.y * scale, radius = 6 * unit;
  stroke(pen, () => pen.arc(x, y, radius, 0, 2 * Math.PI), color, 2.5 * unit);
  if (point.visibility >= HIDDEN_BELOW) { pen.beginPath(); pen.arc(x, y, radius * 0.5, 0, 2 * Math.PI); pen.fillStyle = color; pen.fill(); }
  pen.font = `600 ${Math.round(13 * unit)}px system-ui, sans-serif`;
  const text = `${name} ${point.score.toFixed(2)}`, wide = pen.measureText(text).width + 8 * unit;
  const left = x + 12 * unit + wide > pen.canvas.width ? x - 12 * unit - wide : x + 12 * unit;
  pen.fillStyle = "rgba(16,16,16,0.75)";
  pen.fillRect(left, y - 10 * unit, wide, 20 * unit);
  pen.fillStyle = color;
  pen.textBaseline = "middle";
  pen.fillText(text, left + 4 * unit, y);
}

function showTable(found, model, least) {
  const rows = model.task === "dense" ? boxRows(found.instances, least) : found.instances.flatMap((instance) => model.landmarks.map((name, k) => {
    const p = instance.points[name], row = document.createElement("tr");
    const cells = [name, p.x === null ? "–" : `${p.x.toFixed(1)}, ${p.y.toFixed(1)}`, (p.score ?? 0).toFixed(2)];
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    const mark = Object.assign(document.createElement("i"), { className: "dot" });
    mark.style.background = COLORS[k % COLORS.length];
    row.firstChild.prepend(mark);
    row.classList.toggle("faint", p.x === null || p.score < least);
    return row;
  }));
  $("points").tBodies[0].replaceChildren(...rows);
  const ms = found.latency_ms, inside = ms ? ms.decode + ms.network + ms.points : 0;
  const rate = camera ? ` · ${(1000 / camera.pace).toFixed(1)} frames/s` : "";
  $("times").textContent = ms ? `decode ${ms.decode.toFixed(1)} + network ${ms.network.toFixed(1)} + points ${ms.points.toFixed(1)} = ${inside.toFixed(0)} ms${rate}` : "";
}

function boxRows(instances, least) {
  const sure = instances.filter((instance) => instance.score >= least);
  return [[`${sure.length} boxes`, "", ""], ...sure.map(({ box, score }) => ["", box.map((v) => v.toFixed(0)).join(", "), score.toFixed(2)])].map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
  });
}

async function start() {
  if (!navigator.mediaDevices) return say("The browser gives its camera to https pages and to 127.0.0.1 only.");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
    const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    camera = { stream, video, pace: 100 };
    $("webcam").classList.add("on");
    $("webcam").textContent = "Stop";
    film(camera);
  } catch (error) {
    say(`No camera: ${error.message}`);
  }
}

// One frame at a time: the next is taken when the points of this one are drawn, so nothing queues up.
async function film(mine) {
  const still = document.createElement("canvas");
  while (camera === mine) {
    const began = performance.now(), { videoWidth: w, videoHeight: h } = mine.video;
    const scale = Math.min(1, LONGEST_FRAME / Math.max(w, h, 1));
    still.width = Math.round(w * scale);
    still.height = Math.round(h * scale);
    still.getContext("2d").drawImage(mine.video, 0, 0, still.width, still.height);
    try {
      const blob = await new Promise((done) => still.toBlob(done, "image/jpeg", 0.85));
      const found = await ask(blob, "webcam");
      if (camera !== mine) return;
      last = { picture: await createImageBitmap(still), found };
      draw();
    } catch (error) {
      say(error.message);
      return stop();
    }
    mine.pace = 0.9 * mine.pace + 0.1 * (performance.now() - began);
    await new Promise(requestAnimationFrame);
  }
}

function stop() {
  camera?.stream.getTracks().forEach((track) => track.stop());
  camera = null;
  $("webcam").classList.remove("on");
  $("webcam").textContent = "Webcam";
}

function say(text) {
  $("toast").textContent = text;
  $("toast").classList.add("fault");
  $("toast").hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => ($("toast").hidden = true), 9000);
}

function showModel() {
  const model = models.find((m) => m.name === $("model").value);
  $("curl").textContent = `curl --data-binary @picture.jpg '${location.origin}/detect?model=${encodeURIComponent(model.name)}'`;
  $("limits").textContent = [model.limits, model.licence && `Licence of the weights: ${model.licence}`].filter(Boolean).join(" ");
  const names = examples[model.name] || [];
  $("tries").hidden = !names.length;
  $("examples").replaceChildren(...names.map((name) => {
    const button = Object.assign(document.createElement("button"), { title: name });
    button.append(Object.assign(document.createElement("img"), { src: `examples/${name}`, alt: name, loading: "lazy" }));
    button.onclick = async () => look(await (await fetch(`examples/${name}`)).blob(), name);
    return button;
  }));
}

const again = () => (last?.blob && !camera ? look(last.blob, last.name) : null);
$("model").onchange = () => { showModel(); again(); };
$("second").onchange = again;
$("threshold").oninput = () => { $("shown").textContent = Number($("threshold").value).toFixed(2); if (last && !camera) draw(); };
$("file").onchange = () => { const [file] = $("file").files; if (file) look(file, file.name); $("file").value = ""; };
$("webcam").onclick = () => (camera ? stop() : start());
$("stage").ondragover = (event) => { event.preventDefault(); $("stage").classList.add("over"); };
$("stage").ondragleave = () => $("stage").classList.remove("over");
$("stage").ondrop = (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) look(file, file.name);
};
document.addEventListener("paste", (event) => { const [file] = event.clipboardData.files; if (file) look(file, file.name); });

async function begin() {
  [models, examples] = await Promise.all(["models", "examples"].map(async (path) => (await fetch(path)).json()));
  $("model").replaceChildren(...models.map((m) => new Option(m.name, m.name)));
  showModel();
  document.body.dataset.ready = "yes";
}

begin().catch((error) => say(error.message));
