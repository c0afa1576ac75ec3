// The mesh on the screen: load it, look around, ask which point of the surface lies under the pointer.
import * as THREE from "./vendor/three/three.module.js";
import { OrbitControls } from "./vendor/three/OrbitControls.js";

const MANY_FACES = 300_000; // above, the surface is asked on a click only, not while the mouse moves
const AXES = { X: [1, 0, 0], Y: [0, 1, 0], Z: [0, 0, 1] };

// Inside, the mesh fills a unit box; `centre` and `size` of the header lead to its own coordinates and back.
export class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(35, 1, 0.01, 50);
    this.camera.add(light(0xffffff, 1.7, [-0.6, 0.9, 1]), light(0xdfe8ff, 0.5, [1, -0.4, 0.4]));
    this.scene.add(this.camera, new THREE.HemisphereLight(0xffffff, 0x9a9488, 1.3));
    this.group = new THREE.Group();
    this.scene.add(this.group);
    this.ray = new THREE.Raycaster();
    this.up = "Z";
    this.textured = true;
    this.wires = false;
    this.onframe = () => {};
    this.onrest = () => {};
    this.makeControls();
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    this.resize();
  }

  makeControls() {
    this.controls?.dispose();
    this.camera.up.set(...AXES[this.up]);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.enableDamping = true;
    this.controls.dampingFactor = 0.15;
    this.controls.zoomToCursor = true;
    this.controls.minDistance = 0.05;
    this.controls.maxDistance = 12;
    this.controls.addEventListener("change", () => this.draw());
  }

  resize() {
    const { clientWidth: w, clientHeight: h } = this.canvas.parentElement;
    if (!w || !h) return;
    this.renderer.setSize(w, h, false);
    this.camera.aspect = w / h;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  // Draws once, soon; while damping goes on the controls ask again.
  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      this.controls.update();
      this.renderer.render(this.scene, this.camera);
      this.onframe();
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.onrest(), 90);
    });
  }

  async load(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the mesh did not come: ${response.status}`);
    const buffer = await response.arrayBuffer();
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    this.centre = header.centre;
    this.size = header.size;
    this.extent = header.extent;
    const start = 4 + length;
    for (const part of header.parts) this.group.add(await mesh(part, buffer, start));
    this.large = header.parts.reduce((sum, part) => sum + part.faces[1] / 3, 0) > MANY_FACES;
    const thin = this.extent.indexOf(Math.min(...this.extent));
    this.setUp("XYZ"[thin]); // a thing lying on a table is thinnest upwards
    this.frame();
  }

  setUp(axis) {
    this.up = axis;
    this.makeControls();
  }

  // Look at all of it from a direction (mesh axes); by default from above at a slant.
  frame(direction) {
    const up = new THREE.Vector3(...AXES[this.up]);
    let from = direction ? new THREE.Vector3(...direction) : null;
    if (!from) {
      const others = ["X", "Y", "Z"].filter((axis) => axis !== this.up);
      const across = others.sort((a, b) => this.extent["XYZ".indexOf(a)] - this.extent["XYZ".indexOf(b)])[0];
      from = up.clone().multiplyScalar(1.5).add(new THREE.Vector3(...AXES[across]));
    } else if (Math.abs(from.dot(up)) > 0.99) {
      const aside = up.x ? new THREE.Vector3(0, 0, 1) : new THREE.Vector3(1, 0, 0);
      from.addScaledVector(aside, 0.001); // straight down has no upwards
    }
    const box = new THREE.Box3().setFromObject(this.group);
    const radius = box.getSize(new THREE.Vector3()).length() / 2;
    const narrow = Math.min(1, this.camera.aspect);
    const distance = (radius * 0.87) / Math.sin(((this.camera.fov / 2) * Math.PI) / 180) / narrow;
    this.controls.target.copy(box.getCenter(new THREE.Vector3()));
    this.camera.position.copy(this.controls.target).addScaledVector(from.normalize(), distance);
    this.controls.update();
    this.draw();
  }

  setTexture(on) {
    this.textured = on;
    for (const shown of this.group.children) shown.material = on ? shown.userData.own : shown.userData.grey;
    this.draw();
  }

  // The triangles, drawn over the surface.
  setWires(on) {
    this.wires = on;
    for (const shown of this.group.children) {
      if (on && !shown.children.length) shown.add(wires(shown.geometry));
      for (const net of shown.children) net.visible = on;
    }
    this.draw();
  }

  // The point of the surface under a place of the screen, in the mesh's coordinates; or null.
  // inside: halfway between where the line of sight enters the solid and where it leaves.
  pick(clientX, clientY, inside = false) {
    const frame = this.canvas.getBoundingClientRect();
    const x = ((clientX - frame.left) / frame.width) * 2 - 1;
    const y = 1 - ((clientY - frame.top) / frame.height) * 2;
    this.ray.setFromCamera(new THREE.Vector2(x, y), this.camera);
    const hits = this.ray.intersectObjects(this.group.children, false);
    if (!hits.length) return null;
    const point = hits[0].point.clone();
    const exit = hits.find((hit) => hit.distance > hits[0].distance + 1e-4);
    if (inside && exit) point.add(exit.point).multiplyScalar(0.5);
    return this.outward(point);
  }

  outward(point) {
    return [point.x, point.y, point.z].map((value, axis) => value * this.size + this.centre[axis]);
  }

  inward(point) {
    return new THREE.Vector3(...point.map((value, axis) => (value - this.centre[axis]) / this.size));
  }

  // Where a point of the mesh is on the stage, in CSS pixels; `front` is false behind the camera.
  project(point) {
    const place = this.inward(point).project(this.camera);
    const { clientWidth: w, clientHeight: h } = this.canvas;
    return { x: ((place.x + 1) / 2) * w, y: ((1 - place.y) / 2) * h, front: place.z < 1 };
  }

  // Whether the surface hides the point from the camera.
  hidden(point) {
    if (this.large) return false;
    const place = this.inward(point);
    const way = place.clone().sub(this.camera.position);
    const distance = way.length();
    this.ray.set(this.camera.position, way.normalize());
    const hits = this.ray.intersectObjects(this.group.children, false);
    return hits.length > 0 && hits[0].distance < distance - 0.01;
  }
}

function light(color, strength, [x, y, z]) {
  const lamp = new THREE.DirectionalLight(color, strength);
  lamp.position.set(x, y, z);
  return lamp;
}

async function mesh(part, buffer, start) {
  const geometry = new THREE.BufferGeometry();
  const floats = ([offset, count]) => new Float32Array(buffer, start + offset, count);
  geometry.setAttribute("position", new THREE.BufferAttribute(floats(part.vertices), 3));
  geometry.setIndex(new THREE.BufferAttribute(new Uint32Array(buffer, start + part.faces[0], part.faces[1]), 1));
  if (part.uv) geometry.setAttribute("uv", new THREE.BufferAttribute(floats(part.uv), 2));
  if (part.normals) geometry.setAttribute("normal", new THREE.BufferAttribute(floats(part.normals), 3));
  else geometry.computeVertexNormals();
  const look = { roughness: 0.75, metalness: 0, side: THREE.DoubleSide };
  const own = new THREE.MeshStandardMaterial({ ...look, color: new THREE.Color().setRGB(...part.color, THREE.SRGBColorSpace) });
  if (part.texture !== null) {
    own.map = await new THREE.TextureLoader().loadAsync(`textures/${part.texture}`);
    own.map.colorSpace = THREE.SRGBColorSpace;
    own.map.wrapS = own.map.wrapT = THREE.RepeatWrapping;
    own.map.anisotropy = 8;
  }
  own.polygonOffset = true; // the triangles' edges lie on it
  own.polygonOffsetFactor = own.polygonOffsetUnits = 1;
  const shown = new THREE.Mesh(geometry, own);
  const grey = own.clone();
  grey.map = null;
  grey.color.set(0xb4bac2);
  shown.userData = { own, grey };
  return shown;
}

function wires(geometry) {
  return new THREE.Mesh(geometry, new THREE.MeshBasicMaterial({ color: 0x0b1f33, wireframe: true, transparent: true, opacity: 0.35 }));
}
