// Every page, for everybody: what axe-core finds, what the keyboard reaches, and whether it fits.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AXE, SIZES, found_on, number_focusable, tab_through, widest } from "./support/access.js";
import { launch, open } from "./support/chrome.js";
import { morning, office, pages, scan_all, sign_in } from "./support/office.js";
import { eventually } from "./support/station.js";

// Each language and each colour scheme once; all four with --long.
const LOOKS = process.env.BALLOT_INTAKE_LONG
  ? [["en-US", "light"], ["es-US", "dark"], ["en-US", "dark"], ["es-US", "light"]]
  : [["en-US", "light"], ["es-US", "dark"]];

/** A page with all that it needs before it is whole, in bytes. */
const PAGE_BYTES_MAX = 100 << 10;

const go = async (page, station, where) => {
  const answer = await page.goto(new URL(where, station.url).href);
  await page.waitForLoadState("load");
  return answer;
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
