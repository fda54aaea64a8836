// The script of the page's upper edge, run without a browser: what a person sees after a press.
// usage: node view_page.js FILE; prints what went wrong, ends with 1 then.
"use strict";
const fs = require("fs"), vm = require("vm");
const source = fs.readFileSync(process.argv[2], "utf8").match(/<script[^>]*>([\s\S]*)<\/script>/)[1];

function page() {
  const made = { now: 0, ahead: 0, timers: [], sent: [], parts: {}, socket: null, status: 200, reloads: 0 };
  const part = (id) => (made.parts[id] ||= {
    textContent: "", hidden: true, on: {}, flags: {},
    classList: { toggle: (name, on) => { part(id).flags[name] = on; } },
    addEventListener: (name, done) => { part(id).on[name] = done; },
  });
  class Line {
    static OPEN = 1;
    constructor() { this.readyState = 1; made.socket = this; }
    close() { this.readyState = 2; }
    send(word) { made.sent.push(word); }
  }
  const frame = {
    addEventListener: (_, done) => done(), contentDocument: {},
    contentWindow: { location: { reload: () => { made.reloads += 1; } } },
  };
  made.frame = frame;
  const later = (done, wait, every) => { made.timers.push({ done, at: made.now + wait, wait, every }); return made.timers.at(-1); };
  const world = {
    document: { getElementById: part, querySelector: () => frame },
    location: { pathname: "/token/", host: "here", href: "here" },
    fetch: () => ({ then: (done) => done({ status: made.status }) }),
    WebSocket: Line, Date: { now: () => made.now + made.ahead }, JSON,
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
shown = page();
check("the scene connects again without the focus", shown.frame.contentDocument.hasFocus());
let first = shown.socket;
shown.pass(8000);
check("a silent line is kept for a while", shown.socket === first && shown.reloads === 0);
shown.pass(2000);
check("a dead line is replaced, that of the scene, too", shown.socket !== first && shown.reloads === 1);
check("until then nothing is connected", shown.parts.line.textContent.startsWith("NOT CONNECTED"));
shown.socket.onopen();
check("a new line takes the mark away", shown.parts.bar.flags.lost === false);
shown = page();
first = shown.socket;
shown.ahead = -3600_000;
shown.pass(1000);
check("a clock that is set back hides no dead line", shown.socket !== first);
shown = page();
shown.status = 403;
shown.socket.readyState = 3;
shown.socket.onclose();
check("a token of an earlier process has ended", shown.parts.line.textContent.startsWith("THIS LINK HAS ENDED"));
shown.press("click");
check("and its STOP says that it does nothing", shown.urgent().startsWith("NOT CONNECTED"));
shown.socket.readyState = 1;
shown.socket.onopen();
check("a STOP that was not sent is said once there is a line again", shown.urgent().includes("press it again"));
shown.press("click");
check("until it is pressed", shown.sent.length === 1 && shown.urgent() === "");
console.log(wrong.join("\n"));
process.exitCode = wrong.length ? 1 : 0;
