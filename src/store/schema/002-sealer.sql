-- The one sealer whose keys name this store's claims: the public half of its record key.
CREATE TABLE sealer (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32)
) STRICT;
