//! Tables of members, with types, lengths, ranges, patterns and names, as the service model of 2014-11-01 has them. Where
//! the documented rule is narrower than the model's shape, the rule stands here. [`dispatch`](super::dispatch) says which
//! operation takes which.

/// A member of a structure.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it may be.
    pub shape: Shape,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A string.
    Text(Text),
    /// One of these names.
    Name(&'static [&'static str]),
    /// A number in this range.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// Bytes, which are base64 on the wire.
    Blob {
        /// The fewest bytes.
        min: usize,
        /// The most bytes.
        max: usize,
    },
    /// A map from string to string, of any size.
    Map,
    /// A list of strings.
    Texts {
        /// The shortest list.
        min: usize,
        /// The longest list.
        max: usize,
        /// What its strings may be.
        item: Item,
    },
    /// A list of tags.
    Tags,
    /// A structure that only has to be known to be there.
    Structure,
}

/// What the strings of a list may be.
#[derive(Debug, Clone, Copy)]
pub enum Item {
    /// Strings.
    Text(Text),
    /// Some of these names.
    Name(&'static [&'static str]),
}

/// What a string may be.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The fewest characters.
    pub min: usize,
    /// The most characters.
    pub max: usize,
    /// Which characters, if not all.
    pub pattern: Option<Pattern>,
}

/// A pattern. All that are needed ask the same of every character.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// As refusals quote it.
    pub text: &'static str,
    /// Whether a character fits.
    pub fits: fn(char) -> bool,
}

const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

const fn text(min: usize, max: usize) -> Shape {
    Shape::Text(Text { min, max, pattern: None })
}

const fn matching(min: usize, max: usize, text: &'static str, fits: fn(char) -> bool) -> Shape {
    Shape::Text(Text { min, max, pattern: Some(Pattern { text, fits }) })
}

const fn is_alias_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '_' | '-')
}

const fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

const fn is_latin_1(c: char) -> bool {
    matches!(c, '\u{20}'..='\u{ff}')
}

const fn is_policy_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || is_latin_1(c)
}

const fn is_external_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

// ---- enumerations

const CUSTOMER_MASTER_KEY_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
];
const KEY_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SYMMETRIC_DEFAULT",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
const KEY_PAIR_SPECS: &[&str] = &[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "SM2",
    "ECC_NIST_EDWARDS25519",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];
const DATA_KEY_SPECS: &[&str] = &["AES_256", "AES_128"];
const KEY_USAGES: &[&str] =
    &["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"];
const ORIGINS: &[&str] = &["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"];
const ENCRYPTION_ALGORITHMS: &[&str] = &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"];
const DRY_RUN_MODIFIER_NAMES: &[&str] = &["IGNORE_CIPHERTEXT"];
const INCLUDED_MATERIAL: &[&str] = &["ALL_KEY_MATERIAL", "ROTATIONS_ONLY"];
const RESOURCE_OWNER_NAMES: &[&str] = &["SELF", "OTHER_ACCOUNTS_VIA_RAM"];

// ---- shapes that several members have

const KEY_NAME: Shape = text(1, 2048);
const ALIAS_NAME: Shape = matching(1, 256, "^[a-zA-Z0-9:/_-]+$", is_alias_char);
const POLICY: Shape = matching(1, 131_072, r"[\u0009\u000A\u000D\u0020-\u00FF]+", is_policy_char);
const CIPHERTEXT: Shape = Shape::Blob { min: 1, max: 6144 };
const TAG_KEY: Text = Text { min: 1, max: 128, pattern: None };

// ---- members that several operations have

const KEY_ID: Member = required("KeyId", KEY_NAME);
const LIMIT: Member = optional("Limit", Shape::Int { min: 1, max: 1000 });
const MARKER: Member = optional("Marker", matching(1, 1024, r"[\u0020-\u00FF]*", is_latin_1));
const GRANT_TOKENS: Member = optional(
    "GrantTokens",
    Shape::Texts { min: 0, max: 10, item: Item::Text(Text { min: 1, max: 8192, pattern: None }) },
);
const ENCRYPTION_CONTEXT: Member = optional("EncryptionContext", Shape::Map);
const NUMBER_OF_BYTES: Member = optional("NumberOfBytes", Shape::Int { min: 1, max: 1024 });
const KEY_PAIR_SPEC: Member = required("KeyPairSpec", Shape::Name(KEY_PAIR_SPECS));
const DATA_KEY_SPEC: Member = optional("KeySpec", Shape::Name(DATA_KEY_SPECS));
const DRY_RUN: Member = optional("DryRun", Shape::Flag);
const DRY_RUN_MODIFIERS: Member =
    optional("DryRunModifiers", Shape::Texts { min: 0, max: 1, item: Item::Name(DRY_RUN_MODIFIER_NAMES) });
