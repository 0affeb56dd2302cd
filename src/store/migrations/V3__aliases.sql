-- A name of a key. The id is made of folder, region and name, so that an alias that is not there can be told from one
-- that was removed. Deleted aliases keep their row, with key_id NULL.
CREATE TABLE aliases (
    id         BLOB    NOT NULL PRIMARY KEY, -- first 16 bytes of SHA-256 over folder, region and name
    folder_id  BLOB    NOT NULL REFERENCES folders (id),
    region     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    key_id     BLOB    REFERENCES keys (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    row_seq    INTEGER NOT NULL,
    row_mac    BLOB    NOT NULL
) STRICT;
CREATE INDEX aliases_listed ON aliases (folder_id, region, created_at, id) WHERE key_id IS NOT NULL;
CREATE INDEX aliases_of_key ON aliases (key_id, folder_id, region, created_at, id) WHERE key_id IS NOT NULL;

-- Lists of dialects that have regions, or that show keys which are pending deletion.
CREATE INDEX keys_shown ON keys (folder_id, created_at, id) WHERE state <> 'deleted';
CREATE INDEX keys_shown_in_region ON keys (folder_id, region, created_at, id) WHERE state <> 'deleted';
CREATE INDEX keys_listed_in_region ON keys (folder_id, region, created_at, id) WHERE state = 'live';

-- The key's, which never changes. NULL in an entry that leads to no key.
ALTER TABLE bound_keys ADD COLUMN key_region TEXT;
UPDATE bound_keys SET key_region = (SELECT region FROM keys WHERE keys.id = bound_keys.key_id);
CREATE INDEX bound_keys_in_region
    ON bound_keys (principal_id, principal_kind, key_folder_id, key_region, key_created_at, key_id);
