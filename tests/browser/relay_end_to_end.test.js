// From the bytes that a scanner sends to the letter in a real mail server and the text at the provider: the daemon's and the
// relay's real programs, a pseudo terminal, aiosmtpd.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, open } from "./support/chrome.js";
import { Mailbox, Relay, sign_in, submit } from "./support/relay.js";
import { Station, code, eventually } from "./support/station.js";

const EMAIL = "ana@example.org";
const NUMBER = "+13035550100";

describe("from the scanner to the voter", () => {
  let browser;
  let mailbox;
  let relay;
  let station;

  before(async () => {
    mailbox = await new Mailbox().open();
    relay = await new Relay({ mailbox }).start();
    station = new Station({ more: `[relay]\nurl = "${relay.events_url}"\nsecret_file = "${relay.secret_file}"\nhold_back = "0s"\n` });
    station.import(["ballot,voter,status", "900000001,1,mailed", "900000002,2,mailed", "900000003,3,mailed"]);
    await station.start();
    browser = await launch();
  });

  after(async () => {
    await browser?.close();
    await station?.stop();
    await relay?.stop();
    await mailbox?.close();
  });

  const received = async () => (await relay.mail(EMAIL)).filter((letter) => /received/i.test(letter.subject));

  test("whoever signed up is told of the envelope that was scanned, once each way", async () => {
    const ana = await open(browser, relay);
    await sign_in(ana, relay, EMAIL);
    await ana.goto(`${relay.url}me/contacts`);
    await submit(ana, "/me/contacts", { address: NUMBER, channel: "text", consent: true });
    await eventually("the question whether texts are wanted", async () => (await relay.messages(NUMBER)).length === 1);
    await relay.answers(NUMBER, "YES");
    station.scan(code(900000001));
    await station.answered(1);
    await eventually("the letter", async () => (await received()).length === 1);
    const [letter] = await received();
    assert.match(letter.text, /Ana D\u00edaz/);
    assert.match(letter.text, /November election/);
    assert.match(letter.return_path, /@bounces\.boulder\.example$/);
    assert.equal(letter.headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    assert.match(letter.headers["Auto-Submitted"], /^auto-generated/);
    // RFC 8058 wants both headers of the unsubscribing under the signature.
    assert.equal(letter.signed_by, "relay._domainkey.boulder.example.");
    const covered = letter.headers["DKIM-Signature"].match(/ h=([^;]+);/)[1].toLowerCase().split(/[:\s]+/);
    for (const name of ["from", "list-unsubscribe", "list-unsubscribe-post"]) { assert.ok(covered.includes(name), name); }
    await eventually("the text", async () => (await relay.messages(NUMBER)).length === 2);
    assert.match((await relay.messages(NUMBER))[0].body, /Ana/);
    await ana.goto(`${relay.url}me`);
    assert.match(await ana.locator("main h2").first().textContent(), /received/);
  });

  test("the same envelope once more tells nobody anything; who did not sign up or is confidential is told nothing", async () => {
    const reported = () => JSON.parse(relay.run(["report"]));
    await eventually("everything handed over", () => !("owed" in reported().notices || "calling" in reported().notices));
    const total = () => Object.values(reported().notices).reduce((sum, n) => sum + n, 0);
    const n_notices = total();
    for (const [n, ballot] of [900000002, 900000003, 900000001].entries()) {
      station.scan(code(ballot));
      await station.answered(2 + n);
    }
    // What is owed is owed in the transaction that takes the event.
    await eventually("all events at the relay", () => reported().ballots.received === 3);
    assert.equal(total(), n_notices);
    assert.equal((await received()).length, 1);
  });
});
