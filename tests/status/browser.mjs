// A real Chromium with the status page in it, driven by `tests/tests/end_to_end/status.rs`: a line of standard input is a command with
// its arguments, as JSON; the answer is a line `ok` or `error …`. Ends when standard input does.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const PATIENCE = 120_000;
// Chromium says itself that a connection was refused, while the node is down.
const EXPECTED = /^WebSocket connection to .* failed/;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Root may not use its sandbox; what it opens is our own page.
  args: ["--no-sandbox", "--disable-gpu"],
});
const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
context.setDefaultTimeout(PATIENCE);
const page = await context.newPage();
const problems = [];
const asked = new Set();
page.on("console", (message) => {
  const text = message.text();
  if (["error", "warning"].includes(message.type()) && !EXPECTED.test(text)) problems.push(`console: ${text}`);
});
page.on("pageerror", (error) => problems.push(`error: ${error}`));
page.on("request", (request) => asked.add(new URL(request.url()).host));
page.on("response", (response) => {
  if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
});
await page.exposeFunction("violated", (what) => problems.push(`policy: ${what}`));
await page.addInitScript(() => {
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violated(`${event.violatedDirective} ${event.blockedURI}`);
  });
});

const ensure = (holds, what) => {
  if (!holds) throw new Error(what);
};
const number = async (id) => Number((await page.locator(`#${id}`).textContent()).replace(/[^0-9]/g, "") || "0");
const connection = (state) => page.waitForSelector(`#connection[data-state="${state}"]`);
/** Waits until `check` holds in the page. */
const holds = (check, argument) => page.waitForFunction(check, argument, { polling: 100 });
const has = (table, value) =>
  holds(([id, title]) => document.querySelector(`#${id} code[title="${title}"]`) !== null, [table, value.toLowerCase()]);

const commands = {
  async open(url) {
    const response = await page.goto(url);
    ensure(response.ok(), `${url} answers ${response.status()}`);
    const policy = response.headers()["content-security-policy"];
    ensure(policy?.startsWith("default-src 'none'"), `the policy is ${policy}`);
    await page.getByRole("status").first().waitFor();
  },
  async live() {
    await connection("live");
    const before = await number("round");
    await holds((last) => Number(document.getElementById("round").textContent.replace(/\D/g, "")) >= last, before + 4);
    ensure((await page.locator("#strip rect").count()) > 4, "there are no columns of rounds");
  },
  /** Rounds go through their levels, and the histograms have them. */
  async levels() {
    for (const level of ["certified", "finalized"]) {
      await holds((id) => document.querySelectorAll(`#${id} rect`).length > 0, `to-${level}`);
      ensure((await number(level)) > 0, `no round is ${level}`);
      const said = await page.locator(`#to-${level}`).getAttribute("aria-label");
      ensure(/rounds? .*half within/.test(said), said);
    }
    await holds(() => document.querySelectorAll("#strip rect.finalized").length > 0);
    await holds(() => [...document.querySelectorAll("#latency tbody tr")].length === 2);
  },
  async validators(...addresses) {
    for (const address of addresses) await has("validators", address);
    const rows = page.locator("#validators tbody tr");
    ensure((await rows.count()) === addresses.length, "there are others");
    // Everyone signs.
    await holds(() =>
      [...document.querySelectorAll("#validators tbody tr")].every((row) => Number(row.querySelector("meter").value) > 0.5),
    );
  },
  async program(address, balance) {
    await has("programs", address);
    const row = page.locator("#programs tbody tr", { has: page.locator(`code[title="${address.toLowerCase()}"]`) });
    ensure((await row.getByText("active", { exact: true }).count()) === 1, "it is not active");
    ensure((await row.textContent()).includes(balance), `it has not ${balance}: ${await row.textContent()}`);
  },
  async settled() {
    await page.waitForSelector('#batches .state[data-state="settled"]');
    await holds(() => document.getElementById("settled").textContent.startsWith("#"));
  },
  async lost() {
    await connection("lost");
    ensure((await page.getByRole("status").first().textContent()).startsWith("Disconnected"), "it does not say so");
  },
  async alarm(name) {
    await holds((text) => document.getElementById("alarms").textContent.includes(text), name);
  },
  /** What is good for those who do not see it as it was drawn. */
  async readable() {
    for (const landmark of ["banner", "main", "contentinfo"]) {
      ensure((await page.getByRole(landmark).count()) === 1, `there is not one ${landmark}`);
    }
    ensure((await page.locator("th:not([scope])").count()) === 0, "a heading of a table says not of what");
    ensure((await page.locator("svg[role=img]:not([aria-label])").count()) === 0, "a drawing has no name");
    ensure((await page.getByRole("heading", { level: 2 }).count()) >= 5, "sections have no headings");
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await back();
    await page.emulateMedia({ colorScheme: "dark" });
    ensure((await back()) !== light, "dark is as light");
    await page.setViewportSize({ width: 360, height: 740 });
    const [wide, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    ensure(wide <= there, `a phone has to scroll sideways: ${wide} of ${there}`);
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 1200, height: 900 });
  },
  /** Nothing went wrong, and nobody else was asked. */
  async sound(...hosts) {
    ensure(problems.length === 0, problems.join("\n"));
    const others = [...asked].filter((host) => !hosts.includes(host));
    ensure(others.length === 0, `it has asked ${others.join(", ")}`);
  },
  async picture(path) {
    await page.screenshot({ path, fullPage: true });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  try {
    await commands[name](...given);
    console.log("ok");
  } catch (error) {
    const shown = await page.locator("body").innerText().catch(() => "");
    console.log(`error ${JSON.stringify(`${name}: ${error.message}\nproblems: ${problems.join("; ")}\n${shown}`)}`);
  }
}
await browser.close();
