// The demo's page: windows of what is typed, for each method, and a continuation as it comes.
// Text reaches the page by textContent alone.
"use strict";

const EXAMPLES = {
  Prose:
    "The windows of the old house looked out over the harbour, where the fishermen were mending " +
    "their nets. Nobody remembered who had built it, or why the stairs led to a door that could " +
    "not be opened.",
  Code: 'def fibonacci(n):\n    """Return the n-th number."""\n    a, b = 0, 1\n' +
    "    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
  Unicode: "Größe: naïve façade — 漢字 and 🙂 take several bytes a character.",
};
const WAIT_MS = 200; // after a key, before windows are asked for
const HINT = "Point at a window, or go to the text and use the arrow keys.";
const encoder = new TextEncoder();
const at = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Appends text: line ends get a sign, control characters and bytes that are no UTF-8 (which come
 * as lone surrogates, U+DC00 + byte) are spelt in hexadecimal. */
function spell(parent, text) {
  for (const part of text.split(/(\n|[\p{Cc}\p{Cs}])/u)) {
    if (part === "") continue;
    if (part === "\n") parent.append(make("s", "", "↵"), "\n");
    else if (part === "\t") parent.append(make("s", "", "→"), "\t");
    else if (/^[\p{Cc}\p{Cs}]$/u.test(part)) {
      const byte = (part.charCodeAt(0) & 0xff).toString(16).padStart(2, "0");
      parent.append(make("code", "", `\\x${byte}`));
    } else parent.append(part);
  }
}

async function post(path, body, signal) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new Error(answer.error || `The server answers ${response.status}.`);
  }
  return response;
}

function say(error) {
  return error instanceof TypeError ? "The server does not answer: is eiw demo still running?" : error.message;
}

