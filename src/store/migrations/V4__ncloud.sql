-- What keys and versions have in the Ncloud dialect. NULL is what a row without it means (docs/adr/0003-state-tree.md).
ALTER TABLE keys ADD COLUMN deletion_requested_at INTEGER;
ALTER TABLE keys ADD COLUMN convergent INTEGER;
ALTER TABLE keys ADD COLUMN addresses TEXT;
ALTER TABLE keys ADD COLUMN token_generator TEXT;
ALTER TABLE versions ADD COLUMN state_changed_at INTEGER;

-- How many tokens were issued under a generator. Shown, not trusted: no MAC. It is not in the key's row, so that issuing
-- tokens keeps nobody from the key.
CREATE TABLE token_counts (
    generator_id BLOB    NOT NULL PRIMARY KEY,
    issued       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- With the state, which their condition only bounds: keys are counted, and passed over, without a look at their rows.
DROP INDEX keys_shown;
DROP INDEX keys_shown_in_region;
CREATE INDEX keys_shown ON keys (folder_id, created_at, id, state) WHERE state <> 'deleted';
CREATE INDEX keys_shown_in_region ON keys (folder_id, region, created_at, id, state) WHERE state <> 'deleted';
