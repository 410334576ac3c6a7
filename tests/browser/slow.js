// 200 pages that are opened and never read, and 2,000 connections that send a byte now and then: what they do to scanning.
//
// Rounds with and without them take turns in one run, each with its own connections. The 99th percentile of the time from a scan to
// its answer at the scanner must not grow by more than half. A third kind of round has the same connections to a server of this
// script: what the attack itself costs a machine of few cores, whoever is attacked.
import net from "node:net";
import { Station, code } from "./support/station.js";

const PAGES = 200;
const LORISES = 2000;
const ROUNDS = 4;
const SCANS = 1000;
const DRIP_MS = 1000;
/** Each of them is thought of every so many drips. */
const TURNS = 5;
const SINK_CONNECTIONS = 384;
const LIMIT = 1.5;
const WARM = 200;

/** Whether what the station sends is read: a page that is not read, a slow connection that hears when it is turned away. */
const UNREAD = { pause: true };
const READ = { pause: false };

const opened = (port, first, { pause }) => new Promise((resolve) => {
  const socket = net.connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.once("connect", () => {
    socket.write(first);
    if (pause) { socket.pause(); } else { socket.resume(); }
    resolve(socket);
  });
  socket.once("close", () => resolve(socket));
});

/** Opens them all; closes them when the returned function is called, which says how many were still open. */
const besiege = async (url) => {
  const { port, host } = new URL(url);
  const pages = await Promise.all([...Array(PAGES)].map(() => opened(port, `GET /events HTTP/1.1\r\nHost: ${host}\r\n\r\n`, UNREAD)));
  const lorises = await Promise.all([...Array(LORISES)].map(() => opened(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: `, READ)));
  let turned_away = 0;
  // Those that the station turns away come back.
  let turn = 0;
  const drip = setInterval(() => {
    turn = (turn + 1) % TURNS;
    lorises.forEach((socket, n) => { if (n % TURNS === turn) { think_of(socket, n); } });
  }, DRIP_MS);
  const think_of = (socket, n) => {
    if (socket.destroyed) {
      turned_away += 1;
      opened(port, "GET / HT", READ).then((again) => { lorises[n] = again; });
    } else { socket.write("a"); }
  };
  return () => {
    clearInterval(drip);
    const open = (sockets) => sockets.filter((socket) => !socket.destroyed).length;
    const said = [open(pages), open(lorises), turned_away];
    for (const socket of [...pages, ...lorises]) { socket.destroy(); }
    return said;
  };
};

/** A server that takes as many connections as the station does, and says nothing. */
const sink = () => new Promise((resolve) => {
  const server = net.createServer((socket) => { socket.on("error", () => {}).resume(); });
  server.maxConnections = SINK_CONNECTIONS;
  server.listen(0, "127.0.0.1", () => resolve(server));
});

const p = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

const rest = () => new Promise((resolve) => { setTimeout(resolve, 500); });

const main = async () => {
  const station = new Station();
  station.issue(1, WARM + ROUNDS * 3 * SCANS);
  await station.start();
  let next = 1;
  const scans = (n) => station.measure([...Array(n)].map(() => code(next++)));
  await scans(WARM);
  const took = { alone: [], elsewhere: [], beside: [] };
  const other = await sink();
  for (let round = 0; round < ROUNDS; round += 1) {
    took.alone.push(...await scans(SCANS));
    const end_other = await besiege(`http://127.0.0.1:${other.address().port}/`);
    took.elsewhere.push(...await scans(SCANS));
    end_other();
    await rest();
    const end = await besiege(station.url);
    took.beside.push(...await scans(SCANS));
    const [pages, lorises, away] = end();
    console.log(`round ${round + 1}: at its end ${pages} pages and ${lorises} slow connections were open; ${away} had come back`);
    await rest();
  }
  const tell = (name) => {
    const sorted = took[name].sort((a, b) => a - b);
    const ms = (q) => (p(sorted, q) / 1000).toFixed(2);
    console.log(`${name.padEnd(9)}  ${sorted.length} scans  p50 ${ms(0.5)} ms  p99 ${ms(0.99)} ms  worst ${ms(1)} ms`);
    return p(sorted, 0.99);
  };
  const [alone, elsewhere, beside] = ["alone", "elsewhere", "beside"].map(tell);
  console.log(`p99 beside ${PAGES} unread pages and ${LORISES} slow connections is ${(beside / alone).toFixed(2)} of that without (limit ${LIMIT}), and ${(beside / elsewhere).toFixed(2)} of that with them at another server`);
  other.close();
  await station.stop();
  return beside / alone <= LIMIT;
};

process.exitCode = (await main()) ? 0 : 1;