const RECIPIENT: Member = optional("Recipient", Shape::Structure);
const CUSTOM_KEY_STORE_ID: Member = optional("CustomKeyStoreId", text(1, 64));
const SKIP_LOCKOUT_CHECK: Member = optional("BypassPolicyLockoutSafetyCheck", Shape::Flag);
const POLICY_NAME: Member = optional("PolicyName", matching(1, 128, r"[\w]+", is_word_char));

/// A tag.
pub const TAG: &[Member] = &[required("TagKey", Shape::Text(TAG_KEY)), required("TagValue", text(0, 256))];

// ---- operations: `dispatch` says which takes which

pub(super) const ONLY_KEY_ID: &[Member] = &[KEY_ID];
pub(super) const CREATE_KEY: &[Member] = &[
    optional("Policy", POLICY),
    optional("Description", text(0, 8192)),
    optional("KeyUsage", Shape::Name(KEY_USAGES)),
    optional("CustomerMasterKeySpec", Shape::Name(CUSTOMER_MASTER_KEY_SPECS)),
    optional("KeySpec", Shape::Name(KEY_SPECS)),
    optional("Origin", Shape::Name(ORIGINS)),
    CUSTOM_KEY_STORE_ID,
    SKIP_LOCKOUT_CHECK,
    optional("Tags", Shape::Tags),
    optional("MultiRegion", Shape::Flag),
    optional("XksKeyId", matching(1, 128, "^[a-zA-Z0-9-_.]+$", is_external_id_char)),
];
pub(super) const DESCRIBE_KEY: &[Member] = &[KEY_ID, GRANT_TOKENS];
pub(super) const LIST_KEYS: &[Member] = &[
    LIMIT,
    MARKER,
    optional("ResourceOwners", Shape::Texts { min: 1, max: 2, item: Item::Name(RESOURCE_OWNER_NAMES) }),
];
/// The model's shape is 1..365; the documented and enforced window is 7..30 days.
pub(super) const SCHEDULE_KEY_DELETION: &[Member] =
    &[KEY_ID, optional("PendingWindowInDays", Shape::Int { min: 7, max: 30 })];
pub(super) const UPDATE_KEY_DESCRIPTION: &[Member] = &[KEY_ID, required("Description", text(0, 8192))];
pub(super) const ENABLE_KEY_ROTATION: &[Member] =
    &[KEY_ID, optional("RotationPeriodInDays", Shape::Int { min: 90, max: 2560 })];
pub(super) const LIST_KEY_ROTATIONS: &[Member] =
    &[KEY_ID, optional("IncludeKeyMaterial", Shape::Name(INCLUDED_MATERIAL)), LIMIT, MARKER];
