#!/usr/bin/env python3
"""Proves a ledger from its description alone, with nothing of ballot-intake: verify_ledger.py LEDGER [CHECKPOINT]

CHECKPOINT is a signed note's file, or what stands on paper ("1234 ABCD-EFGH-IJKL-MNOP"). Exit code 0: it holds; 1: it does not;
2: no openssl to check the note. Chain: hash = SHA-256(hash before || body), first over 32 zero bytes; body = RFC 8785 JSON."""
import base64, hashlib, json, os, shutil, sqlite3, subprocess, sys, tempfile, urllib.parse

ALIKE = str.maketrans("081L", "OBII")

def no(what, code=1):
    print(what)
    sys.exit(code)

def read_checkpoint(text):
    """The row, a test of its hash, and the note if it is one: (origin, text, signatures)."""
    if os.path.exists(text):
        text = open(text, encoding="utf-8").read()
    if "\n\n" not in text:
        seq, _, letters = text.strip().partition(" ")
        letters = letters.replace("-", "").replace(" ", "").upper().translate(ALIKE)
        return int(seq), lambda h: base64.b32encode(h).decode()[:16].translate(ALIKE) == letters, None
    body, _, lines = text.rpartition("\n\n")
    origin, seq, root = body.splitlines()[:3]
    signatures = [line.split(" ")[1:] for line in lines.splitlines() if line.startswith("\u2014 ")]
    return int(seq), lambda h: h == base64.b64decode(root), (origin, body + "\n", signatures)

def check_note(note, facility, station, public_key):
    (origin, body, signatures), key = note, bytes.fromhex(public_key)
    if origin != (own := "/".join(["ballot-intake", *(urllib.parse.quote(name, safe="") for name in (facility, station))])):
        no(f"the checkpoint is of {origin}, not of {own}")
    if not shutil.which("openssl"):
        no("the checkpoint's signature cannot be checked: there is no openssl", 2)
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    blobs = (base64.b64decode(blob) for name, blob in signatures if name == origin)
    with tempfile.TemporaryDirectory() as d:
        for name, data in ("key", bytes.fromhex("302a300506032b6570032100") + key), ("text", body.encode()):
            open(f"{d}/{name}", "wb").write(data)
        open(f"{d}/sig", "wb").write(next((blob[4:] for blob in blobs if blob[:4] == key_id), b""))
        openssl = "openssl pkeyutl -verify -pubin -keyform DER -rawin -inkey key -in text -sigfile sig"
        if subprocess.run(openssl.split(), capture_output=True, cwd=d).returncode != 0:
            no("the checkpoint is not signed by the station's key")

held, fits, note = read_checkpoint(sys.argv[2]) if len(sys.argv) > 2 else (0, None, None)
end, last, first = 0, bytes(32), []
try:
    for seq, body, stored in sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT seq, body, hash FROM event ORDER BY seq"):
        if seq != end + 1 or (last := hashlib.sha256(last + body.encode()).digest()) != stored:
            no(f"row {end + 1} does not follow from the row before it")
        if json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False) != body:
            no(f"row {seq} is not canonical")
        end, first = seq, first or [json.loads(body)[name] for name in ("facility", "station", "public_key")]
        if seq == held and not fits(last):
            no(f"row {seq} is not the one that the checkpoint covers")
    if fits and not 1 <= held <= end:
        no(f"it ends at row {end}; the checkpoint covers row {held}")
    if note:
        check_note(note, *first)
except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:
    no(f"row {end + 1} cannot be read: {error}")
print(f"{end} events hold; the last is {last.hex()}")
