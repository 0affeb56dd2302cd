-- No row is rewritten: rows carry MACs that SQL cannot make. A column that is appended to a sealed table does not count
-- towards a row's MAC while it, and every one after it, is NULL (docs/adr/0003-state-tree.md).

ALTER TABLE principals ADD COLUMN deleted_at INTEGER;
CREATE INDEX principals_listed ON principals (folder_id, created_at, id) WHERE deleted_at IS NULL;

ALTER TABLE credentials ADD COLUMN handle TEXT;       -- access key id, or hex SHA-256 of a certificate's public key
ALTER TABLE credentials ADD COLUMN sealed_by INTEGER; -- which token key protects the secret
ALTER TABLE credentials ADD COLUMN secret BLOB;       -- sealed secret of an access key, or a public key
CREATE INDEX credentials_listed ON credentials (principal_id, created_at, id);
-- Made anew, because SQLite takes the younger one of two indexes that seem to be equally good.
DROP INDEX credentials_in_force;
CREATE INDEX credentials_in_force ON credentials (principal_id, created_at, id) WHERE revoked_at IS NULL;
-- The id of an access key never names another one.
CREATE UNIQUE INDEX credentials_by_access_key ON credentials (handle) WHERE kind = 'access_key';
-- A certificate may be issued again after its credential was revoked.
CREATE UNIQUE INDEX credentials_by_valid_certificate ON credentials (handle)
    WHERE kind = 'certificate' AND revoked_at IS NULL;
CREATE INDEX credentials_by_certificate ON credentials (handle, created_at, id) WHERE kind = 'certificate';

CREATE TABLE service_bindings (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    bindings TEXT    NOT NULL,
    row_seq  INTEGER NOT NULL,
    row_mac  BLOB    NOT NULL
) STRICT;

CREATE TABLE key_bindings (
    key_id   BLOB    NOT NULL PRIMARY KEY REFERENCES keys (id),
    bindings TEXT    NOT NULL,
    row_seq  INTEGER NOT NULL,
    row_mac  BLOB    NOT NULL
) STRICT;

-- The principals whose roles in a key's own bindings let them view the key, in the order of lists. It carries no MAC: it
-- is only where a search begins. Folder and creation time are the key's, which never change.
CREATE TABLE bound_keys (
    principal_id   BLOB    NOT NULL,
    principal_kind TEXT    NOT NULL,
    key_folder_id  BLOB    NOT NULL,
    key_created_at INTEGER NOT NULL,
    key_id         BLOB    NOT NULL,
    PRIMARY KEY (principal_id, principal_kind, key_folder_id, key_created_at, key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bound_keys_by_key ON bound_keys (key_id);

-- The same for folders, which the first schema could bind roles on already.
CREATE TABLE bound_folders (
    principal_id      BLOB    NOT NULL,
    principal_kind    TEXT    NOT NULL,
    folder_created_at INTEGER NOT NULL,
    folder_id         BLOB    NOT NULL,
    PRIMARY KEY (principal_id, principal_kind, folder_created_at, folder_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bound_folders_by_folder ON bound_folders (folder_id);
-- Its bindings named people only. An id that is none gives NULL, which is ignored.
INSERT OR IGNORE INTO bound_folders
    SELECT unhex(replace(binding.value ->> 'principal_id', '-', '')), 'user', folders.created_at, folders.id
    FROM bindings JOIN folders ON folders.id = bindings.folder_id, json_each(bindings.bindings) AS binding
    WHERE binding.value ->> 'role' IN
        ('kms.keys.user', 'kms.auditor', 'kms.viewer', 'kms.editor', 'kms.admin', 'claviger.operator');

-- Shown, not trusted: it carries no MAC.
CREATE TABLE credential_uses (
    credential_id BLOB    NOT NULL PRIMARY KEY,
    last_used_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
