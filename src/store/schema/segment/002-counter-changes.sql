-- Counters as they stand after a batch, one row a batch, in order: what comes later holds. A row of its own a
-- counter, as the table before had it, cost a page of the log for each partner that a batch touched.
CREATE TABLE counter_change (
    number INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
