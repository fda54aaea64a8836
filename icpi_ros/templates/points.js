const byId = (name) => document.getElementById(name);
const image = byId("image"), canvas = byId("canvas"), pen = canvas.getContext("2d");
const marks = [];
let chosen = -1, scale = 1;

const round = (value) => Math.round(value * 100) / 100;
const complete = (mark) => ["u", "v", "x", "y", "z"].every((axis) => Number.isFinite(mark[axis]));

function draw() {
  canvas.width = image.naturalWidth * scale;
  canvas.height = image.naturalHeight * scale;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  marks.forEach((mark, n) => {
    // Pixel (0, 0) is the centre of the upper left one, half a pixel inside the image.
    const [x, y] = [(mark.u + 0.5) * scale, (mark.v + 0.5) * scale];
    for (const [colour, width] of [["black", 3], [n === chosen ? "yellow" : "cyan", 1]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 3 * dx, y + 3 * dy);
        pen.lineTo(x + 12 * dx, y + 12 * dy);
      }
      pen.stroke();
    }
    pen.font = "bold 14px sans-serif";
    pen.lineWidth = 3;
    pen.strokeStyle = "black";
    pen.strokeText(`${n + 1}`, x + 8, y - 8);
    pen.fillStyle = n === chosen ? "yellow" : "cyan";
    pen.fillText(`${n + 1}`, x + 8, y - 8);
  });
  byId("size").textContent = `${image.naturalWidth} x ${image.naturalHeight} px, ${round(scale)} times`;
}

function csv() {
  const cell = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const rows = marks.filter(complete).map((m, n) =>
    [round(m.u), round(m.v), m.x, m.y, m.z, cell(m.name || `mark ${n + 1}`)].join(","));
  return ["u,v,x,y,z,name", ...rows].join("\n") + "\n";
}

function say() {
  const done = marks.filter(complete).length;
  byId("text").value = csv();
  const open = marks.length - done;
  byId("said").textContent = `${done} of at least 4 marks` + (open ? `, ${open} without a place` : "");
  byId("save").disabled = done < 4;
}

function choose(n) {
  chosen = n;
  [...byId("rows").rows].forEach((row, at) => row.classList.toggle("chosen", at === n));
  draw();
}

function list() {
  byId("rows").replaceChildren(...marks.map((mark, n) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = `${n + 1}`;
    row.append(head);
    for (const name of ["u", "v", "x", "y", "z", "name"]) {
      const cell = document.createElement("td"), field = document.createElement("input");
      const number = name !== "name";
      field.value = number ? (Number.isFinite(mark[name]) ? mark[name] : "") : mark.name;
      field.setAttribute("aria-label", `${name} of mark ${n + 1}`);
      if (number) Object.assign(field, { type: "number", step: "any", required: true });
      field.addEventListener("focus", () => choose(n));
      field.addEventListener("input", () => {
        mark[name] = number ? (field.value === "" ? NaN : Number(field.value)) : field.value;
        if (!number || Number.isFinite(mark[name])) draw();
        say();
      });
      cell.append(field);
      row.append(cell);
    }
    return row;
  }));
  choose(chosen);
  say();
}

canvas.addEventListener("click", (event) => {
  const box = canvas.getBoundingClientRect();
  // A click's place is a whole number, the upper left corner of a pixel of the screen.
  const u = round((event.clientX + 0.5 - box.left) / scale - 0.5);
  const v = round((event.clientY + 0.5 - box.top) / scale - 0.5);
  marks.push({ u, v, x: NaN, y: NaN, z: 0, name: "" });
  chosen = marks.length - 1;
  list();
  byId("view").focus({ preventScroll: true });
});

byId("view").addEventListener("keydown", (event) => {
  const mark = marks[chosen];
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!mark) return;
  if (event.key in moves) {
    const [du, dv] = moves[event.key], step = event.shiftKey ? 1 : 0.1;
    mark.u = round(mark.u + step * du);
    mark.v = round(mark.v + step * dv);
  } else if (event.key === "Delete") {
    marks.splice(chosen, 1);
    chosen = marks.length - 1;
  } else return;
  event.preventDefault();
  list();
});

byId("zoom").addEventListener("input", (event) => {
  scale = 2 ** Number(event.target.value);
  draw();
});

byId("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "points.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});

image.decode().then(list);
