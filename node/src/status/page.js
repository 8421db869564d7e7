// The status page: one WebSocket to the node that served it. `gear_subscribeRounds` tells each level of each round as it is
// reached, `gear_network` and `gear_programs` are asked now and then for the rest. Times are the node's, not the browser's.
// What the network says is put into the page as text only.
"use strict";

const POLL_MS = 2000;
const PROGRAMS_MS = 5000;
const KEPT = 128;
const SHOWN_ROUNDS = 8;
const SHOWN_BATCHES = 12;
const ANSWER_MS = 10000;
const LEVELS = ["executed", "certified", "finalized"];
const STEPS = ["signing", "ready", "committed", "settled"];
const WVARA_DECIMALS = 12;
const ETH_DECIMALS = 18;
// Upper ends of the histograms' bars, in milliseconds.
const BARS = [50, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 5000, Infinity];

const find = (id) => document.getElementById(id);

// ---- What is shown, written as text -------------------------------------------------------------------------------

const grouped = (number) => number.toLocaleString("en");

/** An amount in base units, a number or a string of digits, with up to `digits` decimals. */
function amount(units, decimals, digits = 4) {
  let value;
  try {
    value = BigInt(units);
  } catch {
    return "?";
  }
  const one = 10n ** BigInt(decimals);
  const rest = (value % one).toString().padStart(decimals, "0").slice(0, digits).replace(/0+$/, "");
  if (value > 0n && value < one && rest === "") return `< 0.${"0".repeat(digits - 1)}1`;
  return grouped(value / one) + (rest === "" ? "" : `.${rest}`);
}

function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60e3) return `${(ms / 1000).toFixed(ms < 10e3 ? 2 : 0)} s`;
  if (ms < 3600e3) return `${Math.floor(ms / 60e3)} min`;
  return `${Math.floor(ms / 3600e3)} h`;
}

const short = (hex) => (typeof hex === "string" && hex.length > 15 ? `${hex.slice(0, 8)}…${hex.slice(-6)}` : String(hex));

const plural = (count, one, many = `${one}s`) => `${grouped(count)} ${count === 1 ? one : many}`;

/** Sets a text if it is another, so that nothing that is read or selected is disturbed. */
function text(node, value) {
  const written = String(value);
  if (node.textContent !== written) node.textContent = written;
}

function element(name, className, content) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (content !== undefined) node.textContent = String(content);
  return node;
}

function shape(svg, name, attributes, content) {
  const node = document.createElementNS(svg.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  if (content !== undefined) node.textContent = String(content);
  return node;
}

/**
 * Rows of a table, by key: those that stay are kept, and only what differs is written. `cells` gives for each cell a text, or
 * a function that fills it. The first one names the row.
 */
function rows(id, items, keyOf, cells) {
  const table = find(id);
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    let row = known.get(key);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.key = key;
      heads.forEach((head, place) => {
        const cell = element(place === 0 ? "th" : "td", head.className);
        if (place === 0) cell.scope = "row";
        row.append(cell);
      });
    }
    cells(item).forEach((content, place) => {
      if (typeof content === "function") content(row.cells[place]);
      else text(row.cells[place], content);
    });
    return row;
  });
  if (wanted.length !== body.rows.length || wanted.some((row, place) => body.rows[place] !== row)) body.replaceChildren(...wanted);
  for (const empty of document.querySelectorAll(".empty")) {
    if (empty.dataset.for === id) empty.classList.toggle("shown", items.length === 0);
  }
}

/** A hash or address: short, and whole for whoever points at it. */
const hash = (value) => (cell) => {
  let code = cell.querySelector("code");
  if (!code) {
    code = element("code");
    cell.replaceChildren(code);
  }
  text(code, short(value));
  code.title = String(value);
};

/** A part of a whole, as a bar and in numbers. */
const share = (part, whole, what) => (cell) => {
  let box = cell.firstElementChild;
  if (!box) {
    box = element("div", "share");
    box.append(element("meter"), element("span"));
    cell.replaceChildren(box);
  }
  const [meter, label] = box.children;
  const ratio = whole > 0 ? part / whole : 0;
  meter.max = 1;
  meter.low = 0.67;
  meter.high = 0.9;
  meter.optimum = 1;
  meter.value = ratio;
  meter.setAttribute("aria-label", what);
  text(label, whole > 0 ? `${part} of ${whole}` : "–");
};

// ---- What is known ------------------------------------------------------------------------------------------------

/** Rounds of the best chain by number. */
const rounds = new Map();
let network = null;
let programs = null;
/** Where the page of programs begins that is shown. */
let page = null;

