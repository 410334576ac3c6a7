// A station in a temporary folder: its configuration, its ledger, its scanners, and the real daemon.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

/** Longest wait for anything that must come, in milliseconds. */
export const PATIENCE_MS = 20_000;

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const ROOT = path.resolve(HERE, "../../..");
const PROGRAM = process.env.BALLOT_INTAKE ?? path.join(ROOT, "target/debug/ballot-intake");

/** The made-up county of the suite; ELECTION is in every code. */
export const ELECTION = "202611";

const config = (folder, { scanners = ["left"], page = "127.0.0.1:0", more = "" }) => `
[facility]
id = "boulder"
timezone = "America/Denver"
[station]
id = "intake-1"
page = "${page}"
repeat_window = "60s"
[election]
id = "${ELECTION}"
[ledger]
path = "${folder}/state/ledger.sqlite"
[[envelope]]
name = "county"
symbologies = ["code128", "code39"]
pattern = '^(?<election>\\d{6})(?<ballot>\\d{9})(?<check>\\d)$'
check = "luhn"
names = "ballot"
[[envelope]]
name = "voter"
symbologies = ["code128"]
pattern = '^V(?<voter>\\d{8})$'
names = "voter"
[[envelope]]
name = "return-imb"
symbologies = ["imb"]
names = "imb"
return_service_types = ["777", "778"]
outbound_service_types = ["715", "716"]
mailer_ids = ["901234567"]
${scanners.map((name) => `[[scanner]]
name = "${name}"
profile = "generic-serial"
path = "${folder}/tty/${name}"
`).join("")}
${more}`;

/** The digit that Luhn's rule puts behind these. */
export const luhn = (digits) => {
  const sum = [...digits].reverse().reduce((total, digit, place) => {
    const twice = Number(digit) * (place % 2 === 0 ? 2 : 1);
    return total + (twice > 9 ? twice - 9 : twice);
  }, 0);
  return String((10 - (sum % 10)) % 10);
};

/** A port that nobody listens at. */
export const free_port = async () => {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
};

/** What the symbol of a ballot says. */
export const code = (ballot, election = ELECTION) => {
  const digits = `${election}${String(ballot).padStart(9, "0")}`;
  return digits + luhn(digits);
};

/** Waits until it is so; `what` is said when it never is. */
export const eventually = async (what, so) => {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await so();
    if (found) { return found; }
    if (Date.now() > end) { throw new Error(`never: ${typeof what === "function" ? await what() : what}`); }
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
};

