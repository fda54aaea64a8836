// Search in a page that was opened from a folder: browsers start no worker there, so the script of the
// search runs in a hidden frame.  Over http nothing of this is used.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const answer = "postMessage = data => frameElement.answer(data)";
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.srcdoc = `<script>${answer}</script><script src="${new URL(url, location)}"></script>`;
      frame.answer = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.ready = new Promise((done) => frame.addEventListener("load", () => done(frame.contentWindow)));
      document.body.append(frame);
    }

    postMessage(data) {
      this.ready.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
}
