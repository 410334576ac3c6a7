"""Prints the ledger's events from one on, one JSON object a line with its `seq`: ledger.py LEDGER SEQ"""
import json
import sqlite3
import sys

ledger = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
for seq, body in ledger.execute("SELECT seq, body FROM event WHERE seq >= ? ORDER BY seq", (int(sys.argv[2]),)):
    print(json.dumps({"seq": seq, **json.loads(body)}))
