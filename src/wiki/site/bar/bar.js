// What the bar does where there are scripts: its numbers change, and titles are suggested. Without them it works, too.
(() => {
  "use strict";
  const bar = document.querySelector("peerflix-bar");
  if (!bar) return;
  const template = bar.querySelector("template");
  if (!bar.shadowRoot && template) {
    // A browser from before declarative shadow trees.
    bar.attachShadow({ mode: "open" }).append(template.content);
    template.remove();
  }
  const root = bar.shadowRoot;
  if (!root) return;
  const book = encodeURIComponent(bar.dataset.book);
  const [told, label, had, asked] = ["p", "p span", "b", "i"].map((name) => root.querySelector(name));

  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    let pause = 2000;
    try {
      const doing = await (await fetch(`/peerflix/status.json?book=${book}`)).json();
      label.textContent = doing.label;
      had.textContent = doing.had;
      asked.textContent = doing.asked;
      told.title = doing.sentence;
      if (doing.asked) pause = 700;
    } catch {
      asked.textContent = "peerflix is not running";
      pause = 5000;
    }
    timer = setTimeout(look, pause);
  };
  document.addEventListener("visibilitychange", look);
  look();

  const input = root.querySelector("input[type=search]");
  const list = root.querySelector("datalist");
  const paths = new Map();
  let typing = 0;
  let latest = 0;
  const suggest = async (term) => {
    const number = ++latest;
    const answer = await fetch(`/suggest?content=${book}&count=8&term=${encodeURIComponent(term)}`);
    const found = (await answer.json()).filter((one) => one.kind === "path");
    if (number !== latest) return;
    paths.clear();
    list.replaceChildren(...found.map((one) => {
      paths.set(one.value, one.path);
      const option = document.createElement("option");
      option.value = one.value;
      return option;
    }));
  };
  input.addEventListener("input", (event) => {
    clearTimeout(typing);
    const term = input.value;
    const chosen = event.inputType === undefined || event.inputType === "insertReplacementText";
    if (chosen && paths.has(term)) {
      location.href = bar.dataset.root + paths.get(term).split("/").map(encodeURIComponent).join("/");
      return;
    }
    if (term.trim()) typing = setTimeout(() => suggest(term).catch(() => {}), 150);
  });
})();
