// A relay in a temporary folder: its county, its voters, a provider and a mail server that keep everything to themselves, and the
// real program. Stations' events are signed here, as Standard Webhooks says.
import { spawn, spawnSync } from "node:child_process";
import { createHmac, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { PATIENCE_MS, ROOT, eventually, free_port } from "./station.js";

const PROGRAM = process.env.BALLOT_RELAY ?? path.join(ROOT, "target/debug/ballot-relay");
const ACCOUNT = "AC00000000000000000000000000000000";

/** The number that the relay texts from. */
export const SENDER = "+13035550000";

export const ELECTION = "202611";

/** People of the office, with one password. */
export const PEOPLE = { sue: "supervisor", sam: "supervisor", cleo: "clerk", ada: "auditor" };
export const PASSWORD = "correct horse battery";

/** Who tries the pages. */
export const ANA = { first: "Ana", last: "D\u00edaz", birth: "1980-02-29", zip: "80302" };

const VOTERS = [
  "voter,first_name,last_name,birth_date,zip,confidential",
  "1,Ana,D\u00edaz,1980-02-29,80302,",
  "2,Ben,Okafor,1975-05-05,80301,",
  "3,Carla,Secreto,1969-09-09,80302,yes",
  "4,Dora,Nguyen,1990-01-01,80303,",
  "5,Eli,Baker,1991-02-02,80304,",
];

const BALLOTS = [
  "ballot,voter,election,status,mailed", ...["1", "2", "3", "4", "5"].map((n) => `90000000${n},${n},${ELECTION},mailed,2026-10-12`),
];

export class Relay {
  /** Nothing runs yet. `mailbox`: letters go to that server instead of the stand-in's own. */
  constructor({ mailbox } = {}) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "relay-browser-"));
    this.mailbox = mailbox;
  }

  #write(name, text) {
    const file = path.join(this.folder, name);
    fs.writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** Runs a command to its end; its output. */
  run(argv, input = "") {
    const done = spawnSync(PROGRAM, ["--config", this.config, ...argv], { input, encoding: "utf8" });
    if (done.error) { throw done.error; }
    if (done.status !== 0) { throw new Error(`${argv.join(" ")}: ${done.stdout}${done.stderr}`); }
    return done.stdout;
  }

  async start() {
    const [pages, stations] = [await free_port(), await free_port()];
    this.url = `http://127.0.0.1:${pages}/`;
    this.events_url = `http://127.0.0.1:${stations}/events`;
    this.secret = randomBytes(32);
    this.secret_file = this.#write("station.secret", `whsec_${this.secret.toString("base64")}`);
    const token = this.#write("token", randomBytes(16).toString("hex"));
    const provider = await this.#begin("provider", ["stand-in", "--token-file", token, "--log",
      path.join(this.folder, "accepted.jsonl"), "--inbound", `${this.url}provider/inbound`, "--account", ACCOUNT], 2);
    this.provider = `${provider[0].replace("listening on ", "")}/`;
    const sender = `api_url = "${this.provider}"\naccount = "${ACCOUNT}"\ntoken_file = "${token}"\nfrom = "${SENDER}"\nper_second = 50.0\n`;
    const key = spawnSync(PROGRAM, ["key"], { encoding: "utf8" }).stdout;
    this.config = this.#write("relay.toml", `
