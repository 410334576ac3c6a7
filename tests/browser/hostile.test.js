// What somebody printed into a bar code, or wrote into a file, to do harm is text on every page, and nothing else.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { HOSTILE, office, pages, sign_in, write_everywhere } from "./support/office.js";

/** Elements that no page of the desk has, or that could only come from what was scanned. */
const intruders = () => {
  const found = [...document.querySelectorAll("iframe, object, embed, base, img, body script, body style, body link, [src^='javascript:' i]")]
    .concat([...document.querySelectorAll("*")].filter((element) => [...element.attributes].some(({ name }) => name.startsWith("on"))))
    .concat([...document.querySelectorAll("a[href], form[action]")].filter((element) => {
      const url = new URL(element.getAttribute("href") ?? element.getAttribute("action"), location.href);
      return url.origin !== location.origin;
    }));
  return found.map((element) => element.outerHTML.slice(0, 200));
};

/** Control characters in the text of the page, which a copy of it would take along to a terminal. */
const controls = () => (document.body.textContent.match(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u009b]/g) ?? [])
  .map((character) => character.charCodeAt(0));

describe("hostile text", () => {
  let browser;
  let station;
  let page;

  const check = async (what) => {
    assert.deepEqual(await page.evaluate(intruders), [], what);
    assert.deepEqual(await page.evaluate(controls), [], what);
    assert.equal(await page.evaluate(() => window.harmed), undefined, what);
    assert.deepEqual(page.faults, [], what);
  };

  before(async () => {
    station = await office({ hostile: HOSTILE });
    browser = await launch();
    page = await open(browser, station);
    await page.goto(station.url);
    await page.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
  });

  after(async () => {
    await browser?.close();
    await station?.stop();
  });

  HOSTILE.forEach((text, n) => test(`scanned: ${JSON.stringify(text)}`, async () => {
    const before_it = await page.locator("#main").getAttribute("data-number");
    // The line's own ends of a frame are no part of a payload.
    station.scan(Buffer.from(text.replaceAll("\u0003", "")), station.scanners[n % 2]);
    await page.waitForFunction((number) => document.getElementById("main").dataset.number !== number
      && document.getElementById("main").dataset.number !== undefined, before_it ?? "none");
    assert.equal(await page.locator("#main").getAttribute("data-verdict"), "unreadable");
    // What the page writes as an escape, and what must not stand on a page as it came, is left out of the comparison.
    const plain = (value) => value.replace(/\\u\{?[0-9a-f]+\}?|\\x[0-9a-f]{2}|[^\x20-\x7e]|\\/gi, "").trim();
    const shown = await page.locator("#text").textContent();
    assert.ok(plain(shown).includes(plain(text).slice(0, 24)), `${JSON.stringify(shown)} of ${JSON.stringify(text)}`);
    // Marks that turn the direction end with the element that they stand in.
    assert.ok(["isolate", "isolate-override", "plaintext"].includes(
      await page.locator("#text").evaluate((element) => getComputedStyle(element).unicodeBidi)));
    await check(text);
    await page.reload();
    await page.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
    await check(`${text}, after the page was loaded anew`);
  }));

  test("it is text on every page", async () => {
    // What a command line or a person's form cannot hold is left out.
    const writable = HOSTILE.filter((text) => !/[\u0000-\u001f\u007f]/.test(text));
    write_everywhere(station, writable);
    await sign_in(page, station, "admin");
    const texts = async (where) => {
      await page.goto(new URL(where, station.url).href);
      return page.locator("main").textContent();
    };
    const shown = (await texts("/exceptions")) + (await texts("/batches/1")) + (await texts("/ballots/202611/000000001"));
    assert.ok(shown.includes("<script>window.harmed = 1; alert(1)</script>"), shown);
    const batches = writable.flatMap((_, n) => [`/batches/${n + 1}`, `/batches/${n + 1}/print`, `/ballots/202611/${String(n + 1).padStart(9, "0")}`]);
    for (const where of [...pages(), ...batches, "/ballots/202611/000000900", "/imports/2", "/ballots?number=%3Cscript%3Ealert(8)%3C/script%3E",
      "/signin?next=%22%3E%3Cscript%3Ealert(9)%3C/script%3E", "/%3Cscript%3Ealert(10)%3C/script%3E"]) {
      await page.goto(new URL(where, station.url).href);
      page.faults = page.faults.filter((fault) => !/^console: Failed to load resource.*40[0-9]/.test(fault));
      await check(where);
    }
  });

  test("it is no formula in any table for a spreadsheet", () => {
    let all = "";
    for (const what of ["ballots", "scans", "batches", "exceptions"]) {
      const table = station.run(["export", "csv", "--what", what]);
      all += table;
      const cells = table.split("\r\n").flatMap((line) => line.match(/"(?:[^"]|"")*"|[^,"]+/g) ?? []);
      assert.ok(cells.length > 3, table);
      const formulas = cells.filter((cell) => /^"?[=+@\t]|^"?-[^0-9]/.test(cell));
      assert.deepEqual(formulas, [], what);
      // A terminal that shows the file obeys nothing in it.
      assert.ok(!/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(table), what);
    }
    assert.ok(all.includes("HYPERLINK"), all);
  });

  test("every answer forbids inline scripts, frames, foreign sources and guesses", async () => {
    for (const where of pages()) {
      const headers = (await page.request.get(new URL(where, station.url).href)).headers();
      const policy = headers["content-security-policy"] ?? "";
      for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]) {
        assert.ok(policy.includes(part), `${where}: ${policy}`);
      }
      assert.ok(!/unsafe|\*/.test(policy), policy);
      assert.equal(headers["x-content-type-options"], "nosniff", where);
    }
  });
});
