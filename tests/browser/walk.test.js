// A day at the desk, from the pages alone: a clerk scans and closes a batch, two supervisors take it back and correct ballots, and
// the report is printed.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { PEOPLE, office, scan_all, sign_in } from "./support/office.js";
import { code } from "./support/station.js";
import { words } from "./support/words.js";

const EN = words("en");
const IN_FIRST_BATCH = 12;

/** A form's fields, by their names; the second person's among them. */
const fill = async (form, values) => {
  for (const [name, value] of Object.entries(values)) {
    const field = form.locator(`[name="${name}"]`);
    if (await field.evaluate((element) => element.tagName) === "SELECT") { await field.selectOption(value); } else { await field.fill(value); }
  }
};

const submit = async (page, action, values) => {
  const form = page.locator(`form[action$="${action}"]`);
  await fill(form, values);
  await Promise.all([page.waitForEvent("load"), form.locator("button").last().click()]);
};

const second = (name) => ({ second_operator: name, second_secret: PEOPLE[name].password });

const is_done = (page, key) => page.locator(".done", { hasText: EN[`done.${key}`] }).waitFor();

const heading = (page) => page.locator("h1").textContent();

/** To a ballot by the page on which ballots are found: to the only one at once. */
const find_ballot = async (page, station, ballot) => {
  await page.goto(`${station.url}ballots`);
  await page.locator("#number").fill(ballot);
  await page.locator("main form button").click();
  await page.waitForURL(`**/ballots/202611/${ballot}`);
};