pub(super) const LIST_OF_KEY: &[Member] = &[KEY_ID, LIMIT, MARKER];
pub(super) const ENCRYPT: &[Member] = &[
    KEY_ID,
    required("Plaintext", Shape::Blob { min: 1, max: 4096 }),
    ENCRYPTION_CONTEXT,
    GRANT_TOKENS,
    optional("EncryptionAlgorithm", Shape::Name(ENCRYPTION_ALGORITHMS)),
    DRY_RUN,
];
/// The ciphertext may be absent in a dry run that ignores it.
pub(super) const DECRYPT: &[Member] = &[
    optional("CiphertextBlob", CIPHERTEXT),
    ENCRYPTION_CONTEXT,
    GRANT_TOKENS,
    optional("KeyId", KEY_NAME),
    optional("EncryptionAlgorithm", Shape::Name(ENCRYPTION_ALGORITHMS)),
    RECIPIENT,
    DRY_RUN,
    DRY_RUN_MODIFIERS,
];
pub(super) const RE_ENCRYPT: &[Member] = &[
    optional("CiphertextBlob", CIPHERTEXT),
    optional("SourceEncryptionContext", Shape::Map),
    optional("SourceKeyId", KEY_NAME),
    required("DestinationKeyId", KEY_NAME),
    optional("DestinationEncryptionContext", Shape::Map),
    optional("SourceEncryptionAlgorithm", Shape::Name(ENCRYPTION_ALGORITHMS)),
    optional("DestinationEncryptionAlgorithm", Shape::Name(ENCRYPTION_ALGORITHMS)),
    GRANT_TOKENS,
    DRY_RUN,
    DRY_RUN_MODIFIERS,
];
pub(super) const GENERATE_DATA_KEY: &[Member] =
    &[KEY_ID, ENCRYPTION_CONTEXT, NUMBER_OF_BYTES, DATA_KEY_SPEC, GRANT_TOKENS, RECIPIENT, DRY_RUN];
pub(super) const GENERATE_DATA_KEY_WITHOUT_PLAINTEXT: &[Member] =
    &[KEY_ID, ENCRYPTION_CONTEXT, DATA_KEY_SPEC, NUMBER_OF_BYTES, GRANT_TOKENS, DRY_RUN];
pub(super) const GENERATE_DATA_KEY_PAIR: &[Member] =
    &[ENCRYPTION_CONTEXT, KEY_ID, KEY_PAIR_SPEC, GRANT_TOKENS, RECIPIENT, DRY_RUN];
pub(super) const GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT: &[Member] =
    &[ENCRYPTION_CONTEXT, KEY_ID, KEY_PAIR_SPEC, GRANT_TOKENS, DRY_RUN];
pub(super) const GENERATE_RANDOM: &[Member] = &[NUMBER_OF_BYTES, CUSTOM_KEY_STORE_ID, RECIPIENT];
pub(super) const ALIAS_AND_TARGET: &[Member] = &[required("AliasName", ALIAS_NAME), required("TargetKeyId", KEY_NAME)];
pub(super) const DELETE_ALIAS: &[Member] = &[required("AliasName", ALIAS_NAME)];
pub(super) const LIST_ALIASES: &[Member] = &[optional("KeyId", KEY_NAME), LIMIT, MARKER];
pub(super) const TAG_RESOURCE: &[Member] = &[KEY_ID, required("Tags", Shape::Tags)];
pub(super) const UNTAG_RESOURCE: &[Member] =
    &[KEY_ID, required("TagKeys", Shape::Texts { min: 0, max: usize::MAX, item: Item::Text(TAG_KEY) })];
pub(super) const GET_KEY_POLICY: &[Member] = &[KEY_ID, POLICY_NAME];
pub(super) const PUT_KEY_POLICY: &[Member] = &[KEY_ID, POLICY_NAME, required("Policy", POLICY), SKIP_LOCKOUT_CHECK];

#[cfg(test)]
mod tests {
    use super::super::dispatch::members;
    use super::super::operation::Operation;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_of_a_table_differ() {
        let served = |operation: &Operation| Some((*operation, members(*operation)?));
        for (operation, table) in Operation::ALL.iter().filter_map(served) {
            let names: BTreeSet<&str> = table.iter().map(|member| member.name).collect();
            assert_eq!(names.len(), table.len(), "{operation:?}");
            assert!(names.len() < 32, "the reader counts in 32 bits");
        }
    }

    #[test]
    fn patterns_take_what_they_say() {
        let all: String = (0..=0x17f).filter_map(char::from_u32).collect();
        let taken = |fits: fn(char) -> bool| all.chars().filter(|c| fits(*c)).collect::<String>();
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
        assert_eq!(taken(is_word_char), format!("0123456789{letters}"));
        assert_eq!(taken(is_alias_char), format!("-/0123456789:{letters}"));
        assert_eq!(taken(is_external_id_char), format!("-.0123456789{letters}"));
        assert_eq!(taken(is_latin_1).chars().count(), 0xe0);
        assert_eq!(taken(is_policy_char).chars().count(), 0xe3);
    }
}
