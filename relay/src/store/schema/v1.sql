-- Both engines read this file: BIGINT, TEXT and nothing of either's own. Times are microseconds since 1970 in UTC, truths are
-- 0 and 1, ids are texts. What may be empty is NULL.

-- The county's voter file. A confidential voter has only these two ids and the mark: no name, nothing to be found by.
CREATE TABLE voter (
    county TEXT NOT NULL,
    voter TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    identity TEXT NOT NULL,
    confidential BIGINT NOT NULL,
    imported_at BIGINT NOT NULL,
    PRIMARY KEY (county, voter)
);
CREATE INDEX voter_identity ON voter (identity);
CREATE INDEX voter_name ON voter (county, last_name, first_name);

-- What a voter who signed up wants. Minutes of the day are local in `timezone`.
CREATE TABLE enrolment (
    county TEXT NOT NULL,
    voter TEXT NOT NULL,
    language TEXT NOT NULL,
    timezone TEXT NOT NULL,
    from_minute BIGINT NOT NULL,
    until_minute BIGINT NOT NULL,
    -- The kinds of notices, with a comma between them.
    kinds TEXT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (county, voter)
);

-- Where a voter is reached: channel `email`, `text` or `voice`; address normalized (lower case, E.164).
CREATE TABLE contact (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    voter TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    -- pending (waits for its code or YES), confirmed, off (the voter's wish), parked (dead: `why` says)
    state TEXT NOT NULL,
    why TEXT,
    -- 1: gets every notice. 0: only what could not be said at those that do.
    first BIGINT NOT NULL,
    -- When a code that was sent there was entered, or a question answered: somebody is there. Not yet a consent.
    proven_at BIGINT,
    -- The consent: when, how (page, reply, import), and the words that were shown; of one that waits for its YES, the words alone.
    consented_at BIGINT,
    consent_how TEXT,
    consent_words TEXT,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (county, voter, channel, address)
);
CREATE INDEX contact_address ON contact (channel, address);

-- Every consent, for good: who agreed to what, when and how, and when and how that ended, whatever became of the contact. Of who became
-- confidential the address is emptied.
CREATE TABLE consent (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    voter TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    how TEXT NOT NULL,
    words TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- removed, confidential, or why it is suppressed
    ended_how TEXT
);
CREATE INDEX consent_address ON consent (channel, address);
CREATE INDEX consent_voter ON consent (county, voter);

-- What must not be sent to, whoever's it is: STOP, one-click unsubscribe, complaint, a carrier's block.
CREATE TABLE suppression (
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    -- stop, unsubscribed, complaint, provider
    why TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (channel, address)
);

-- One-time codes. The digits follow from the id under the relay's key. Only `attempt.body` holds them, from the call that sends them
-- until its outcome is known.
CREATE TABLE one_time_code (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    voter TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    purpose TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX one_time_code_voter ON one_time_code (county, voter, created_at);

-- Signed-in voters and operators. `token_hash` is SHA-256 of the cookie, in hexadecimal.
CREATE TABLE session (
    token_hash TEXT NOT NULL PRIMARY KEY,
    -- voter or operator
    role TEXT NOT NULL,
    county TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_subject ON session (role, county, subject);

-- People of the office. Role: clerk, supervisor or auditor. County `*` is all of them.
CREATE TABLE operator (
    name TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL
);

-- Failed tries, for limits that hold across restarts and processes: `what` is such as `signin:<address hash>`.
CREATE TABLE strike (
    what TEXT NOT NULL,
    at BIGINT NOT NULL,
    id TEXT NOT NULL PRIMARY KEY
);
CREATE INDEX strike_what ON strike (what, at);

-- What stations and the Postal Service said, as it came. State: applied, waiting (an earlier one is missing), stale (the ballot
-- had news of a later time from elsewhere), kept (a checkpoint).
CREATE TABLE event (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    source TEXT NOT NULL,
    election TEXT NOT NULL,
    ballot TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    happened_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX event_order ON event (source, election, ballot, sequence);
CREATE INDEX event_waiting ON event (state, received_at);
CREATE INDEX event_newest ON event (county, received_at);

-- How far each source's news of a ballot was applied.
CREATE TABLE stream (
    source TEXT NOT NULL,
    election TEXT NOT NULL,
    ballot TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (source, election, ballot)
);

-- The newest checkpoint of each ledger: the relay is its witness.
CREATE TABLE checkpoint (
    origin TEXT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    note TEXT NOT NULL,
    received_at BIGINT NOT NULL
);

-- Where each ballot stands. `status` is a wire status, or `on_its_way`, `on_its_way_back` by the Postal Service.
CREATE TABLE ballot (
    county TEXT NOT NULL,
    election TEXT NOT NULL,
    ballot TEXT NOT NULL,
    voter TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    happened_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (county, election, ballot)
);
CREATE INDEX ballot_voter ON ballot (county, voter, election);
CREATE INDEX ballot_status ON ballot (county, election, status);

-- Who voted in person in an election, by whose word: nothing is said about their mail ballots while one stands.
CREATE TABLE in_person (
    county TEXT NOT NULL,
    election TEXT NOT NULL,
    voter TEXT NOT NULL,
    cause TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (county, election, voter, cause)
);

-- Every news of a ballot, oldest first, for the voter's page and the office.
CREATE TABLE ballot_news (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    election TEXT NOT NULL,
    ballot TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT,
    happened_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    corrects TEXT
);
CREATE INDEX ballot_news_ballot ON ballot_news (county, election, ballot, happened_at);

-- Intelligent Mail codes of pieces: which ballot, and which way it goes (out or back).
CREATE TABLE mail_piece (
    imb TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    election TEXT NOT NULL,
    ballot TEXT NOT NULL
);

-- Scans of the Postal Service; `key` tells repeats.
CREATE TABLE postal_scan (
    key TEXT NOT NULL PRIMARY KEY,
    imb TEXT NOT NULL,
    -- What names the piece within `imb`, and when it was scanned by the clock there: for one that waits for the ballot file.
    piece TEXT NOT NULL,
    local TEXT NOT NULL,
    operation TEXT NOT NULL,
    scanned_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    -- applied, behind, assumed; of what is looked at again: unknown_code, unknown_piece, future
    outcome TEXT NOT NULL
);
CREATE INDEX postal_scan_piece ON postal_scan (piece, outcome);

-- What is owed to one contact. One row a cause and contact, for ever: a replay of all events adds none.
CREATE TABLE notice (
    id TEXT NOT NULL PRIMARY KEY,
    -- The event, news, bulk or code that it is for.
    cause TEXT NOT NULL,
    kind TEXT NOT NULL,
    county TEXT NOT NULL,
    voter TEXT NOT NULL,
    election TEXT,
    ballot TEXT,
    bulk TEXT,
    contact TEXT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    language TEXT NOT NULL,
    -- The template's fields beyond those that every notice has: a JSON object of texts.
    fields TEXT NOT NULL,
    happened_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- 0 first: codes, 1: news of ballots, 2: bulk.
    priority BIGINT NOT NULL,
    -- owed, calling, unknown, sent, delivered, bad_address, try_later, ours, opted_out, too_late, withdrawn, unconfirmed
    state TEXT NOT NULL,
    -- Why it stands there: a code of ours or of the provider.
    why TEXT,
    -- When it may be tried (owed), is given up on (calling), or is looked into next (unknown, sent).
    next_at BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    -- 1: no receipt came in time; a late one still corrects it.
    timed_out BIGINT NOT NULL,
    handed_at BIGINT,
    changed_at BIGINT NOT NULL,
    UNIQUE (cause, contact)
);
CREATE INDEX notice_due ON notice (channel, state, priority, next_at, id);
CREATE INDEX notice_address ON notice (address);
CREATE INDEX notice_voter ON notice (county, voter, created_at);
CREATE INDEX notice_ballot ON notice (county, election, ballot);
CREATE INDEX notice_bulk ON notice (bulk, state);

-- One call of a provider. It is committed before the call.
CREATE TABLE attempt (
    id TEXT NOT NULL PRIMARY KEY,
    notice TEXT NOT NULL,
    number BIGINT NOT NULL,
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Whom it was handed over as, which may be configured otherwise by now: the provider's account and its number, or a mail server.
    account TEXT NOT NULL,
    sender TEXT NOT NULL,
    -- calling, accepted, refused (the provider said no), absent (reconciled: it never took it), unknown
    state TEXT NOT NULL,
    -- What was said, for reconciliation by its exact text; emptied when the outcome is known.
    body TEXT,
    segments BIGINT NOT NULL,
    -- The provider's id of it.
    provider_id TEXT,
    -- The provider's last word on it, and its code.
    status TEXT,
    code TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    UNIQUE (notice, number)
);
CREATE INDEX attempt_address ON attempt (channel, address, started_at);
CREATE INDEX attempt_provider ON attempt (provider_id);

-- Every word of a provider, as it came, without addresses; a repeat has no second row.
CREATE TABLE receipt (
    provider_id TEXT NOT NULL,
    status TEXT NOT NULL,
    code TEXT NOT NULL,
    attempt TEXT,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (provider_id, status, code)
);

-- What was texted to us; the provider's id tells repeats.
CREATE TABLE inbound (
    provider_id TEXT NOT NULL PRIMARY KEY,
    meaning TEXT NOT NULL,
    received_at BIGINT NOT NULL
);

-- Token buckets, shared by all processes: thousandths of a segment.
CREATE TABLE bucket (
    name TEXT NOT NULL PRIMARY KEY,
    tokens BIGINT NOT NULL,
    filled_at BIGINT NOT NULL
);

-- Bulk reminders. State: draft, released, running, done, stopped, refused.
CREATE TABLE bulk (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    election TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The statuses of the ballots that it is about, with a comma between them.
    statuses TEXT NOT NULL,
    fields TEXT NOT NULL,
    -- How many contacts it was for when it was previewed; it never goes to more.
    target BIGINT NOT NULL,
    state TEXT NOT NULL,
    why TEXT,
    -- How far it was written out: the last ballot.
    cursor TEXT NOT NULL,
    made BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    released_by TEXT,
    released_at BIGINT,
    stopped_by TEXT,
    stopped_at BIGINT,
    not_after BIGINT NOT NULL
);
CREATE INDEX bulk_state ON bulk (state);

-- What somebody at the office must look at.
CREATE TABLE alarm (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    -- not_me, template, channel, gap, future_date, bulk, unconfirmed, key
    kind TEXT NOT NULL,
    -- What it is about: one open alarm a kind and subject.
    subject TEXT NOT NULL,
    what TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    closed_at BIGINT,
    closed_by TEXT
);
CREATE INDEX alarm_open ON alarm (county, closed_at);

-- Files that were read in.
CREATE TABLE imported (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    -- voters or ballots
    what TEXT NOT NULL,
    n_rows BIGINT NOT NULL,
    n_refused BIGINT NOT NULL,
    at BIGINT NOT NULL
);

-- Who did what at the office.
CREATE TABLE act (
    id TEXT NOT NULL PRIMARY KEY,
    county TEXT NOT NULL,
    operator TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX act_county ON act (county, at);
