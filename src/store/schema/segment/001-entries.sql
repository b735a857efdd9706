-- One segment. Rows are only ever appended; `sealed` stands last, so that reading claims does not read answers.
CREATE TABLE entry (
    sequence INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    sealed BLOB
) STRICT;

-- A full snapshot when the segment begins, then each touched counter once a batch.
CREATE TABLE counter (
    partner INTEGER NOT NULL,
    day INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    currency BLOB NOT NULL,
    reserved INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    PRIMARY KEY (partner, day, environment, currency)
) STRICT, WITHOUT ROWID;
