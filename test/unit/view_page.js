// The script of the page's upper edge, run without a browser: what a person sees after a press.
// usage: node view_page.js FILE; prints what went wrong, ends with 1 then.
"use strict";
const fs = require("fs"), vm = require("vm");
const source = fs.readFileSync(process.argv[2], "utf8").match(/<script[^>]*>([\s\S]*)<\/script>/)[1];

function page() {
  const made = { now: 0, timers: [], sent: [], parts: {}, socket: null };
  const part = (id) => (made.parts[id] ||= {
    textContent: "", hidden: true, on: {}, flags: {},
    classList: { toggle: (name, on) => { part(id).flags[name] = on; } },
    addEventListener: (name, done) => { part(id).on[name] = done; },
  });
  class Line {
    static OPEN = 1;
    constructor() { this.readyState = 1; made.socket = this; }
    send(word) { made.sent.push(word); }
  }
  const later = (done, wait, every) => { made.timers.push({ done, at: made.now + wait, wait, every }); return made.timers.at(-1); };
  const world = {
    document: { getElementById: part }, location: { pathname: "/token/", host: "here" },
    WebSocket: Line, Date: { now: () => made.now }, JSON,
    setTimeout: (done, wait) => later(done, wait, false),
    setInterval: (done, wait) => later(done, wait, true),
    clearTimeout: (timer) => { made.timers = made.timers.filter((t) => t !== timer); },
    matchMedia: () => ({ matches: dark }),
  };
  vm.runInNewContext(source, world);
  made.socket.onopen();
  made.pass = (wait) => {
    for (const end = made.now + wait; made.now < end;) {
      made.now += 100;
      for (const timer of made.timers.filter((t) => t.at <= made.now)) {
        if (timer.every) timer.at += timer.wait;
        else made.timers = made.timers.filter((t) => t !== timer);
        timer.done();
      }
    }
  };
  made.hear = (news) => made.socket.onmessage({ data: JSON.stringify(news) });
  made.press = (how, event = {}) => made.parts.stop.on[how](event);
  made.urgent = () => (made.parts.urgent && !made.parts.urgent.hidden ? made.parts.urgent.textContent : "");
  made.frozen = () => !made.parts.still || !made.parts.still.hidden;
  return made;
}

let dark = false;
const wrong = [];
function check(what, holds) { if (!holds) wrong.push(what); }

for (const [how, event] of [["pointerdown"], ["click"], ["keydown", { key: "Enter" }]]) {
  const shown = page();
  shown.press(how, event);
  check(`${how} sends stop`, shown.sent[0] === "stop");
  shown.pass(900);
  check(`${how}: silent before a second`, shown.urgent() === "");
  shown.pass(300);
  check(`${how}: emergency stop after a second`, shown.urgent().includes("emergency stop"));
  shown.hear({ said: "stopped" });
  check(`${how}: an answer takes it away`, shown.urgent() === "");
}
check("a viewer's scene is light", page().parts.scene.src === "scene/");
dark = true;
check("or dark, as that viewer's browser", page().parts.scene.src === "scene/?darkMode");
check("and what is around it, too", page().parts.scheme.content === "dark");
let shown = page();
shown.press("click");
shown.hear({ said: "released", to: "reset" });
shown.pass(1200);
check("the answer to a release is none to a stop", shown.urgent().includes("emergency stop"));
shown = page();
shown.press("click");
shown.socket.onclose();
check("a line that is lost meanwhile says it at once", shown.urgent().includes("emergency stop"));
shown = page();
shown.socket.readyState = 3;
shown.press("click");
check("so does one that was lost before", shown.urgent().includes("emergency stop"));
shown = page();
shown.hear({ frozen: false });
shown.pass(2000);
check("a page with signs of life is not frozen", !shown.frozen());
shown.pass(2000);
check("without one it is", shown.frozen());
shown.hear({ frozen: false });
check("and again with one it is not", !shown.frozen());
shown.hear({ frozen: true });
check("a page behind says so", shown.frozen());
console.log(wrong.join("\n"));
process.exitCode = wrong.length ? 1 : 0;
