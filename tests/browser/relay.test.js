// A voter's autumn, from the pages alone: signs up, is told, stops, comes back; and the office beside it. Every page is looked at.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AXE, SIZES, found_on, number_focusable, tab_through, widest } from "./support/access.js";
import { launch, open } from "./support/chrome.js";
import { ANA, Relay, sign_in, sign_in_office, submit } from "./support/relay.js";
import { eventually } from "./support/station.js";
import { words } from "./support/words.js";

const WORDS = "relay/src/web/words";
const EN = words("en", WORDS);
const ES = words("es", WORDS);
const EMAIL = "ana@example.org";
const NUMBER = "+13035550100";

const text_of = (page) => page.locator("main").textContent();
const is_done = (page, key, language = EN) => page.locator(".done", { hasText: language[`done.${key}`] }).waitFor();

describe("the relay", () => {
  let browser;
  let relay;
  let ana;
  const at = {};

  before(async () => {
    relay = await new Relay().start();
    browser = await launch();
    ana = await open(browser, relay);
    for (const name of ["sue", "sam", "cleo"]) {
      at[name] = await open(browser, relay);
      await sign_in_office(at[name], relay, name);
    }
  });

  after(async () => {
    await browser?.close();
    await relay?.stop();
  });

  test("a voter signs up from the first page and confirms by the code that came", async () => {
    await ana.goto(relay.url);
    await ana.getByRole("link", { name: EN["home.signin"] }).click();
    await ana.waitForURL("**/signin");
    await sign_in(ana, relay, EMAIL);
    assert.ok((await text_of(ana)).includes(EN["ballot.mailed"]));
  });

  test("she chooses Spanish and text, and answers YES", async () => {
    await ana.goto(`${relay.url}me/preferences`);
    await submit(ana, "/me/preferences", { language: "es" });
    await is_done(ana, "saved");
    await ana.goto(`${relay.url}me/contacts`);
    await submit(ana, "/me/contacts", { address: "(303) 555-0100", channel: "text", consent: true });
    await is_done(ana, "added");
    assert.ok((await text_of(ana)).includes(EN["contact.yes"]));
    await eventually("the question whether texts are wanted", async () => (await relay.messages(NUMBER)).length === 1);
    await relay.answers(NUMBER, "Yes");
    await ana.reload();
    const row = ana.locator("tbody tr", { hasText: NUMBER });
    assert.ok((await row.textContent()).includes(EN["contact.confirmed"]));
  });

  test("she is told in Spanish, by text and by e-mail", async () => {
    assert.ok([200, 202, 204].includes(await relay.happens("900000001", "received")));
    const [told] = await eventually("a text that tells it", async () => {
      const all = await relay.messages(NUMBER);
      return all.length >= 2 && all;
    });
    assert.match(told.body, /Ana/);
    assert.match(told.body, /recib/i);
    await eventually("an e-mail that tells it", async () => (await relay.mail(EMAIL)).some((letter) => /recib/i.test(letter.subject)));
  });

  test("after STOP no text comes, and the page says so; e-mail still does", async () => {
    await relay.answers(NUMBER, "STOP");
    const n = (await relay.messages(NUMBER)).length;
    await ana.goto(`${relay.url}me/contacts`);
    assert.ok((await ana.locator("tbody tr", { hasText: NUMBER }).textContent()).includes(EN["contact.suppressed"]));
    await relay.happens("900000001", "accepted", { previous: "received" });
    await eventually("an e-mail of it", async () => (await relay.mail(EMAIL)).some((letter) => /acept/i.test(letter.subject)));
    assert.equal((await relay.messages(NUMBER)).length, n);
  });

  test("she signs in again, changes the hours, and sees where the ballot stands", async () => {
    await submit(ana, "/signout", {});
    await ana.waitForURL(relay.url);
    await ana.goto(`${relay.url}me`);
    await ana.waitForURL("**/signin");
    await sign_in(ana, relay, EMAIL);
    assert.ok((await text_of(ana)).includes(EN["ballot.accepted"]));
    await ana.goto(`${relay.url}me/preferences`);
    await submit(ana, "/me/preferences", { from: "09:30", until: "18:00" });
    await is_done(ana, "saved");
    assert.equal(await ana.locator("#from").inputValue(), "09:30");
    await submit(ana, "/me/preferences", { from: "19:00", until: "18:00" });
    assert.ok((await text_of(ana)).includes(EN["preferences.wrong_hours"]));
  });

  test("whoever knows the three facts sees a ballot's status; of a confidential voter and of nobody the same nothing", async () => {
    const guest = await open(browser, relay);
    const look = async (who) => {
      await guest.goto(`${relay.url}status`);
      await submit(guest, "/status", who);
      return (await text_of(guest)).trim();
    };
    assert.ok((await look(ANA)).includes(EN["ballot.accepted"]));
    const nobody = await look({ first: "No", last: "Body", birth: "1980-02-29", zip: "80302" });
    assert.ok(nobody.includes(EN["status.none"]));
    assert.equal(await look({ first: "Carla", last: "Secreto", birth: "1969-09-09", zip: "80302" }), nobody);
    await relay.happens("900000002", "voided", { reason: "voted_in_person" });
    assert.equal(await look({ first: "Ben", last: "Okafor", birth: "1975-05-05", zip: "80301" }), nobody);
    assert.deepEqual(guest.faults.filter((fault) => !/40[0139]/.test(fault)), []);
    await guest.context().close();
  });

  test("\"this wasn't me\" is an alarm at the office, which closes it", async () => {
    await ana.goto(`${relay.url}me`);
    await submit(ana, "/me/not-me", {});
    await is_done(ana, "reported");
    await at.cleo.goto(`${relay.url}office/alarms`);
    assert.ok((await text_of(at.cleo)).includes(EN["alarm.not_me"]));
    await submit(at.cleo, "/close", {});
    await is_done(at.cleo, "closed");
  });

  test("the links of an e-mail act when their button is pressed, and not before", async () => {
    const letter = (await relay.mail(EMAIL)).find((one) => /\/not-me\//.test(one.text));
    const link = letter.text.match(/http\S+\/not-me\/\S+/)[0];
    const guest = await open(browser, relay);
    await guest.goto(link);
    assert.ok((await text_of(guest)).includes(EN["not_me.ask"]));
    await at.sue.goto(`${relay.url}office/alarms`);
    assert.ok((await at.sue.locator("table").first().textContent()).includes(EN["office.none"]));
    await Promise.all([guest.waitForEvent("load"), guest.locator("main button").click()]);
    assert.ok((await text_of(guest)).includes(EN["not_me.done"]));
    await at.sue.reload();
    assert.ok((await at.sue.locator("table").first().textContent()).includes(EN["alarm.not_me"]));
    await guest.goto(`${link.slice(0, -3)}xxx`);
    assert.ok((await text_of(guest)).includes(EN["refusal.not_found"]));
    const answer = await fetch(letter.unsubscribe, {
      method: "POST", redirect: "manual", body: "List-Unsubscribe=One-Click", headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    assert.equal(answer.status, 200);
    const before = (await relay.mail(EMAIL)).length;
    await relay.happens("900000001", "needs_attention", { previous: "accepted", reason: "signature_missing" });
    await sign_in(ana, relay, EMAIL);
    assert.equal((await relay.mail(EMAIL)).length, before + 1, "the code alone");
    await guest.context().close();
  });

  test("a reminder takes two people, shows its words and its count, and stops", async () => {
    for (const [who, address] of [[{ first: "Dora", last: "Nguyen", birth: "1990-01-01", zip: "80303" }, "dora@example.org"],
      [{ first: "Eli", last: "Baker", birth: "1991-02-02", zip: "80304" }, "eli@example.org"]]) {
      const voter = await open(browser, relay);
      await sign_in(voter, relay, address, who);
      await voter.context().close();
    }
    await at.cleo.goto(`${relay.url}office/bulks`);
    await submit(at.cleo, "/office/bulks", {});
    await is_done(at.cleo, "proposed");
    const place = new URL(at.cleo.url()).pathname;
    assert.ok((await text_of(at.cleo)).includes(EN["bulk.count"].replace("{n}", "2")));
    assert.ok((await text_of(at.cleo)).includes("November election"));
    assert.equal(await at.cleo.locator("form[action$='/release']").count(), 0);
    await at.sue.goto(relay.url.slice(0, -1) + place);
    await submit(at.sue, "/release", {});
    await is_done(at.sue, "released");
    await eventually("the reminders", async () => (await relay.mail("dora@example.org")).length >= 2 && (await relay.mail("eli@example.org")).length >= 2);
    await at.sue.goto(relay.url.slice(0, -1) + place);
    await submit(at.sue, "/stop", {});
    await is_done(at.sue, "stopped");
    await submit(at.sue, "/take-back", {});
    await is_done(at.sue, "proposed");
    const retraction = new URL(at.sue.url()).pathname;
    await at.sam.goto(relay.url.slice(0, -1) + retraction);
    assert.ok((await text_of(at.sam)).includes(EN["bulk.count"].replace("{n}", "2")));
    await submit(at.sam, "/release", {});
    await is_done(at.sam, "released");
    await eventually("the retractions", async () => (await relay.mail("dora@example.org")).length >= 3 && (await relay.mail("eli@example.org")).length >= 3);
  });

  test("who made a reminder does not release it, whatever is posted", async () => {
    await at.sue.goto(`${relay.url}office/bulks`);
    await submit(at.sue, "/office/bulks", {});
    const place = at.sue.url().split("?")[0];
    const csrf = await at.sue.locator("input[name=csrf]").first().inputValue();
    const forced = await at.sue.request.post(`${place}/release`, { form: { csrf }, maxRedirects: 0 });
    assert.equal(forced.status(), 409);
    await at.sue.goto(place);
    assert.ok((await at.sue.locator("h1").textContent()).includes(EN["bulk.draft"]));
  });

  test("the office finds a voter, with what was sent and masked addresses; a confidential one is nowhere", async () => {
    await at.sue.goto(`${relay.url}office/voters`);
    await submit(at.sue, "/office/voters", { q: "d\u00edaz" });
    await at.sue.locator("tbody a").first().click();
    await at.sue.waitForURL("**/office/voters/boulder/1");
    const shown = await text_of(at.sue);
    assert.ok(shown.includes("Ana") && shown.includes(EN["ballot.needs_attention"]), shown);
    assert.ok(!shown.includes(EMAIL) && !shown.includes(NUMBER));
    await at.sue.goto(`${relay.url}office/voters?q=3`);
    assert.ok((await text_of(at.sue)).includes(EN["office.nothing"]));
    assert.equal((await at.sue.goto(`${relay.url}office/voters/boulder/3`)).status(), 404);
  });

  const LOOKS = [["en-US", "light", EN], ["es-US", "dark", ES]];
  const PLACES = {
    guest: ["", "signin", "code?id=x", "status"],
    voter: ["me", "me/contacts", "me/preferences"],
    office: ["office", "office/notices", "office/notices?state=sent", "office/unreached", "office/voters", "office/voters?q=1",
      "office/voters/boulder/1", "office/bulks", "office/alarms", "office/people"],
  };

  for (const [locale, colorScheme, language] of LOOKS) {
    test(`every page in ${locale}, ${colorScheme}: axe-core finds nothing, the keyboard reaches all, and it fits`, async () => {
      const of = async (kind) => {
        const page = await open(browser, relay, { locale, colorScheme });
        await page.addInitScript({ path: AXE });
        if (kind === "voter") { await sign_in(page, relay, EMAIL); }
        if (kind === "office") { await sign_in_office(page, relay, "sue"); }
        return page;
      };
      for (const [kind, places] of Object.entries(PLACES)) {
        const page = await of(kind);
        if (kind === "office") {
          await page.goto(`${relay.url}office/bulks`);
          places.push((await page.locator("tbody a").first().getAttribute("href")).slice(1));
        }
        for (const place of places) {
          await page.goto(relay.url + place);
          assert.equal(await page.locator("html").getAttribute("lang"), locale.slice(0, 2));
          assert.ok((await page.title()).includes(language["frame.service"]));
          assert.deepEqual(await found_on(page), [], place);
          const n = await page.evaluate(number_focusable);
          const order = await tab_through(page, n);
          const numbers = order.map((stop) => stop.number).filter((number, where, all) => number >= 0 && number !== all[where - 1]);
          assert.deepEqual(numbers, [...Array(n).keys()], `${place}: ${order.map((stop) => stop.what).join("\n")}`);
          for (const stop of order) { assert.ok(stop.is_marked && stop.is_seen, JSON.stringify(stop)); }
          for (const [width, height] of SIZES) {
            await page.setViewportSize({ width, height });
            const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth);
            assert.ok(wide <= 0, `${place}, ${width} x ${height}: ${wide} pixels too wide: ${await page.evaluate(widest)}`);
          }
          await page.setViewportSize({ width: 1280, height: 720 });
        }
        assert.deepEqual(page.faults, []);
        await page.context().close();
      }
    });
  }

  test("no log line says anything of a voter", () => {
    const log = relay.logged();
    assert.ok(log.length > 0);
    for (const told of [EMAIL, "dora@", "3035550100", "D\u00edaz", "Nguyen", "1980-02-29", "80302"]) {
      assert.ok(!log.includes(told), `${told}: ${log.split("\n").find((line) => line.includes(told))}`);
    }
  });
});