function keepNewest() {
  const numbers = [...rounds.keys()].sort((a, b) => a - b);
  for (const number of numbers.slice(0, Math.max(0, numbers.length - KEPT))) rounds.delete(number);
}

/** A level of a round, as the subscription tells it. */
function onLevel({ level, at, block, anchor }) {
  let round = rounds.get(block.number);
  if (!round || round.hash !== block.hash) {
    if (level !== "executed") return;
    // Another fork is the best now: what was above has left it.
    for (const number of rounds.keys()) if (number >= block.number) rounds.delete(number);
    round = { number: block.number, hash: block.hash, anchor: anchor.number, executed: at };
    rounds.set(block.number, round);
    keepNewest();
  } else if (!round[level]) {
    round[level] = at;
  }
  changed();
}

function onNetwork(answer) {
  network = answer;
  for (const { block, anchor, ...told } of answer.rounds) {
    const before = rounds.get(block.number);
    const round = before && before.hash === block.hash ? before : { number: block.number, hash: block.hash, anchor: anchor.number };
    // The subscription may have told of a level since this answer was made.
    for (const [key, value] of Object.entries(told)) if (value !== null) round[key] = value;
    rounds.set(block.number, round);
  }
  keepNewest();
  changed();
}

// ---- The page -----------------------------------------------------------------------------------------------------

const newestFirst = () => [...rounds.values()].sort((a, b) => b.number - a.number);

const took = (round, level) => (round[level] && round.executed ? Math.max(0, round[level] - round.executed) : null);

const within = (sorted, part) => (sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)]);

function times(list, level) {
  // A round that was certified before this node had executed it says nothing of the network.
  return list.map((round) => took(round, level)).filter((ms) => ms !== null).sort((a, b) => a - b);
}

function showTiles(list, latency) {
  const last = (level) => list.find((round) => round[level]);
  for (const [level, id] of [["executed", "round"], ["certified", "certified"], ["finalized", "finalized"]]) {
    const round = last(level);
    text(find(id), round ? grouped(round.number) : "–");
  }
  const oldest = list[list.length - 1];
  const seconds = list.length > 1 ? (list[0].executed - oldest.executed) / 1000 : 0;
  text(find("rate"), seconds > 0 ? `${((list.length - 1) / seconds).toFixed(1)} a second` : "\u00a0");
  for (const level of ["certified", "finalized"]) {
    const half = within(latency[level], 0.5);
    text(find(`${level}-after`), half === null ? "\u00a0" : `half within ${duration(half)}`);
  }
  const ended = list.reduce((sum, round) => sum + (round.messages || 0), 0);
  text(find("messages"), seconds > 0 ? `${(ended / seconds).toFixed(1)}/s` : "–");
  text(find("messages-of"), `${grouped(ended)} in ${plural(list.length, "round")}`);
  if (!network) return;
  const { anchor, lag } = network.ethereum;
  text(find("anchor"), anchor ? grouped(anchor.number) : "–");
  text(find("lag"), lag === null ? "Ethereum is not seen" : `${plural(lag, "block")} behind its head`);
  const settled = network.batches.filter((batch) => batch.state === "settled");
  text(find("settled"), settled.length > 0 ? `#${grouped(settled[0].nonce)}` : "–");
  const waits = network.batches.filter((batch) => STEPS.indexOf(batch.state) >= 0 && batch.state !== "settled").length;
  text(find("unsettled"), waits > 0 ? `${plural(waits, "batch", "batches")} on the way` : "nothing on the way");
}

function showStrip(list) {
  const svg = find("strip");
  const columns = list.slice(0, 64).reverse();
  const [width, height, gap] = [10, 88, 2];
  svg.setAttribute("viewBox", `0 0 ${64 * width} ${height}`);
  const most = Math.max(1, ...columns.map((round) => round.messages || 0));
  const place = 64 - columns.length;
  svg.replaceChildren(
    ...columns.map((round, at) => {
      const level = [...LEVELS].reverse().find((one) => round[one]) || "executed";
      // A quiet round is seen too.
      const tall = 8 + ((height - 8) * Math.log1p(round.messages || 0)) / Math.log1p(most);
      const column = shape(svg, "rect", {
        x: (place + at) * width,
        y: height - tall,
        width: width - gap,
        height: tall,
        rx: 1.5,
        class: level,
      });
      column.append(shape(svg, "title", {}, `Round ${round.number}: ${level}, ${plural(round.messages || 0, "message")}`));
      return column;
    }),
  );
  if (list.length > 0) {
    svg.setAttribute("aria-label", `The newest ${columns.length} rounds, the last of them ${list[0].number}; at most ${plural(most, "message")} in one`);
  }
}