describe("a day at the desk", () => {
  let browser;
  let station;
  const at = {};
  let first_batch;

  before(async () => {
    station = await office();
    browser = await launch();
    for (const name of ["cleo", "sue", "sam"]) {
      at[name] = await open(browser, station);
      await sign_in(at[name], station, name);
    }
  });

  after(async () => {
    await browser?.close();
    await station?.stop();
  });

  const open_batch = async (values) => {
    await at.cleo.goto(`${station.url}batches`);
    await submit(at.cleo, "/batches", values);
    await is_done(at.cleo, "opened");
  };

  test("the clerk opens a batch and scans into it", async () => {
    await open_batch({ mode: "receive", received_by: "drop_box", place: "Library, north side" });
    await at.cleo.goto(station.url);
    await at.cleo.waitForFunction(() => document.getElementById("troubles").dataset.shown !== undefined);
    await scan_all(station, [...Array(IN_FIRST_BATCH).keys()].map((n) => code(n + 1)));
    await at.cleo.waitForFunction((n) => document.getElementById("batch-scans").textContent === String(n), IN_FIRST_BATCH);
    first_batch = await at.cleo.locator("#batch").textContent();
  });

  test("the clerk closes it with a difference, which takes an explanation", async () => {
    await at.cleo.goto(`${station.url}batches`);
    await at.cleo.getByRole("link", { name: first_batch, exact: true }).click();
    await submit(at.cleo, "/close", { counted: String(IN_FIRST_BATCH + 1) });
    await at.cleo.locator(".refused").waitFor();
    await submit(at.cleo, "/close", { counted: String(IN_FIRST_BATCH + 1), explanation: "One envelope fell behind the desk" });
    await is_done(at.cleo, "closed");
    assert.ok((await heading(at.cleo)).includes(EN["state.closed"]));
    assert.ok((await at.cleo.locator("main").textContent()).includes("One envelope fell behind the desk"));
  });

  test("a clerk can neither reverse it nor set a ballot", async () => {
    assert.equal(await at.cleo.locator("form[action$='/reverse']").count(), 0);
    await find_ballot(at.cleo, station, "000000001");
    assert.equal(await at.cleo.locator("form[action$='/set']").count(), 0);
    const csrf = await at.cleo.locator("input[name=csrf]").first().inputValue();
    const forced = await at.cleo.request.post(`${station.url}batches/${first_batch}/reverse`, { form: { csrf, reason: "x" }, maxRedirects: 0 });
    assert.equal(forced.status(), 403);
  });

  test("the difference is among the supervisor's exceptions, and leads to the batch", async () => {
    await at.sue.goto(`${station.url}exceptions`);
    const row = at.sue.locator("main tbody tr", { hasText: EN["short.difference"] });
    await row.getByRole("link").last().click();
    await at.sue.waitForURL("**/batches/*");
    assert.ok((await heading(at.sue)).includes(first_batch));
  });

  test("nobody is their own second person", async () => {
    await submit(at.sue, "/reverse", { reason: "Recount", ...second("sue") });
    await at.sue.locator(".refused").waitFor();
    await at.sue.goto(`${station.url}batches/${first_batch}`);
    assert.ok((await heading(at.sue)).includes(EN["state.closed"]));
  });

  test("two supervisors reverse it there and then, and its ballots stand where they stood", async () => {
    await submit(at.sue, "/reverse", { reason: "Recount", ...second("sam") });
    await is_done(at.sue, "reversed");
    assert.ok((await heading(at.sue)).includes(EN["state.reversed"]));
    await find_ballot(at.sue, station, "000000001");
    assert.ok((await heading(at.sue)).includes(EN["status.mailed"]));
    assert.ok((await at.sue.locator(".story").textContent()).includes("Recount"));
  });

  test("an accepted ballot is corrected by two people there and then", async () => {
    await open_batch({ mode: "receive", received_by: "mail" });
    await scan_all(station, [code(15), code(16)]);
    await at.cleo.goto(`${station.url}batches`);
    await at.cleo.locator("main tbody a").first().click();
    await submit(at.cleo, "/close", { counted: "2" });
    await is_done(at.cleo, "closed");
    await open_batch({ mode: "accept", received_by: "mail" });
    await scan_all(station, [code(15), code(16)]);
    await find_ballot(at.sue, station, "000000015");
    assert.ok((await heading(at.sue)).includes(EN["status.accepted"]));
    await submit(at.sue, "/set", { status: "received", reason: "The signature was looked at again", ...second("sam") });
    await is_done(at.sue, "moved");
    assert.ok((await heading(at.sue)).includes(EN["status.received"]));
  });

  test("one person's correction of an accepted ballot waits for another's", async () => {
    await find_ballot(at.sue, station, "000000016");
    await submit(at.sue, "/set", { status: "received", reason: "The signature was looked at again" });
    await is_done(at.sue, "proposed");
    await find_ballot(at.sam, station, "000000016");
    assert.ok((await heading(at.sam)).includes(EN["status.accepted"]));
    await at.sam.goto(`${station.url}proposals`);
    await submit(at.sam, "/confirm", {});
    await is_done(at.sam, "moved");
    await find_ballot(at.sam, station, "000000016");
    assert.ok((await heading(at.sam)).includes(EN["status.received"]));
    const story = await at.sam.locator(".story").textContent();
    assert.ok(story.includes("sue") && story.includes("sam"), story);
  });

  test("a checkpoint is made, and stands on the printed reports", async () => {
    await at.sue.goto(`${station.url}proof`);
    await submit(at.sue, "/proof/checkpoint", {});
    await is_done(at.sue, "checkpointed");
    for (const where of [`batches/${first_batch}/print`, "day/print", "reconciliation/print"]) {
      await at.sue.goto(station.url + where);
      assert.match(await at.sue.locator("main").textContent(), /\d+ [A-Z2-7]{4}[- ]?[A-Z2-7]{4}/, where);
      assert.ok((await at.sue.locator("main").textContent()).includes(EN["print.signatures"]), where);
      const paper = await at.sue.pdf({ format: "Letter" });
      assert.equal(paper.subarray(0, 5).toString(), "%PDF-");
    }
  });

  test("the ledger holds, and says who did what with whom", async () => {
    station.run(["ledger", "verify"]);
    const events = station.events();
    const who = (kind) => events.filter((event) => event.kind === kind).map((event) => JSON.stringify(event));
    for (const kind of ["batch_reversed", "batch_closed"]) { assert.ok(who(kind).length > 0, kind); }
    assert.ok(who("batch_reversed").every((event) => event.includes("sue") && event.includes("sam")), who("batch_reversed").join());
    assert.ok(who("batch_closed").some((event) => event.includes("cleo")), who("batch_closed").join());
    for (const page of Object.values(at)) { assert.deepEqual(page.faults.filter((fault) => !/40[39]/.test(fault)), []); }
  });
});
