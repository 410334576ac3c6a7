// Every page, for everybody: what axe-core finds, what the keyboard reaches, and whether it fits.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRequire } from "node:module";
import { launch, open } from "./support/chrome.js";
import { morning, office, pages, scan_all, sign_in } from "./support/office.js";
import { eventually } from "./support/station.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

// Each language and each colour scheme once; all four with --long.
const LOOKS = process.env.BALLOT_INTAKE_LONG
  ? [["en-US", "light"], ["es-US", "dark"], ["en-US", "dark"], ["es-US", "light"]]
  : [["en-US", "light"], ["es-US", "dark"]];

/** A page with all that it needs before it is whole, in bytes. */
const PAGE_BYTES_MAX = 100 << 10;

// Sizes in CSS pixels; 640 x 360 is the monitor at twice the size, 320 x 256 at four times.
const SIZES = [[1280, 720], [1024, 768], [768, 1024], [640, 360], [320, 256]];

/** Numbers everything that can have the focus, in the document's order; of radio buttons with one name one. */
const number_focusable = () => {
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const radios = new Set();
  let n = 0;
  for (const element of document.querySelectorAll(wanted)) {
    const is_shown = element.checkVisibility({ visibilityProperty: true });
    if (!is_shown || element.disabled || element.tabIndex < 0) { continue; }
    if (element.type === "radio") {
      if (radios.has(element.name)) { continue; }
      const chosen = document.querySelector(`input[type=radio][name="${element.name}"]:checked`) ?? element;
      radios.add(element.name);
      chosen.dataset.focusable = n;
    } else {
      element.dataset.focusable = n;
    }
    n += 1;
  }
  return n;
};

const focused = () => {
  const element = document.activeElement;
  if (!element || element === document.body) { return null; }
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const is_marked = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
  const is_seen = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return { number: Number(element.dataset.focusable ?? -1), is_marked, is_seen, what: element.outerHTML.slice(0, 120) };
};

/** What sticks out furthest. */
const widest = () => {
  const all = [...document.querySelectorAll("body *")].map((element) => [element.getBoundingClientRect().right, element]);
  const [, element] = all.reduce((most, one) => (one[0] > most[0] ? one : most));
  return element.outerHTML.slice(0, 160);
};

const go = async (page, station, where) => {
  const answer = await page.goto(new URL(where, station.url).href);
  await page.waitForLoadState("load");
  return answer;
};

/** What axe-core finds. */
const found_on = async (page) => {
  const { passes, violations } = await page.evaluate(() => globalThis.axe.run(document, { rules: { "target-size": { enabled: true } } }));
  assert.ok(passes.length > 0);
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
};

/** Goes once through the page by the Tab key; what had the focus, in its order. */
const tab_through = async (page, n) => {
  const order = [];
  for (let step = 0; step < 2 * n + 5; step += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(focused);
    if (now === null || (order.length > 0 && now.number === order[0].number)) { break; }
    order.push(now);
  }
  return order;
};

describe("every page", () => {
  let browser;
  let station;
  const looks = [];

  before(async () => {
    station = await office();
    browser = await launch();
    await scan_all(station, morning);
    for (const [locale, colorScheme] of LOOKS) {
      const page = await open(browser, station, { locale, colorScheme });
      await page.addInitScript({ path: AXE });
      await sign_in(page, station, "admin");
      looks.push({ page, lang: locale.slice(0, 2), colorScheme });
    }
  });

  after(async () => {
    await browser?.close();
    await station?.stop();
  });

  for (const where of pages()) {
    test(`${where}: axe-core finds nothing, light and dark, English and Spanish`, async () => {
      for (const { page, lang, colorScheme } of looks) {
        const answer = await go(page, station, where);
        assert.equal(answer.status(), 200);
        assert.equal(await page.locator("html").getAttribute("lang"), lang);
        assert.deepEqual(await found_on(page), [], `${lang}, ${colorScheme}`);
        assert.deepEqual(page.faults, []);
      }
    });

    test(`${where}: the keyboard reaches everything, in order, and it shows where it is`, async () => {
      const [{ page }] = looks;
      await go(page, station, where);
      const n = await page.evaluate(number_focusable);
      const order = await tab_through(page, n);
      // A date's day, month and year are stops of one field.
      const numbers = order.map((stop) => stop.number).filter((number, at, all) => number >= 0 && number !== all[at - 1]);
      assert.deepEqual(numbers, [...Array(n).keys()], order.map((stop) => stop.what).join("\n"));
      for (const stop of order) { assert.ok(stop.is_marked && stop.is_seen, JSON.stringify(stop)); }
    });

    test(`${where}: it fits a monitor, a tablet, and twice and four times the size`, async () => {
      for (const { page: one } of looks) {
        await go(one, station, where);
        for (const [width, height] of SIZES) {
          await one.setViewportSize({ width, height });
          const wide = await one.evaluate(() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth);
          assert.ok(wide <= 0, `${width} x ${height}: ${wide} pixels too wide: ${await one.evaluate(widest)}`);
        }
        await one.setViewportSize({ width: 1280, height: 720 });
      }
    });

    test(`${where}: it is small`, async () => {
      const fresh = await open(browser, station, { storageState: await looks[0].page.context().storageState() });
      let bytes = 0;
      const session = await fresh.context().newCDPSession(fresh);
      await session.send("Network.enable");
      session.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
      await go(fresh, station, where);
      await eventually("what the page loads", () => bytes > 0);
      assert.ok(bytes < PAGE_BYTES_MAX, `${bytes} bytes`);
      await fresh.context().close();
    });
  }

  test("the clerk's page fits the monitor without scrolling to the counts and the verdict", async () => {
    const [{ page }] = looks;
    await go(page, station, "/");
    const bottoms = await page.evaluate(() => [".verdict", ".counts"].map((name) => document.querySelector(name).getBoundingClientRect().bottom));
    for (const bottom of bottoms) { assert.ok(bottom <= 720, `${bottoms}`); }
  });
});
