// What is done by hand at the pages: a torn envelope's number by the keyboard alone, a scan that is taken back, sheets that are printed.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { office, scan_all, sign_in } from "./support/office.js";
import { code } from "./support/station.js";
import { words } from "./support/words.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const [EN, ES] = ["en", "es"].map((language) => words(language));

/** Nothing that axe-core finds, of a page that only a form leads to. */
const is_accessible = async (page) => {
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, help }) => `${id}: ${help}`), []);
};

/** Presses Tab until the focus is there. */
const tab_to = async (page, selector) => {
  for (let step = 0; step < 60; step += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) { return; }
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${selector}`);
};

const post = (page, press) => Promise.all([page.waitForEvent("load"), press()]);

describe("by hand", () => {
  let browser;
  let station;
  let cleo;
  let sue;

  before(async () => {
    station = await office();
    browser = await launch();
    [cleo, sue] = await Promise.all(["cleo", "sue"].map(async (name) => {
      const page = await open(browser, station);
      await page.addInitScript({ path: AXE });
      await sign_in(page, station, name);
      return page;
    }));
  });

  after(async () => {
    await browser?.close();
    await station?.stop();
  });

  test("a torn envelope is recorded by the keyboard alone, after a look at what its number names", async () => {
    const page = cleo;
    await page.goto(`${station.url}manual`);
    await tab_to(page, "#number");
    await page.keyboard.type(code(7).replace(/(.{6})/, "$1 "));
    await post(page, () => page.keyboard.press("Enter"));
    assert.match(await page.locator("#names").textContent(), /000000007/);
    assert.ok((await page.locator("#names").textContent()).includes(EN["status.mailed"]));
    // The number itself is nowhere on the page: it is read from the envelope once more.
    assert.ok(!(await page.content()).includes(code(7)));
    await is_accessible(page);
    assert.equal(await page.evaluate(() => document.activeElement.id), "number");
    await page.keyboard.type(code(7));
    await tab_to(page, "form[aria-labelledby=second] button");
    await post(page, () => page.keyboard.press("Enter"));
    const outcome = page.locator(".outcome[data-verdict=received]");
    assert.ok((await outcome.textContent()).includes(EN["verdict.received.says"]));
    assert.equal(await outcome.getAttribute("role"), "status");
    await is_accessible(page);
    const scan = station.events().filter(({ kind }) => kind === "scan").at(-1);
    assert.deepEqual([scan.method, scan.by, scan.ballot], ["manual", "cleo", "000000007"]);
  });

  test("a number that is none, or another the second time, is refused in words of both languages", async () => {
    const spanish = await open(browser, station, { locale: "es-US" });
    await spanish.addInitScript({ path: AXE });
    await sign_in(spanish, station, "cleo");
    for (const [page, texts] of [[cleo, EN], [spanish, ES]]) {
      const enter = async (number) => {
        await page.locator("#number").fill(number);
        await post(page, () => page.locator("main form button").click());
      };
      const says = (text) => page.locator(".refused", { hasText: text }).waitFor();
      await page.goto(`${station.url}manual`);
      await enter(code(999));
      await says(texts["refused.number_not_issued"]);
      assert.equal(await page.locator("#number").inputValue(), code(999));
      await enter(code(8).replace(/.$/, (digit) => (Number(digit) + 1) % 10));
      await says(texts["detail.check"].replace("{x}", "county"));
      await is_accessible(page);
      await enter(code(8));
      await enter(code(9));
      await says(texts["refused.number_not_looked_up"]);
    }
    assert.equal(station.events().filter(({ kind }) => kind === "scan").length, 1);
    assert.deepEqual(spanish.faults.filter((fault) => !fault.includes("409")), []);
  });

  test("the clerk's page leads to what is taken back, and has no field; only what was shown is taken back", async () => {
    await scan_all(station, [code(1), code(2)]);
    await cleo.goto(station.url);
    assert.equal(await cleo.locator("main input:not([type=hidden]), main textarea, main select").count(), 0);
    assert.equal(await cleo.evaluate(() => document.activeElement === document.body), true);
    await cleo.getByRole("link", { name: EN["title.undo"] }).last().click();
    await cleo.waitForURL("**/undo");
    assert.match(await cleo.locator("main").textContent(), /000000002/);
    await scan_all(station, [code(3)]);
    // What came of a press stands on a page that takes nothing back: the next scan is looked at first.
    const look = async () => {
      assert.equal(await cleo.locator("main dl, main form").count(), 0);
      await post(cleo, () => cleo.getByRole("link", { name: EN["undo.look"] }).click());
      return cleo.locator("main dl").textContent();
    };
    const take_back = () => post(cleo, () => cleo.getByRole("button", { name: EN["undo.take_back"] }).click());
    await take_back();
    await cleo.locator(".refused", { hasText: "000000003" }).waitFor();
    await is_accessible(cleo);
    assert.match(await look(), /000000003/);
    await is_accessible(cleo);
    await take_back();
    await cleo.locator(".done", { hasText: EN["done.taken_back"] }).waitFor();
    assert.match(await look(), /000000002/);
    const set = station.events().filter(({ kind }) => kind === "set").at(-1);
    assert.deepEqual([set.ballot, set.to, set.by], ["000000003", "mailed", "cleo"]);
  });

  test("command sheets are shown to print and saved, and are in no cache and no log", async () => {
    await cleo.goto(`${station.url}labels`);
    const shown = cleo.waitForResponse((answer) => answer.url().endsWith("/labels/commands"));
    const form = cleo.locator("form[action='/labels/commands']");
    const [download] = await Promise.all([cleo.waitForEvent("download"), form.getByRole("button", { name: EN["labels.file"] }).click()]);
    const answer = await shown;
    assert.deepEqual(
      [answer.status(), answer.headers()["content-type"], answer.headers()["cache-control"]],
      [200, "application/pdf", "no-store"],
    );
    const file = fs.readFileSync(await download.path(), "latin1");
    assert.ok(file.startsWith("%PDF-1.4") && file.includes("Commands of station intake-1, printing 1"));
    assert.ok(!/BIS1:/.test(station.logged()));
    assert.ok(!station.events().some((event) => JSON.stringify(event).includes("BIS1:")));
  });

  test("earlier sheets become stale after a yes of a supervisor, and of nobody else", async () => {
    await cleo.goto(`${station.url}labels/renew`);
    assert.equal(await cleo.locator("main form").count(), 0);
    await sue.goto(`${station.url}labels`);
    await sue.getByRole("link", { name: EN["title.renew"] }).click();
    await sue.waitForURL("**/labels/renew");
    const save = sue.getByRole("button", { name: EN["labels.file"] });
    // The browser asks for the tick itself; without it nothing is sent.
    await save.click();
    assert.equal(await sue.locator("input[name=sure]").evaluate((tick) => tick.validity.valueMissing), true);
    assert.ok(!station.events().some(({ kind }) => kind === "sheets_renewed"));
    await sue.locator("input[name=sure]").check();
    const [download] = await Promise.all([sue.waitForEvent("download"), save.click()]);
    assert.ok(fs.readFileSync(await download.path(), "latin1").includes("printing 2"));
    const renewed = station.events().filter(({ kind }) => kind === "sheets_renewed");
    assert.deepEqual(renewed.map(({ by, generation }) => [by, generation]), [["sue", 2]]);
  });

  test("nothing else happened on the way", () => {
    for (const page of [cleo, sue]) { assert.deepEqual(page.faults.filter((fault) => !/4\d\d/.test(fault)), []); }
    station.run(["ledger", "verify"]);
  });
});
