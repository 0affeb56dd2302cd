//! From operations to handlers.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::operation::Operation;
use super::output::Output;
use super::shapes;
use super::{aliases, crypto, data_keys, keys, policies, re_encrypt, rotation, tags};

/// What is served: operation, the table of its members, and its handler.
macro_rules! served {
    ($($operation:ident($members:ident) => $handler:path;)*) => {
        /// Runs the operation of a request.
        ///
        /// # Errors
        /// The operation's; UnsupportedOperationException for those that are not served.
        pub async fn dispatch(call: &Call<'_>, body: &[u8]) -> Result<Output, AwsError> {
            match call.operation {
                $(Operation::$operation => $handler(call, Input::read(shapes::$members, body)?).await,)*
                other => Err(AwsError::unsupported(format!("{} is not supported.", other.name()))),
            }
        }

        /// The members that an operation takes; `None` if it is not served.
        #[must_use]
        pub const fn members(operation: Operation) -> Option<&'static [shapes::Member]> {
            match operation {
                $(Operation::$operation => Some(shapes::$members),)*
                _ => None,
            }
        }
    };
}

served! {
    CreateKey(CREATE_KEY) => keys::create_key;
    DescribeKey(DESCRIBE_KEY) => keys::describe_key;
    ListKeys(LIST_KEYS) => keys::list_keys;
    EnableKey(ONLY_KEY_ID) => keys::enable_key;
    DisableKey(ONLY_KEY_ID) => keys::disable_key;
    ScheduleKeyDeletion(SCHEDULE_KEY_DELETION) => keys::schedule_key_deletion;
    CancelKeyDeletion(ONLY_KEY_ID) => keys::cancel_key_deletion;
    UpdateKeyDescription(UPDATE_KEY_DESCRIPTION) => keys::update_key_description;
    EnableKeyRotation(ENABLE_KEY_ROTATION) => rotation::enable_key_rotation;
    DisableKeyRotation(ONLY_KEY_ID) => rotation::disable_key_rotation;
    GetKeyRotationStatus(ONLY_KEY_ID) => rotation::get_key_rotation_status;
    RotateKeyOnDemand(ONLY_KEY_ID) => rotation::rotate_key_on_demand;
    ListKeyRotations(LIST_KEY_ROTATIONS) => rotation::list_key_rotations;
    Encrypt(ENCRYPT) => crypto::encrypt;
    Decrypt(DECRYPT) => crypto::decrypt;
    ReEncrypt(RE_ENCRYPT) => re_encrypt::re_encrypt;
    GenerateDataKey(GENERATE_DATA_KEY) => data_keys::generate_data_key;
    GenerateDataKeyWithoutPlaintext(GENERATE_DATA_KEY_WITHOUT_PLAINTEXT) =>
        data_keys::generate_data_key_without_plaintext;
    GenerateDataKeyPair(GENERATE_DATA_KEY_PAIR) => data_keys::generate_data_key_pair;
    GenerateDataKeyPairWithoutPlaintext(GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT) =>
        data_keys::generate_data_key_pair_without_plaintext;
    GenerateRandom(GENERATE_RANDOM) => crypto::generate_random;
    CreateAlias(ALIAS_AND_TARGET) => aliases::create_alias;
    UpdateAlias(ALIAS_AND_TARGET) => aliases::update_alias;
    DeleteAlias(DELETE_ALIAS) => aliases::delete_alias;
    ListAliases(LIST_ALIASES) => aliases::list_aliases;
    TagResource(TAG_RESOURCE) => tags::tag_resource;
    UntagResource(UNTAG_RESOURCE) => tags::untag_resource;
    ListResourceTags(LIST_OF_KEY) => tags::list_resource_tags;
    GetKeyPolicy(GET_KEY_POLICY) => policies::get_key_policy;
    PutKeyPolicy(PUT_KEY_POLICY) => policies::put_key_policy;
    ListKeyPolicies(LIST_OF_KEY) => policies::list_key_policies;
}
