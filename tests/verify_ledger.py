#!/usr/bin/env python3
"""Proves a ledger from its description alone, with nothing of ballot-intake: verify_ledger.py LEDGER [CHECKPOINT]

CHECKPOINT is a signed note's file, or what stands on paper ("1234 ABCD-EFGH-IJKL-MNOP"). Exit code 0: it holds; 1: it does not.
The chain: hash = SHA-256(hash before || body), the first over 32 zero bytes; body = RFC 8785 JSON. Needs openssl for signatures.
"""
import base64, hashlib, json, os, shutil, sqlite3, subprocess, sys, tempfile

ALIKE = str.maketrans("081L", "OBII")

def no(what):
    print(what)
    sys.exit(1)

def read_checkpoint(text):
    """The row, a test of its hash, and the note if it is one: (origin, text, signatures)."""
    if os.path.exists(text):
        text = open(text, encoding="utf-8").read()
    if "\n\n" not in text:
        seq, _, letters = text.strip().partition(" ")
        letters = letters.replace("-", "").replace(" ", "").upper().translate(ALIKE)
        paper = lambda h: base64.b32encode(h).decode()[:16].translate(ALIKE)
        return int(seq), lambda h: paper(h) == letters, None
    body, lines = text[: text.rindex("\n\n") + 1], text[text.rindex("\n\n") + 2 :].splitlines()
    origin, seq, root = body.splitlines()[:3]
    signatures = [line.split(" ")[1:] for line in lines if line.startswith("\u2014 ")]
    return int(seq), lambda h: h == base64.b64decode(root), (origin, body, signatures)

def is_signed(note, key):
    origin, body, signatures = note
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    blobs = [base64.b64decode(blob) for name, blob in signatures if name == origin]
    with tempfile.TemporaryDirectory() as d:
        for name, data in ("key", bytes.fromhex("302a300506032b6570032100") + key), ("text", body.encode()):
            open(f"{d}/{name}", "wb").write(data)
        for blob in (blob for blob in blobs if blob[:4] == key_id):
            open(f"{d}/sig", "wb").write(blob[4:])
            openssl = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
            done = subprocess.run(openssl + ["-inkey", f"{d}/key", "-in", f"{d}/text", "-sigfile", f"{d}/sig"], capture_output=True)
            return done.returncode == 0
    return False

held, fits, note = read_checkpoint(sys.argv[2]) if len(sys.argv) > 2 else (0, None, None)
end, last, key = 0, bytes(32), b""
try:
    for seq, body, stored in sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT seq, body, hash FROM event ORDER BY seq"):
        if seq != end + 1 or (last := hashlib.sha256(last + body.encode()).digest()) != stored:
            no(f"row {end + 1} does not follow from the row before it")
        if json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False) != body:
            no(f"row {seq} is not canonical")
        key, end = key or bytes.fromhex(json.loads(body)["public_key"]), seq
        if seq == held and not fits(last):
            no(f"row {seq} is not the one that the checkpoint covers")
except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:
    no(f"row {end + 1} cannot be read: {error}")
if held > end:
    no(f"cut: it ends at row {end}; the checkpoint covers row {held}")
if note and shutil.which("openssl") and not is_signed(note, key):
    no("the checkpoint is not signed by the station's key")
print(f"{end} events hold; the last is {last.hex()}")
