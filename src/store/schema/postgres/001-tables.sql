-- Everything of one store in one PostgreSQL schema. No function, no trigger, no extension.
-- The one row that every batch changes: what the keepers of a store number and count together.
CREATE TABLE tollgate_state (
    id int2 PRIMARY KEY CHECK (id = 1),
    schema_version int4 NOT NULL,
    next_event int8 NOT NULL,
    next_ticket int8 NOT NULL,
    next_instance int4 NOT NULL,
    claims int8 NOT NULL,
    unknown int8 NOT NULL,
    events int8 NOT NULL,
    takeovers int8 NOT NULL,
    setup_version int8 NOT NULL
);
INSERT INTO tollgate_state VALUES (1, 1, 1, 1, 1, 0, 0, 0, 0, 1);

-- A keeper that runs. None of its unsettled claims has a ticket below low_ticket.
CREATE TABLE tollgate_instance (
    id int4 PRIMARY KEY,
    heartbeat timestamptz NOT NULL,
    low_ticket int8 NOT NULL
);

-- state: 1 in flight, or final when its settlement stands; 2 lost; 3 unknown; 4 final. body: the row that admitted it.
CREATE TABLE tollgate_claim (
    claim_key uuid PRIMARY KEY,
    ticket int8 NOT NULL UNIQUE,
    request_id uuid NOT NULL,
    instance int4 NOT NULL,
    state int2 NOT NULL,
    told int8 NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX tollgate_claim_unknown ON tollgate_claim (request_id) WHERE state IN (2, 3);

-- What ended a ticket; the first one stands.
CREATE TABLE tollgate_settlement (
    ticket int8 PRIMARY KEY,
    request_id uuid NOT NULL,
    outcome int2 NOT NULL,
    upstream_status int4 NOT NULL,
    caller_status int4 NOT NULL,
    segment int8 NOT NULL,
    expires_us int8 NOT NULL,
    sealed bytea
);

CREATE TABLE tollgate_counter (
    partner int8 NOT NULL,
    day int4 NOT NULL,
    environment int2 NOT NULL,
    currency bytea NOT NULL,
    reserved int8 NOT NULL,
    committed int8 NOT NULL,
    PRIMARY KEY (partner, day, environment, currency)
) WITH (fillfactor = 40);

-- The events of one batch, or an act.
CREATE TABLE tollgate_event (
    first int8 PRIMARY KEY,
    last int8 NOT NULL,
    at_us int8 NOT NULL,
    act bool NOT NULL,
    body bytea NOT NULL
);

-- Answers sealed under one key of the sealers.
CREATE TABLE tollgate_segment (
    number int8 PRIMARY KEY,
    opened_us int8 NOT NULL,
    sealed_us int8 NOT NULL,
    first_event int8 NOT NULL,
    answers_end_us int8 NOT NULL,
    purged bool NOT NULL
);

CREATE TABLE tollgate_partner (
    id int8 PRIMARY KEY,
    name bytea NOT NULL UNIQUE
);
CREATE TABLE tollgate_credential (
    id int8 PRIMARY KEY,
    partner int8 NOT NULL REFERENCES tollgate_partner (id),
    environment int2 NOT NULL,
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    prefix bytea NOT NULL,
    operations bytea NOT NULL,
    created_us int8 NOT NULL,
    expires_us int8 NOT NULL,
    revoked_us int8 NOT NULL
);
CREATE TABLE tollgate_payment_limit (
    partner int8 NOT NULL REFERENCES tollgate_partner (id),
    environment int2 NOT NULL,
    currency bytea NOT NULL CHECK (length(currency) = 3),
    payment_minor_max int8 NOT NULL,
    day_minor_max int8 NOT NULL,
    PRIMARY KEY (partner, environment, currency)
);
CREATE TABLE tollgate_certificate (
    partner int8 NOT NULL REFERENCES tollgate_partner (id),
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    not_after_us int8 NOT NULL,
    PRIMARY KEY (partner, sha256)
);
CREATE TABLE tollgate_route (
    route bytea PRIMARY KEY,
    sealed bytea NOT NULL
);
