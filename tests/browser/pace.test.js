// From commit to paint, and a feed that goes on. Figures are printed for people; nothing here asserts a time, only that all arrives.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { Station, code, eventually } from "./support/station.js";

const SCANS = 200;
const LIMIT_MS = 100;
const FEED_A_SECOND = 20;
const FEED_SECONDS = process.env.BALLOT_INTAKE_LONG ? 600 : 60;
/** Heap that a page may gain over the second half of a feed, in bytes: 600 rows that are kept are more. */
const HEAP_GROWTH_MAX = 100 << 10;

/** Notes when each scan's number was painted: two animation frames after it was written, so that the first of them is on the screen. */
const note_paints = () => {
  window.paints = new Map();
  document.addEventListener("DOMContentLoaded", () => {
    const main = document.getElementById("main");
    new MutationObserver(() => {
      const number = Number(main.dataset.number);
      if (window.paints.has(number)) { return; }
      window.paints.set(number, 0);
      requestAnimationFrame(() => requestAnimationFrame(() => { window.paints.set(number, Date.now()); }));
    }).observe(main, { attributes: true, attributeFilter: ["data-number"] });
  });
};

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

/** Milliseconds from each scan's event, made just before its commit, to its paint. */
const latencies = async (page, station, from) => {
  const paints = new Map(await page.evaluate(() => [...window.paints]));
  const scans = station.events().filter((event) => event.kind === "scan");
  return scans.map((event, place) => [place + 1, event.at]).filter(([number]) => number > from && paints.get(number) > 0)
    .map(([number, at]) => paints.get(number) - at / 1000).sort((a, b) => a - b);
};

const tell = (t, what, sorted) => {
  const ms = (q) => quantile(sorted, q).toFixed(1);
  t.diagnostic(`${what}: ${sorted.length} scans, from commit to paint: median ${ms(0.5)} ms (limit ${LIMIT_MS}), `
    + `p95 ${ms(0.95)} ms, p99 ${ms(0.99)} ms, worst ${sorted.at(-1).toFixed(1)} ms`);
};

const begin = async (t, ballots) => {
  const station = new Station();
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    await station.stop();
  });
  station.issue(1, ballots);
  await station.start();
  const page = await open(browser, station);
  await page.addInitScript(note_paints);
  await page.goto(station.url);
  await page.waitForFunction(() => document.getElementById("day").textContent !== "" && window.paints);
  await page.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
  return { station, page };
};

const painted = (page, n) => page.waitForFunction((wanted) => window.paints.get(wanted) > 0, n, { polling: 10 });

const measure = async (page) => {
  const session = await page.context().newCDPSession(page);
  // Twice: what is let go of outside of the script's heap keeps what it held until then.
  for (let n = 0; n < 2; n += 1) { await session.send("HeapProfiler.collectGarbage"); }
  const { metrics } = await session.send("Performance.enable").then(() => session.send("Performance.getMetrics"));
  await session.detach();
  const value = (name) => metrics.find((metric) => metric.name === name).value;
  return { heap: value("JSHeapUsedSize"), nodes: value("Nodes"), listeners: value("JSEventListeners") };
};

describe("pace", () => {
  test("every scan is painted, one by one", async (t) => {
    const { station, page } = await begin(t, SCANS);
    for (let n = 1; n <= SCANS; n += 1) {
      station.scan(code(n));
      await painted(page, n);
    }
    const sorted = await latencies(page, station, 0);
    assert.equal(sorted.length, SCANS);
    tell(t, "one by one", sorted);
    assert.deepEqual(page.faults, []);
  });

  test(`a feed of ${FEED_A_SECOND} scans a second neither lags nor grows`, async (t) => {
    const half = (FEED_A_SECOND * FEED_SECONDS) / 2;
    const all = FEED_A_SECOND * FEED_SECONDS;
    const { station, page } = await begin(t, all);
    // Nothing of ours is on the page that is measured: what Playwright looks for things with is bigger than the page.
    const quiet = await open(page.context().browser(), station);
    await quiet.goto(station.url);
    const begun = Date.now();
    let grown;
    for (let n = 1; n <= all; n += 1) {
      station.scan(code(n));
      if (n === half) {
        await painted(page, n);
        grown = await measure(quiet);
      }
      const wait = begun + (n * 1000) / FEED_A_SECOND - Date.now();
      if (wait > 0) { await new Promise((resolve) => { setTimeout(resolve, wait); }); }
    }
    await painted(page, all);
    const behind = Date.now() - (begun + FEED_SECONDS * 1000);
    assert.ok((await page.locator("#about").textContent()).startsWith(String(all).padStart(9, "0")));
    assert.equal(await page.locator("#day-scans").textContent(), String(all));
    assert.equal(await page.locator("#scans tr").count(), 10);
    const now = await measure(quiet);
    assert.equal(await quiet.locator("#day-scans").textContent(), String(all));
    const sorted = await latencies(page, station, 0);
    tell(t, `a feed of ${FEED_SECONDS} s`, sorted);
    t.diagnostic(`the last scan was on the page ${behind} ms after the feed's end; heap after a collection: ${grown.heap} bytes after `
      + `${half} scans, ${now.heap} after ${all}; DOM nodes ${grown.nodes} and ${now.nodes}`);
    const numbers = await page.evaluate(() => [...window.paints.keys()]);
    assert.equal(numbers.at(-1), all);
    assert.ok(now.heap - grown.heap < HEAP_GROWTH_MAX, `the heap grew by ${now.heap - grown.heap} bytes`);
    assert.ok(now.nodes <= grown.nodes + 10, `there were ${grown.nodes} DOM nodes, and are ${now.nodes}`);
    await eventually("all answers", () => station.answers.length === all);
    assert.deepEqual(page.faults, []);
  });
});
