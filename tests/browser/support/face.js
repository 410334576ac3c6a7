// Draws Code 39 symbols of digits into one picture, as a camera sees an envelope with several codes.
import zlib from "node:zlib";

// Nine elements a character, bars and spaces in turn; 1 is wide.
const PATTERNS = {
  0: "000110100", 1: "100100001", 2: "001100001", 3: "101100000", 4: "000110001",
  5: "100110000", 6: "001110000", 7: "000100101", 8: "100100100", 9: "001100100", "*": "010010100",
};
const NARROW = 3;
const WIDE = 8;
const HEIGHT = 120;
const MARGIN = 60;

const row_of = (digits) => {
  const row = Array(MARGIN).fill(255);
  for (const character of `*${digits}*`) {
    [...PATTERNS[character]].forEach((wide, place) => {
      row.push(...Array(wide === "1" ? WIDE : NARROW).fill(place % 2 === 0 ? 0 : 255));
    });
    row.push(...Array(NARROW).fill(255));
  }
  return row.concat(Array(MARGIN).fill(255));
};

const chunk = (kind, data) => {
  const named = Buffer.concat([Buffer.from(kind), data]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc(named));
  return Buffer.concat([size, named, sum]);
};

const crc = (bytes) => {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) { value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0); }
  }
  return (value ^ 0xffffffff) >>> 0;
};

/** A grey PNG picture with these symbols below each other. */
export const face = (...symbols) => {
  const rows = symbols.map(row_of);
  const width = Math.max(...rows.map((row) => row.length));
  const line = (row) => Buffer.from([0, ...row, ...Array(width - row.length).fill(255)]);
  const blank = Array(MARGIN).fill(line([]));
  const lines = rows.flatMap((row) => [...blank, ...Array(HEIGHT).fill(line(row))]).concat(blank);
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(lines.length, 4);
  head[8] = 8;
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), chunk("IHDR", head),
    chunk("IDAT", zlib.deflateSync(Buffer.concat(lines))), chunk("IEND", Buffer.alloc(0)),
  ]);
};