function showRounds(list) {
  rows(
    "rounds",
    list.slice(0, SHOWN_ROUNDS),
    (round) => round.hash,
    (round) => [
      grouped(round.number),
      round.messages === undefined ? "…" : grouped(round.messages),
      round.gas === undefined ? "…" : amount(round.gas, 0, 0),
      grouped(round.anchor),
      duration(took(round, "certified")),
      duration(took(round, "finalized")),
    ],
  );
}

function showHistogram(id, sorted, level) {
  const svg = find(id);
  const [width, height, foot, head] = [390, 120, 16, 12];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const counts = BARS.map(() => 0);
  for (const ms of sorted) counts[BARS.findIndex((end) => ms < end)] += 1;
  const most = Math.max(1, ...counts);
  const step = width / BARS.length;
  const parts = [shape(svg, "line", { x1: 0, x2: width, y1: height - foot, y2: height - foot })];
  counts.forEach((count, place) => {
    const tall = ((height - foot - head) * count) / most;
    const middle = (place + 0.5) * step;
    if (count > 0) {
      parts.push(
        shape(svg, "rect", { x: place * step + 2, y: height - foot - tall, width: step - 4, height: tall, rx: 2, class: "bar-of" }),
        shape(svg, "text", { x: middle, y: height - foot - tall - 3, "text-anchor": "middle" }, count),
      );
    }
    const end = BARS[place];
    const label = end === Infinity ? "more" : end < 1000 ? String(end) : `${end / 1000} s`;
    parts.push(shape(svg, "text", { x: middle, y: height - 3, "text-anchor": "middle" }, label));
  });
  svg.replaceChildren(...parts);
  const said = sorted.length === 0
    ? `No ${level} round yet`
    : `${plural(sorted.length, "round")} ${level}: half within ${duration(within(sorted, 0.5))}, 99 of 100 within ${duration(within(sorted, 0.99))}`;
  svg.setAttribute("aria-label", said);
}

function showLatency(latency) {
  showHistogram("to-certified", latency.certified, "certified");
  showHistogram("to-finalized", latency.finalized, "finalized");
  rows(
    "latency",
    Object.entries(latency),
    ([level]) => level,
    ([level, sorted]) => [level, grouped(sorted.length), ...[0.5, 0.9, 0.99].map((part) => duration(within(sorted, part)))],
  );
}

function showValidators({ set }) {
  text(find("set"), `Set ${grouped(set.id)}, ${plural(set.validators.length, "validator")}`);
  const whole = set.validators.reduce((sum, one) => sum + one.weight, 0);
  rows(
    "validators",
    set.validators,
    (one) => one.address,
    (one) => [
      hash(one.address),
      whole > 0 ? `${((100 * one.weight) / whole).toFixed(1)} %` : "–",
      share(one.rounds, set.rounds, "Rounds signed"),
      share(one.batches, set.batches, "Batches signed"),
    ],
  );
}

const batchState = (batch) => (cell) => {
  let box = cell.firstElementChild;
  if (!box) {
    box = element("span", "state");
    const steps = element("span", "steps");
    steps.setAttribute("aria-hidden", "true");
    steps.append(...STEPS.map(() => element("i")));
    box.append(steps, element("span"));
    cell.replaceChildren(box);
  }
  box.dataset.state = batch.state;
  const reached = STEPS.indexOf(batch.state);
  [...box.children[0].children].forEach((step, place) => step.classList.toggle("on", place <= reached));
  text(box.children[1], batch.state);
  const since = (level) => (batch[level] && batch.signing ? `${level} after ${duration(batch[level] - batch.signing)}` : "");
  box.title = ["ready", "committed", "settled"].map(since).filter(Boolean).join(", ");
};

function showBatches({ batches, set }) {
  rows(
    "batches",
    batches.slice(0, SHOWN_BATCHES),
    (batch) => batch.digest,
    (batch) => [
      grouped(batch.nonce),
      batchState(batch),
      hash(batch.digest),
      batch.programs === null ? "–" : grouped(batch.programs),
      batch.signatures > 0 ? `${batch.signatures} of ${set.validators.length}` : "–",
      duration(batch.age),
    ],
  );
}

const programStatus = (program) => (cell) => {
  const tag = cell.firstElementChild || element("span", "tag");
  if (!tag.parentNode) cell.replaceChildren(tag);
  const ended = program.status === "exited" || program.status === "terminated";
  text(tag, program.starved ? "waits for balance" : program.status);
  tag.className = `tag${program.starved ? " warn" : ended ? " off" : ""}`;
};