/** A method's card: totals, coloured text, and a line on the chosen window. */
class Card {
  constructor(method, onTotals) {
    this.method = method;
    this.onTotals = onTotals;
    this.bytesPerToken = 0;
    this.root = make("section", "method");
    this.root.dataset.method = method.name;
    const title = make("h3", "", method.method);
    title.id = `title-${method.name}`;
    title.append(" ", make("small", "", method.name));
    this.totals = make("dl", "totals");
    this.bar = make("i");
    const bar = make("div", "bar");
    bar.setAttribute("aria-hidden", "true");
    bar.append(this.bar);
    this.text = make("div", "text");
    this.text.tabIndex = 0;
    this.text.setAttribute("role", "group");
    this.text.setAttribute("aria-labelledby", title.id);
    this.problem = make("p", "problem");
    this.problem.hidden = true;
    this.detail = make("p", "detail", HINT);
    this.detail.setAttribute("role", "status");
    this.root.setAttribute("aria-labelledby", title.id);
    this.root.append(title, this.totals, bar, this.problem, this.text, this.detail);
    const over = (event) => {
      const span = event.target.closest(".w");
      if (span) this.choose(this.spans.indexOf(span));
    };
    this.text.addEventListener("pointerover", over);
    this.text.addEventListener("click", over);
    this.text.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!move || !this.spans.length) return;
      event.preventDefault();
      const last = this.spans.length - 1;
      const next = this.chosen === null ? 0 : this.chosen + move;
      this.choose(Math.min(Math.max(next, 0), last));
      this.spans[this.chosen].scrollIntoView({ block: "nearest" });
    });
    this.clear();
  }

  clear() {
    this.spans = [];
    this.chosen = null;
    this.text.replaceChildren();
    this.totals.replaceChildren();
    this.detail.textContent = HINT;
    this.bytesPerToken = 0;
  }

  /** Asks for the newest text; while an answer is on its way, what is typed waits. */
  async show(text) {
    this.wanted = text;
    if (this.busy) return;
    this.busy = true;
    while (this.wanted !== undefined) {
      const asked = this.wanted;
      this.wanted = undefined;
      const slow = setTimeout(() => this.root.classList.add("waiting"), 150);
      try {
        const response = await post("api/windows", { method: this.method.name, text: asked });
        this.draw(await response.json());
        this.problem.hidden = true;
      } catch (error) {
        this.clear();
        this.detail.textContent = "";
        this.problem.textContent = say(error);
        this.problem.hidden = false;
      }
      clearTimeout(slow);
      this.root.classList.remove("waiting");
      this.onTotals();
    }
    this.busy = false;
  }

  draw(cut) {
    this.clear();
    this.cut = cut;
    for (const piece of cut.pieces) {
      const span = make("span", "w");
      spell(span, piece.text);
      if (piece.room && piece.bits !== null)
        span.style.setProperty("--used", `${Math.min(100, (100 * piece.bits) / piece.room)}%`);
      this.spans.push(span);
    }
    this.text.append(...this.spans);
    this.bytesPerToken = cut.bytes_per_token || 0;
    this.total("tokens", count(cut.tokens));
    if (!cut.tokens) return;
    this.total("bytes/token", cut.bytes_per_token.toFixed(2));
    this.total("code bits/byte", ((cut.tokens * cut.bits_per_token) / cut.bytes).toFixed(2));
    if (cut.pieces.every((piece) => piece.room && piece.bits !== null)) {
      const used = cut.pieces.reduce((sum, piece) => sum + piece.bits, 0);
      const room = cut.pieces.reduce((sum, piece) => sum + piece.room, 0);
      this.total("of bits used", `${((100 * used) / room).toFixed(0)}%`);
    }
    if (!cut.lossless) this.detail.textContent = "These codes do not decode to your text: this compressor loses some.";
  }

  total(name, value) {
    const box = make("div");
    box.append(make("dt", "", name), make("dd", "", value));
    this.totals.append(box);
  }

  choose(index) {
    if (index === this.chosen) return;
    if (this.chosen !== null) this.spans[this.chosen].classList.remove("chosen");
    this.chosen = index;
    this.spans[index].classList.add("chosen");
    const piece = this.cut.pieces[index];
    const [first, end] = piece.codes;
    const codes = this.cut.codes.slice(first, end);
    const shown = codes.slice(0, 12).map(count).join(" · ") + (codes.length > 12 ? " …" : "");
    const bits = Math.log2(this.method.codes);
    const binary = Number.isInteger(bits) && codes.length <= 4
      ? ` = ${codes.map((code) => code.toString(2).padStart(bits, "0")).join(" ")}` : "";
    const what = piece.room ? "window" : this.spans.length === this.cut.tokens ? "code" : "part";
    const text = make("b", "w");
    text.style.setProperty("--c", getComputedStyle(this.spans[index]).getPropertyValue("--c"));
    spell(text, piece.text.length > 80 ? `${piece.text.slice(0, 80)}…` : piece.text);
    this.detail.replaceChildren(
      text,
      ` · ${what} ${count(index + 1)} of ${count(this.spans.length)} · ${count(piece.bytes)} byte${piece.bytes === 1 ? "" : "s"} · `,
      make("b", "", `code${codes.length === 1 ? "" : "s"} ${shown}${binary}`),
      ` of ${count(this.method.codes)}`,
    );
    if (piece.bits !== null) {
      const used = piece.bits.toFixed(1);
      this.detail.append(" · ", make("b", "", piece.room
        ? `${used} of ${piece.room} bits used` : `${used} bits of information`));
    }
    if (this.cut.by_information) this.detail.append(" · set beside the codes by M1's information");
  }
}

let facts, cards, timer;

function textChanged() {
  const size = encoder.encode(at("text").value).length;
  at("size").textContent = `${count(size)} of ${count(facts.max_text)} bytes`;
  at("size").classList.toggle("problem", size > facts.max_text);
  clearTimeout(timer);
  timer = setTimeout(showWindows, WAIT_MS);
}

function showWindows() {
  for (const card of cards) card.show(at("text").value);
}

function drawBars() {
  const most = Math.max(...cards.map((card) => card.bytesPerToken), 1);
  for (const card of cards) card.bar.style.width = `${(100 * card.bytesPerToken) / most}%`;
}

/** Lines of JSON, as they come. */
async function* lines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

