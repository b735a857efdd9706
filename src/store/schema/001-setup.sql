-- tollgate.sqlite: what an operator sets up, the acts that did it, and the list of segments.
CREATE TABLE partner (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE credential (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    partner INTEGER NOT NULL REFERENCES partner (id),
    environment INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    prefix TEXT NOT NULL,
    operations TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    revoked_us INTEGER NOT NULL
) STRICT;

CREATE TABLE payment_limit (
    partner INTEGER NOT NULL REFERENCES partner (id),
    environment INTEGER NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    payment_minor_max INTEGER NOT NULL,
    day_minor_max INTEGER NOT NULL,
    PRIMARY KEY (partner, environment, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    partner INTEGER NOT NULL REFERENCES partner (id),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    not_after_us INTEGER NOT NULL,
    PRIMARY KEY (partner, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE route (
    route TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Acts take their numbers from the same sequence as the rows of the segments.
CREATE TABLE act (
    sequence INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    result INTEGER NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL
) STRICT;

-- leaving: 0 its file is there, 1 the file is being removed, 2 the file is gone.
CREATE TABLE segment (
    number INTEGER PRIMARY KEY,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    opened_us INTEGER NOT NULL,
    sealed_us INTEGER NOT NULL,
    claims_end_us INTEGER NOT NULL,
    answers_end_us INTEGER NOT NULL,
    last_event_us INTEGER NOT NULL,
    events INTEGER NOT NULL,
    purged INTEGER NOT NULL,
    leaving INTEGER NOT NULL
) STRICT;
