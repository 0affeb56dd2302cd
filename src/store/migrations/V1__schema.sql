-- Times are microseconds since the Unix epoch, UTC. Ids are the 16 bytes of a UUID.
-- row_seq counts the changes of a row; row_mac and row_heads are explained in docs/adr/0003-state-tree.md.

CREATE TABLE token_binding (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    binding TEXT    NOT NULL,
    row_seq INTEGER NOT NULL,
    row_mac BLOB -- NULL until the row-MAC key is known for the first time
) STRICT;

CREATE TABLE folders (
    id         BLOB    NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    row_seq    INTEGER NOT NULL,
    row_mac    BLOB    NOT NULL
) STRICT;
CREATE INDEX folders_by_age ON folders (created_at, id);

CREATE TABLE principals (
    id         BLOB    NOT NULL PRIMARY KEY,
    folder_id  BLOB    NOT NULL REFERENCES folders (id),
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    row_seq    INTEGER NOT NULL,
    row_mac    BLOB    NOT NULL
) STRICT;
CREATE INDEX principals_by_age ON principals (folder_id, created_at, id);

CREATE TABLE credentials (
    id           BLOB    NOT NULL PRIMARY KEY,
    principal_id BLOB    NOT NULL REFERENCES principals (id),
    folder_id    BLOB    NOT NULL REFERENCES folders (id),
    name         TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    token_sha256 BLOB    UNIQUE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    row_seq      INTEGER NOT NULL,
    row_mac      BLOB    NOT NULL
) STRICT;
CREATE INDEX credentials_in_force ON credentials (principal_id, created_at, id) WHERE revoked_at IS NULL;

CREATE TABLE bindings (
    folder_id BLOB    NOT NULL PRIMARY KEY REFERENCES folders (id),
    bindings  TEXT    NOT NULL,
    row_seq   INTEGER NOT NULL,
    row_mac   BLOB    NOT NULL
) STRICT;

CREATE TABLE keys (
    id                    BLOB    NOT NULL PRIMARY KEY,
    folder_id             BLOB    NOT NULL REFERENCES folders (id),
    created_by_dialect    TEXT    NOT NULL,
    key_tag               TEXT    NOT NULL UNIQUE,
    key_name              TEXT,
    region                TEXT    NOT NULL,
    name                  TEXT    NOT NULL,
    description           TEXT    NOT NULL,
    labels                TEXT    NOT NULL,
    tags                  TEXT    NOT NULL,
    default_algorithm     INTEGER NOT NULL,
    state                 TEXT    NOT NULL CHECK (state IN ('live', 'pending_deletion', 'deleted')),
    switch                TEXT    CHECK (switch IN ('active', 'inactive')),
    delete_at             INTEGER,
    deleted_at            INTEGER,
    primary_version       BLOB    NOT NULL,
    latest_version_number INTEGER NOT NULL,
    created_at            INTEGER NOT NULL,
    rotated_at            INTEGER NOT NULL,
    rotation_period       INTEGER,
    next_rotation_at      INTEGER,
    rotation_owner        TEXT,
    fires_at              INTEGER, -- next_rotation_at, where the state lets the schedule fire
    deletion_protection   INTEGER NOT NULL,
    min_destruction_wait  INTEGER NOT NULL,
    row_seq               INTEGER NOT NULL,
    row_mac               BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_by_key_name ON keys (folder_id, key_name) WHERE key_name IS NOT NULL;
CREATE INDEX keys_listed ON keys (folder_id, created_at, id) WHERE state = 'live';
CREATE INDEX keys_firing ON keys (fires_at, id) WHERE fires_at IS NOT NULL;
CREATE INDEX keys_leaving ON keys (delete_at, id) WHERE delete_at IS NOT NULL;

-- A version's row changes its size when its state changes, and SQLite leaves stale copies of a row in the gaps
-- of a page when it moves it. Sealed material therefore has its own table, to which rows are only appended and in
-- which they are only overwritten by as many bytes, so that they never move.
CREATE TABLE materials (
    id   INTEGER PRIMARY KEY,
    blob BLOB NOT NULL
) STRICT;

CREATE TABLE versions (
    id                    BLOB    NOT NULL PRIMARY KEY,
    key_id                BLOB    NOT NULL REFERENCES keys (id),
    number                INTEGER NOT NULL,
    algorithm             INTEGER NOT NULL,
    residency             TEXT    NOT NULL,
    origin                TEXT    NOT NULL,
    created_at            INTEGER NOT NULL,
    state                 TEXT    NOT NULL
        CHECK (state IN ('active', 'disabled', 'scheduled', 'destroying', 'destroyed')),
    was_disabled          INTEGER,
    destroy_at            INTEGER,
    destroyed_at          INTEGER,
    pin_holder_can_export INTEGER NOT NULL,
    sealed_by             INTEGER, -- NULL once the material is overwritten
    material_row          INTEGER NOT NULL REFERENCES materials (id),
    blob_sha256           BLOB,    -- NULL once the material is overwritten
    row_seq               INTEGER NOT NULL,
    row_mac               BLOB    NOT NULL,
    UNIQUE (key_id, number)
) STRICT;
CREATE INDEX versions_scheduled ON versions (destroy_at, id) WHERE state = 'scheduled';
CREATE INDEX versions_destroying ON versions (destroy_at, id) WHERE state = 'destroying';
CREATE INDEX versions_with_material ON versions (key_id) WHERE blob_sha256 IS NOT NULL;

-- Deleted keys that still have material: a work list, so that the scheduler need not walk all deleted keys.
CREATE TABLE deletions_under_way (
    key_id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    id      BLOB    NOT NULL PRIMARY KEY, -- material id, or CKA_ID of an internal GCM key
    leased  INTEGER NOT NULL,
    row_seq INTEGER NOT NULL,
    row_mac BLOB    NOT NULL
) STRICT;

CREATE TABLE heartbeat (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    at         INTEGER NOT NULL,
    boot_id    TEXT    NOT NULL,
    elapsed    INTEGER NOT NULL,
    held       TEXT,
    row_seq    INTEGER NOT NULL,
    row_mac    BLOB    NOT NULL
) STRICT;

CREATE TABLE operations (
    id         BLOB    NOT NULL PRIMARY KEY,
    key_id     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    record     TEXT    NOT NULL
) STRICT;
CREATE INDEX operations_of_key ON operations (key_id, created_at, id);

CREATE TABLE remembered_requests (
    principal_id BLOB    NOT NULL,
    key          TEXT    NOT NULL,
    fingerprint  BLOB    NOT NULL,
    operation_id BLOB    NOT NULL,
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (principal_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX remembered_by_expiry ON remembered_requests (expires_at);

CREATE TABLE row_heads (
    id      BLOB    NOT NULL PRIMARY KEY, -- first 16 bytes of SHA-256 over table and primary key
    row_seq INTEGER NOT NULL,
    row_mac BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE state_leaves (
    id     INTEGER PRIMARY KEY, -- number of the first leaf / 16
    hashes BLOB NOT NULL        -- 16 leaf hashes
) STRICT;

CREATE TABLE state_root (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    state_seq INTEGER NOT NULL,
    root      BLOB    NOT NULL,
    mac       BLOB    NOT NULL
) STRICT;