const ENDS = { end: "the model ended the text", max_bytes: "as long as asked for", time: "out of time" };
let stopper = null;

async function goOn(event) {
  event.preventDefault();
  if (stopper) return;
  stopper = new AbortController();
  at("go").disabled = true;
  at("stop").disabled = false;
  const method = facts.methods.find((each) => each.name === at("method").value);
  const prompt = method.takes_prompts ? at("text").value : "";
  const shown = at("continuation");
  shown.replaceChildren(make("span", "prompt", prompt));
  at("progress").classList.remove("problem");
  at("progress").textContent = "The model reads… the first time it is loaded and compiled, which takes some seconds.";
  let [bytes, steps, ending] = [0, 0, "stopped"];
  let timed = null; // from the second step on, when all is compiled
  const holder = make("span");
  shown.append(holder);
  const progress = (end) => {
    const seconds = timed ? (performance.now() - timed.start) / 1000 : 0;
    const speed = seconds > 0.1 ? `, ${count(Math.round((bytes - timed.bytes) / seconds))} bytes/s` : "";
    at("progress").textContent = `${count(bytes)} bytes in ${count(steps)} steps` +
      `${steps ? ` (${(bytes / steps).toFixed(2)} bytes/step${speed})` : ""}${end ? `; ${end}.` : "…"}`;
  };
  try {
    const response = await post("api/continue", {
      method: method.name,
      prompt,
      temperature: at("temperature").valueAsNumber,
      top_p: at("top_p").valueAsNumber,
      max_bytes: at("max_bytes").valueAsNumber,
      seed: at("seed").valueAsNumber,
    }, stopper.signal);
    for await (const line of lines(response)) {
      if (line.error) throw new Error(line.error);
      if (line.text) {
        const piece = make("span", "w");
        spell(piece, line.text);
        holder.append(piece);
        shown.scrollTop = shown.scrollHeight;
      }
      if (line.done) ending = ENDS[line.done];
      else [bytes, steps] = [line.bytes, line.steps];
      if (steps === 2) timed ||= { start: performance.now(), bytes };
      progress();
    }
    progress(ending);
  } catch (error) {
    if (stopper.signal.aborted) progress("stopped");
    else {
      at("progress").classList.add("problem");
      at("progress").textContent = say(error);
    }
  }
  stopper = null;
  at("go").disabled = false;
  at("stop").disabled = true;
}

function aboutMethod() {
  const method = facts.methods.find((each) => each.name === at("method").value);
  at("about-method").textContent = !method || method.takes_prompts ? "" :
    `${method.method} codes a text as a whole, so the model begins a new one instead of going on with yours; it shows at the end.`;
}

async function begin() {
  try {
    facts = await (await fetch("api/run")).json();
  } catch (error) {
    at("problem").textContent = say(error);
    at("problem").hidden = false;
    return;
  }
  at("run").textContent = facts.run;
  at("left-out").hidden = !Object.keys(facts.left_out).length;
  at("left-out").textContent = Object.entries(facts.left_out).map(([name, why]) => `${name} is left out: ${why}`).join(" ");
  cards = facts.methods.map((method) => new Card(method, drawBars));
  at("methods").append(...cards.map((card) => card.root));
  for (const [name, text] of Object.entries(EXAMPLES)) {
    const button = make("button", "", name);
    button.addEventListener("click", () => { at("text").value = text; textChanged(); });
    at("examples").append(button);
  }
  for (const method of facts.methods.filter((each) => each.has_m2)) {
    const option = make("option", "", `${method.method} (${method.name})`);
    option.value = method.name;
    at("method").append(option);
  }
  at("max_bytes").max = facts.max_bytes;
  if (!at("method").options.length) {
    at("go").disabled = true;
    at("about-method").textContent = "This run has no trained M2.";
  }
  aboutMethod();
  at("text").value ||= EXAMPLES.Prose;
  at("text").addEventListener("input", textChanged);
  at("method").addEventListener("change", aboutMethod);
  at("continue").addEventListener("submit", goOn);
  at("stop").addEventListener("click", () => stopper && stopper.abort());
  textChanged();
}

begin();
