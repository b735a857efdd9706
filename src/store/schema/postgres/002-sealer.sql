-- The one sealer whose keys name this store's claims: the public half of its record key.
CREATE TABLE tollgate_sealer (
    id int2 PRIMARY KEY CHECK (id = 1),
    public_key bytea NOT NULL CHECK (length(public_key) = 32)
);
UPDATE tollgate_state SET schema_version = 2 WHERE id = 1 AND schema_version = 1;