[relay]
public_url = "${this.url}"
key_file = "${this.#write("key", key)}"
[store]
url = "sqlite:${this.folder}/relay.sqlite"
[pages]
listen = "127.0.0.1:${pages}"
[stations]
listen = "127.0.0.1:${stations}"
[[county]]
id = "boulder"
name = "Boulder County"
timezone = "America/Denver"
phone = "303-555-0199"
contact_from = "00:00"
contact_until = "24:00"
[[election]]
county = "boulder"
id = "${ELECTION}"
receive_until = "2035-11-06T19:00"
name = { en = "November election", es = "elecci\u00f3n de noviembre" }
[[station]]
county = "boulder"
facility = "boulder"
station = "*"
secret_files = ["${this.secret_file}"]
[email]
server = "${this.mailbox?.address ?? provider[1].replace("mail at ", "")}"
security = "none"
from = "Boulder County Elections <ballots@boulder.example>"
return_domain = "bounces.boulder.example"
${this.mailbox ? `dkim = { domain = "boulder.example", selector = "relay", key_file = "${this.#write("dkim.pem", this.mailbox.key)}" }` : ""}
[text]
${sender}[voice]
${sender}`);
    this.run(["import", "voters", "--county", "boulder", this.#write("voters.csv", `${VOTERS.join("\n")}\n`)]);
    this.run(["import", "ballots", "--county", "boulder", this.#write("ballots.csv", `${BALLOTS.join("\n")}\n`)]);
    for (const [name, role] of Object.entries(PEOPLE)) {
      this.run(["operator", "add", name, "--role", role, "--county", "boulder"], `${PASSWORD}\n`);
    }
    await this.#begin("relay", ["--config", this.config, "run"], 1);
    return this;
  }

  /** Starts a program, and waits for its first lines. */
  async #begin(name, argv, n) {
    const log = fs.openSync(path.join(this.folder, `${name}.log`), "w");
    const child = spawn(PROGRAM, argv, { stdio: ["ignore", "pipe", log], env: { ...process.env, RUST_LOG: "info" } });
    fs.closeSync(log);
    this.children = [...(this.children ?? []), child];
    const said = readline.createInterface({ input: child.stdout });
    const lines = [];
    said.on("line", (line) => lines.push(line));
    const ended = once(child, "exit").then(() => { throw new Error(`${name} ended: ${this.logged(name)}`); });
    ended.catch(() => {});
    await Promise.race([eventually(`${name}'s first lines`, () => lines.length >= n), ended]);
    return lines;
  }

  logged(name = "relay") { return fs.readFileSync(path.join(this.folder, `${name}.log`), "utf8"); }

  /** Something happened to a ballot: a station says so. The answer's status. */
  async happens(ballot, status, more = {}) {
    this.sequences ??= {};
    this.sequences[ballot] = (this.sequences[ballot] ?? 0) + 1;
    const id = randomUUID();
    const body = JSON.stringify({
      specversion: "1.0", id, source: "/facility/boulder/station/intake-1", type: `ballot.${status}`, subject: `${ELECTION}/${ballot}`,
      time: new Date().toISOString(), datacontenttype: "application/json",
      data: { election: ELECTION, ballot, voter: ballot.slice(-1), status, previous: "mailed", reason: null,
        sequence: this.sequences[ballot], method: "scanner", corrects: null, ...more },
    });
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = createHmac("sha256", this.secret).update(`${id}.${timestamp}.${body}`).digest("base64");
    const answer = await fetch(this.events_url, {
      method: "POST", body,
      headers: { "content-type": "application/cloudevents+json", "webhook-id": id, "webhook-timestamp": `${timestamp}`,
        "webhook-signature": `v1,${signature}` },
    });
    return answer.status;
  }

  async #at_provider(where) { return (await fetch(new URL(where, this.provider))).json(); }

  /** E-mails to an address, the newest first. */
  async mail(to) {
    const letters = this.mailbox ? [...this.mailbox.letters].reverse() : await this.#at_provider("control/mail");
    return letters.filter((letter) => letter.to === to);
  }

  /** Texts and calls to a number, the newest first. */
  async messages(to) { return (await this.#at_provider("control/accepted")).filter((one) => one.to === to && !one.is_reply); }

  /** A text is sent to the relay. */
  async answers(from, body) {
    const form = new URLSearchParams({ from, to: SENDER, body });
    const answer = await fetch(new URL("control/inbound", this.provider), { method: "POST", body: form });
    if (!answer.ok) { throw new Error(`${answer.status} ${await answer.text()}`); }
  }

  async stop() {
    for (const child of this.children ?? []) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        const kill = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
        await ended;
        clearTimeout(kill);
      }
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A real mail server, aiosmtpd, that hands over what it is given. */
export class Mailbox {
  async open() {
    this.letters = [];
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.key = privateKey.export({ type: "pkcs1", format: "pem" });
    const python = process.env.PYTHON ?? path.join(ROOT, "target/browser-tools/bin/python3");
    this.server = spawn(python, [path.join(ROOT, "tests/browser/support/mailbox.py"), publicKey.export({ type: "spki", format: "der" }).toString("base64")], { stdio: ["pipe", "pipe", "inherit"] });
    const said = readline.createInterface({ input: this.server.stdout });
    [this.address] = await once(said, "line");
    said.on("line", (line) => this.letters.push(JSON.parse(line)));
    return this;
  }

  /** It ends with its standard input. */
  async close() {
    const ended = once(this.server, "exit");
    this.server.stdin.end();
    await ended;
  }
}

/** Fills in the fields of a form by their names, and sends it. */
export const submit = async (page, action, values) => {
  const form = page.locator(`form[action$="${action}"]`).first();
  for (const [name, value] of Object.entries(values)) {
    const field = form.locator(`[name="${name}"]`);
    const kind = await field.first().evaluate((element) => (element.tagName === "SELECT" ? "select" : element.type));
    if (kind === "select") { await field.selectOption(value); }
    else if (kind === "radio") { await form.locator(`[name="${name}"][value="${value}"]`).check(); }
    else if (kind === "checkbox") { await field.first().setChecked(value); }
    else { await field.fill(value); }
  }
  await Promise.all([page.waitForEvent("load"), form.locator("button").last().click()]);
};

/** Signs a voter in by e-mail; the code is read in the letter that came. */
export const sign_in = async (page, relay, address, who = ANA) => {
  const before = (await relay.mail(address)).length;
  await page.goto(`${relay.url}signin`);
  await submit(page, "/signin", { ...who, address, channel: "email" });
  const letters = await eventually("a letter with a code", async () => {
    const all = await relay.mail(address);
    return all.length > before && /\b\d{6}\b/.test(all[0].text) ? all : null;
  });
  await submit(page, "/code", { code: letters[0].text.match(/\b\d{6}\b/)[0] });
  await page.waitForURL("**/me");
};

/** Signs somebody of the office in. */
export const sign_in_office = async (page, relay, name) => {
  await page.goto(`${relay.url}office/signin`);
  await submit(page, "/office/signin", { name, password: PASSWORD });
  await page.waitForURL("**/office");
};