function showPrograms() {
  if (!programs) return;
  rows(
    "programs",
    programs.programs,
    (program) => program.program_id,
    (program) => [
      hash(program.program_id),
      programStatus(program),
      hash(program.code_id),
      `${amount(program.executable_balance, WVARA_DECIMALS, 3)} wVARA`,
      `${amount(program.balance, ETH_DECIMALS)} ETH`,
      grouped(program.queue),
    ],
  );
  find("first").hidden = page === null;
  find("next").hidden = programs.next === null;
}

function showNetwork() {
  text(find("name"), network.name);
  text(find("router"), network.router);
  text(find("genesis"), network.genesis);
  text(find("chain-id"), String(network.chain_id));
  text(find("version"), `gear-exe ${network.version}`);
  document.title = `${network.name} – Gear.exe`;
  text(find("starved"), network.starved > 0 ? `${plural(network.starved, "program")} waiting for executable balance` : "\u00a0");
  const alarms = find("alarms");
  alarms.hidden = network.alarms.length === 0;
  text(alarms, alarms.hidden ? "" : `This node asks for attention: ${network.alarms.map((name) => String(name).replaceAll("_", " ")).join(", ")}. Its log says more.`);
  showValidators(network);
  showBatches(network);
}

let drawing = false;

/** Draws soon, once for all that changes meanwhile. */
function changed() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const list = newestFirst();
    const latency = { certified: times(list, "certified"), finalized: times(list, "finalized") };
    showTiles(list, latency);
    showStrip(list);
    showRounds(list);
    showLatency(latency);
    if (network) showNetwork();
    showPrograms();
  });
}

function say(state, words) {
  document.body.dataset.state = state;
  const pill = find("connection");
  pill.dataset.state = state;
  text(pill, words);
}

// ---- The connection -----------------------------------------------------------------------------------------------

class Connection {
  constructor() {
    this.waiting = new Map();
    this.last = 0;
    this.pause = 500;
    this.timers = [];
    this.subscription = null;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/`);
    this.socket = socket;
    socket.onopen = () => this.begin();
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => {
      if (this.socket === socket) this.lost();
    };
  }

  lost() {
    this.timers.forEach(clearInterval);
    this.timers = [];
    this.subscription = null;
    for (const { fail } of this.waiting.values()) fail(new Error("the connection is lost"));
    this.waiting.clear();
    say("lost", "Disconnected, trying again");
    setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(2 * this.pause, 8000);
  }

  ask(method, params = []) {
    this.last += 1;
    const id = this.last;
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error("there is no connection"));
    return new Promise((done, fail) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        fail(new Error(`${method} is not answered`));
        // A node that is silent is as good as gone.
        this.socket.close();
      }, ANSWER_MS);
      const end = (then) => (value) => {
        clearTimeout(timer);
        then(value);
      };
      this.waiting.set(id, { done: end(done), fail: end(fail) });
      this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  take(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.method === "gear_roundLevel") {
      if (message.params.subscription !== this.subscription) return;
      if (message.params.error) this.subscribe();
      else onLevel(message.params.result);
      return;
    }
    const waiting = this.waiting.get(message.id);
    if (!waiting) return;
    this.waiting.delete(message.id);
    if (message.error) waiting.fail(new Error(message.error.message));
    else waiting.done(message.result);
  }

  async begin() {
    // The node may be another, or have lost what it knew.
    rounds.clear();
    if (!(await this.refresh(KEPT))) return;
    this.pause = 500;
    say("live", "Live");
    this.subscribe();
    this.refreshPrograms();
    this.timers = [
      setInterval(() => this.refresh(16), POLL_MS),
      setInterval(() => this.refreshPrograms(), PROGRAMS_MS),
    ];
  }

  async subscribe() {
    try {
      this.subscription = await this.ask("gear_subscribeRounds");
    } catch {
      this.subscription = null;
    }
  }

  async refresh(most) {
    try {
      onNetwork(await this.ask("gear_network", [most]));
      return true;
    } catch {
      return false;
    }
  }

  async refreshPrograms() {
    const asked = page;
    try {
      const answer = await this.ask("gear_programs", [asked, 20]);
      if (asked !== page) return;
      programs = answer;
      changed();
    } catch {
      // The next time.
    }
  }
}

const connection = new Connection();

find("next").addEventListener("click", () => {
  if (!programs || programs.next === null) return;
  page = programs.next;
  connection.refreshPrograms();
});
find("first").addEventListener("click", () => {
  page = null;
  connection.refreshPrograms();
});