export class Station {
  /** A station with its folder; nothing runs yet. */
  constructor(options = {}) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "intake-browser-"));
    for (const name of ["state", "tty"]) { fs.mkdirSync(path.join(this.folder, name)); }
    this.scanners = options.scanners ?? ["left"];
    this.config = path.join(this.folder, "config.toml");
    this.ledger = path.join(this.folder, "state/ledger.sqlite");
    const more = typeof options.more === "function" ? options.more(this.folder) : options.more;
    fs.writeFileSync(this.config, config(this.folder, { ...options, more }));
    this.environment = {};
    this.answers = [];
    this.measured = [];
  }

  /** Runs a command of the program to its end; its output. It must succeed, unless `may_fail`. */
  run(argv, { input = "", may_fail = false } = {}) {
    const done = spawnSync(PROGRAM, ["--config", this.config, ...argv], { input, encoding: "utf8", cwd: this.folder });
    if (done.error) { throw done.error; }
    if (done.status !== 0 && !may_fail) { throw new Error(`${argv.join(" ")}: ${done.stdout}${done.stderr}`); }
    return done.stdout + (may_fail ? done.stderr : "");
  }

  /** Takes in a mail ballot file of the generic layout, given as its lines. */
  import(lines, name = "ballots.csv") {
    const file = path.join(this.folder, name);
    fs.writeFileSync(file, `${lines.join("\n")}\n`);
    return JSON.parse(this.run(["import", file, "--layout", "generic", "--json"]));
  }

  /** Issues the ballots `from` to `to`, all mailed. */
  issue(from, to) {
    const lines = ["ballot,voter,status"];
    for (let n = from; n <= to; n += 1) {
      lines.push(`${String(n).padStart(9, "0")},${String(n).padStart(8, "0")},mailed`);
    }
    return this.import(lines);
  }

  /** Adds an operator; `admin` is [name, password] of who adds, once there is one. */
  operator(name, role, password, admin, more = {}) {
    const by = admin ? ["--operator", admin[0]] : [];
    const input = admin ? `${admin[1]}\n${password}\n` : `${password}\n`;
    this.run(["operators", "add", "--role", role, ...by, "--", name], { input, ...more });
  }

  /** Puts a disk under the daemon that fails as `tell` says: tests/support/failing_disk.c. */
  break_disk() {
    const library = path.join(this.folder, "failing_disk.so");
    const source = path.join(ROOT, "tests/support/failing_disk.c");
    const made = spawnSync("cc", ["-shared", "-fPIC", "-o", library, source, "-ldl"], { encoding: "utf8" });
    if (made.status !== 0) { throw new Error(made.stderr); }
    const disk = path.join(this.folder, "disk");
    fs.mkdirSync(disk);
    this.environment = { LD_PRELOAD: library, FAILING_DISK: disk };
    return {
      tell: (name) => fs.writeFileSync(path.join(disk, name), ""),
      mend: (name) => fs.rmSync(path.join(disk, name), { force: true }),
    };
  }

  /** Plugs the scanners in, starts the daemon, and waits until its pages are served. */
  async start(argv = []) {
    await this.#plug();
    return this.#run(argv);
  }

  /** Stops the daemon as a power cut would, does what is done meanwhile, and starts another one at the same scanners. */
  async restart(meanwhile = () => {}) {
    const ended = once(this.daemon, "exit");
    this.daemon.kill("SIGKILL");
    await ended;
    await meanwhile();
    return this.#run([]);
  }

  async #run(argv) {
    this.log = path.join(this.folder, "daemon.log");
    const log = fs.openSync(this.log, "w");
    this.daemon = spawn(PROGRAM, ["--config", this.config, "run", ...argv], {
      stdio: ["ignore", "pipe", log], env: { ...process.env, RUST_LOG: "info", ...this.environment }, cwd: this.folder,
    });
    fs.closeSync(log);
    const said = readline.createInterface({ input: this.daemon.stdout });
    const ended = once(this.daemon, "exit").then(() => { throw new Error(`the daemon ended: ${this.logged()}`); });
    ended.catch(() => {});
    const [first] = await Promise.race([once(said, "line"), ended]);
    if (first !== "ready") { throw new Error(`the daemon said: ${first}`); }
    this.url = this.logged().match(/event="PagesServed" url="([^"]+)"/)?.[1];
    if (!this.url) { throw new Error(`no pages are served: ${this.logged()}`); }
    return this;
  }

  logged() { return fs.readFileSync(this.log, "utf8"); }

  async #plug() {
    this.lines = spawn("python3", [path.join(HERE, "scanners.py"), path.join(this.folder, "tty"), ...this.scanners], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const said = readline.createInterface({ input: this.lines.stdout });
    await once(said, "line");
    said.on("line", (line) => {
      const told = JSON.parse(line);
      (told.took ? this.measured : this.answers).push(told);
    });
  }

  /** Scans a text, or bytes. */
  scan(payload, scanner = this.scanners[0]) {
    const what = Buffer.isBuffer(payload) ? { hex: payload.toString("hex") } : { payload };
    this.lines.stdin.write(`${JSON.stringify({ scanner, ...what })}\n`);
  }

  /** Scans each as soon as the one before it is answered; how long each took, in microseconds. */
  async measure(payloads, scanner = this.scanners[0]) {
    const n = this.measured.length;
    this.lines.stdin.write(`${JSON.stringify({ scanner, measure: payloads })}\n`);
    while (this.measured.length === n) { await new Promise((resolve) => { setTimeout(resolve, 50); }); }
    return this.measured[n].took;
  }

  /** Waits until the scanners got so many answers in all. */
  answered(n) { return eventually(() => `${n} answers; there are ${this.answers.length}`, () => this.answers.length >= n); }

  /** Events of the ledger from one on. */
  events(from = 1) {
    const read = spawnSync("python3", [path.join(HERE, "ledger.py"), this.ledger, String(from)], { encoding: "utf8", maxBuffer: 1 << 30 });
    if (read.status !== 0) { throw new Error(read.stderr); }
    return read.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Stops the daemon and the scanners, and removes the folder. */
  async stop() {
    for (const child of [this.daemon, this.lines]) {
      if (child && child.exitCode === null && child.signalCode === null) {
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
