use super::super::dispatch::members;
use super::super::error::Code;
use super::super::operation::Operation;
use super::*;
use rstest::rstest;

const KEY: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

fn read(operation: Operation, body: &str) -> Result<Input, AwsError> {
    Input::read(members(operation).unwrap(), body.as_bytes())
}

fn refusal(operation: Operation, body: &str) -> (Code, String) {
    let error = read(operation, body).err().unwrap_or_else(|| panic!("accepted: {body}"));
    assert_eq!((error.code.status().as_u16(), error.cause()), (400, None));
    (error.code, error.message)
}

#[test]
fn an_encryption_is_read_whole() {
    let body = format!(
        r#"{{"KeyId":"{KEY}","Plaintext":"AP\/\u002b","EncryptionContext":{{"b":"2","":"\ud83d\udd11","a":""}},
            "GrantTokens":[],"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","DryRun":false,"Unknown":{{"a":[1,null,"x"]}}}}"#
    );
    let mut input = read(Operation::Encrypt, &body).unwrap();
    assert_eq!(input.text("KeyId"), Some(KEY));
    assert_eq!(input.take_blob("Plaintext").map(|bytes| bytes.to_vec()), Some(vec![0, 0xff, 0xfe]));
    assert!(!input.has("Plaintext") && !input.has("Unknown") && input.has("GrantTokens") && input.has("DryRun"));
    let context = [("", "\u{1f511}"), ("a", ""), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(input.take_map("EncryptionContext"), context.into());
    assert!(!input.flag("DryRun") && input.texts("GrantTokens").is_empty());
}

#[test]
fn lists_tags_numbers_flags_and_structures_are_read() {
    let body = r#"{"Tags":[{"TagKey":"b","TagValue":""},{"TagValue":"v","TagKey":"a","Other":1}],"MultiRegion":true}"#;
    let input = read(Operation::CreateKey, body).unwrap();
    let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(input.tags("Tags"), [tag("b", ""), tag("a", "v")]);
    assert!(input.flag("MultiRegion"));
    let input = read(Operation::GenerateRandom, r#"{"NumberOfBytes":1024,"Recipient":{"x":{}}}"#).unwrap();
    assert_eq!((input.int("NumberOfBytes"), input.has("Recipient")), (Some(1024), true));
    let input = read(Operation::UntagResource, &format!(r#"{{"KeyId":"{KEY}","TagKeys":["a","b"]}}"#)).unwrap();
    assert_eq!(input.texts("TagKeys"), ["a", "b"]);
}

#[rstest]
#[case("")]
#[case(" \r\n")]
#[case("{}")]
#[case(r#"{"Limit":null,"Marker":null,"limit":7,"a":null}"#)]
fn an_empty_body_and_nulls_are_absent_members(#[case] body: &str) {
    let input = read(Operation::ListKeys, body).unwrap();
    assert!(!input.has("Limit") && !input.has("Marker") && !input.has("limit"));
}

#[rstest]
#[case(r#"{"KeyId":1}"#, "NUMBER_VALUE can not be converted to a String")]
#[case(r#"{"KeyId":1.5}"#, "DECIMAL_VALUE can not be converted to a String")]
#[case(r#"{"KeyId":true}"#, "TRUE_VALUE can not be converted to a String")]
#[case(r#"{"KeyId":["x"]}"#, "Start of list found where not expected")]
#[case(r#"{"KeyId":{"a":1}}"#, "Start of structure or map found where not expected.")]
#[case(r#"{"KeyId":"","NumberOfBytes":"1"}"#, "STRING_VALUE can not be converted to an Integer")]
#[case(r#"{"NumberOfBytes":false}"#, "FALSE_VALUE can not be converted to an Integer")]
#[case(r#"{"NumberOfBytes":1e3}"#, "DECIMAL_VALUE can not be converted to an Integer")]
#[case(r#"{"NumberOfBytes":[1]}"#, "Start of list found where not expected")]
#[case(r#"{"DryRun":"true"}"#, "STRING_VALUE can not be converted to a Boolean")]
#[case(r#"{"DryRun":0}"#, "NUMBER_VALUE can not be converted to a Boolean")]
#[case(r#"{"KeySpec":7}"#, "NUMBER_VALUE can not be converted to a String")]
#[case(r#"{"GrantTokens":"x"}"#, "Expected list or null")]
#[case(r#"{"GrantTokens":{}}"#, "Start of structure or map found where not expected.")]
#[case(r#"{"GrantTokens":[1]}"#, "NUMBER_VALUE can not be converted to a String")]
#[case(r#"{"GrantTokens":[["x"]]}"#, "Start of list found where not expected")]
#[case(r#"{"Recipient":"x"}"#, "Expected null")]
#[case(r#"{"Recipient":[]}"#, "Start of list found where not expected")]
#[case(r#"{"EncryptionContext":"x"}"#, "Expected map or null")]
#[case(r#"{"EncryptionContext":[]}"#, "Start of list found where not expected")]
#[case(r#"{"EncryptionContext":{"a":1}}"#, "NUMBER_VALUE can not be converted to a String")]
#[case(r#"{"EncryptionContext":{"a":{}}}"#, "Start of structure or map found where not expected.")]
#[case("[]", "Start of list found where not expected")]
#[case("null", "Expected a structure")]
#[case("7", "Expected a structure")]
#[case(r#""x""#, "Expected a structure")]
fn a_value_of_another_type_is_refused_before_any_constraint(#[case] body: &str, #[case] text: &str) {
    assert_eq!(refusal(Operation::GenerateDataKey, body), (Code::Serialization, text.to_owned()));
}

#[rstest]
#[case(r#"{"Plaintext":7}"#, "NUMBER_VALUE can not be converted to a Blob")]
#[case(r#"{"Plaintext":{"data":[1]}}"#, "Start of structure or map found where not expected.")]
#[case(r#"{"Plaintext":"SECRET"}"#, "The value at 'plaintext' is not valid Base64 (RFC 4648, section 4)")]
#[case(r#"{"Plaintext":"SECRET=="}"#, "The value at 'plaintext' is not valid Base64 (RFC 4648, section 4)")]
#[case(r#"{"Plaintext":"SECR-T_="}"#, "The value at 'plaintext' is not valid Base64 (RFC 4648, section 4)")]
#[case(r#"{"Plaintext":"SECR ETS"}"#, "The value at 'plaintext' is not valid Base64 (RFC 4648, section 4)")]
#[case(r#"{"Plaintext":"AB=="}"#, "The value at 'plaintext' is not valid Base64 (RFC 4648, section 4)")]
fn bytes_are_padded_base64_of_the_standard_alphabet(#[case] body: &str, #[case] text: &str) {
    assert_eq!(refusal(Operation::Encrypt, body), (Code::Serialization, text.to_owned()));
}

#[rstest]
#[case("{", "the body is not JSON, at line 1 column 1")]
#[case(r#"{"KeyId":"x",}"#, "the body is not JSON")]
#[case(r#"{"KeyId":"x"} x"#, "the body is not JSON")]
#[case(r#"{"KeyId":SECRET}"#, "the body is not JSON, at line 1 column 10")]
#[case(r#"{"KeyId":"\ud800"}"#, "the body is not JSON")]
#[case(r#"{"KeyId":"\ud800x"}"#, "the body is not JSON")]
#[case(r#"{"Unknown":"\udc00"}"#, "the body is not JSON")]
#[case(r#"{"EncryptionContext":{"\udc00":"x"}}"#, "the body is not JSON")]
#[case("{\"KeyId\":\"a\nb\"}", "the body is not JSON")]
#[case("\u{feff}{}", "the body is not JSON")]
#[case(r#"{"NumberOfBytes":1e999}"#, "the body is not JSON")]
#[case(r#"{"NumberOfBytes":01}"#, "the body is not JSON")]
#[case(r#"{"KeyId":"x","KeyId":"x"}"#, "a name is given twice in one object, at line 1 column")]
#[case(r#"{"KeyId":null,"\u004beyId":"x"}"#, "a name is given twice")]
#[case(r#"{"EncryptionContext":{"a":"1","a":"2"}}"#, "a name is given twice")]
#[case(r#"{"EncryptionContext":{"a":null,"\u0061":null}}"#, "a name is given twice")]
#[case(r#"{"Unknown":1,"Unknown":2}"#, "a name is given twice")]
#[case(r#"{"Unknown":[{"a":1,"a":2}]}"#, "a name is given twice")]
#[case(r#"{"KeyId":[{"a":1,"a":2}]}"#, "a name is given twice")]
#[case(r#"{"Recipient":{"a":{"b":1,"b":2}}}"#, "a name is given twice")]
fn what_is_not_json_or_ambiguous_is_refused_without_being_repeated(#[case] body: &str, #[case] text: &str) {
    let (code, message) = refusal(Operation::Decrypt, body);
    assert_eq!(code, Code::Serialization);
    assert!(message.starts_with(text) && !message.contains("SECRET"), "{message}");
}

#[test]
fn a_tag_with_a_name_twice_is_refused() {
    for tag in [r#"{"TagKey":"a","TagValue":"b","TagKey":"a"}"#, r#"{"TagKey":"a","TagValue":"b","x":1,"x":1}"#] {
        let (code, message) = refusal(Operation::CreateKey, &format!(r#"{{"Tags":[{tag}]}}"#));
        assert!(code == Code::Serialization && message.starts_with("a name is given twice"), "{message}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    for body in [&b"{\"KeyId\":\"\xff\"}"[..], b"{\"Unknown\":\"\xed\xa0\x80\"}", b"{\"\xc0\x80\":1}"] {
        let error = Input::read(members(Operation::DescribeKey).unwrap(), body).err().unwrap();
        assert!(error.code == Code::Serialization && error.message.starts_with("the body is not JSON"));
    }
}

#[rstest]
#[case(120, true)]
#[case(200, false)]
#[case(100_000, false)]
fn depth_is_bounded(#[case] depth: usize, #[case] accepted: bool) {
    let body = format!("{{\"Unknown\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(Operation::ListKeys, &body).is_ok(), accepted);
    let body = format!("{}1{}", "{\"Unknown\":".repeat(depth), "}".repeat(depth));
    assert_eq!(read(Operation::ListKeys, &body).is_ok(), accepted);
}

fn violation(operation: Operation, body: &str) -> String {
    let (code, message) = refusal(operation, body);
    assert_eq!(code, Code::Validation, "{message}");
    message
}

#[rstest]
#[case(Operation::DescribeKey, "{}", "Value null at 'keyId' failed to satisfy constraint: Member must not be null")]
#[case(
    Operation::DescribeKey,
    r#"{"KeyId":""}"#,
    "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1"
)]
#[case(
    Operation::GenerateDataKey,
    r#"{"KeyId":"x","KeySpec":"AES_512"}"#,
    "Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]"
)]
#[case(
    Operation::GenerateRandom,
    r#"{"NumberOfBytes":0}"#,
    "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1"
)]
#[case(
    Operation::GenerateRandom,
    r#"{"NumberOfBytes":1025}"#,
    "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024"
)]
#[case(
    Operation::ListKeys,
    r#"{"Limit":-9223372036854775808}"#,
    "Value '-9223372036854775808' at 'limit' failed to satisfy constraint: Member must have value greater than or equal \
     to 1"
)]
#[case(
    Operation::ScheduleKeyDeletion,
    r#"{"KeyId":"x","PendingWindowInDays":6}"#,
    "Value '6' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value greater than or equal to 7"
)]
#[case(
    Operation::DeleteAlias,
    r#"{"AliasName":"alias/a b"}"#,
    "Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: \
     ^[a-zA-Z0-9:/_-]+$"
)]
#[case(
    Operation::Encrypt,
    r#"{"KeyId":"x","Plaintext":""}"#,
    "Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1"
)]
#[case(
    Operation::TagResource,
    r#"{"KeyId":"x","Tags":[{"TagKey":"","TagValue":"v"}]}"#,
    "Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"
)]
#[case(
    Operation::TagResource,
    r#"{"KeyId":"x","Tags":[{"TagKey":"a","TagValue":"v"},{"TagKey":"b","TagValue":null}]}"#,
    "Value null at 'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null"
)]
#[case(
    Operation::UntagResource,
    r#"{"KeyId":"x","TagKeys":["a",""]}"#,
    "Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than \
     or equal to 128, Member must have length greater than or equal to 1]"
)]
#[case(
    Operation::ListKeys,
    r#"{"ResourceOwners":["ME"]}"#,
    "Value at 'resourceOwners' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum \
     value set: [SELF, OTHER_ACCOUNTS_VIA_RAM]]"
)]
#[case(
    Operation::ListKeys,
    r#"{"ResourceOwners":[]}"#,
    "Value at 'resourceOwners' failed to satisfy constraint: Member must have length greater than or equal to 1"
)]
#[case(
    Operation::Decrypt,
    r#"{"EncryptionContext":{"a":"SECRET","b":null}}"#,
    "Value at 'encryptionContext' failed to satisfy constraint: Map value must satisfy constraint: [Member must not be \
     null]"
)]
#[case(
    Operation::Decrypt,
    r#"{"GrantTokens":["SECRET",null]}"#,
    "Value at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: [Member must not be null]"
)]
#[case(
    Operation::GetKeyPolicy,
    r#"{"KeyId":"x","PolicyName":"a-b"}"#,
    r"Value 'a-b' at 'policyName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]+"
)]
fn a_broken_constraint_is_told_in_the_clouds_words(
    #[case] operation: Operation,
    #[case] body: &str,
    #[case] text: &str,
) {
    assert_eq!(violation(operation, body), format!("1 validation error detected: {text}"));
}

#[test]
fn all_broken_constraints_are_told_at_once() {
    let body = r#"{"Limit":0,"Marker":"","KeyId":null}"#;
    let expected = "3 validation errors detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value \
                    greater than or equal to 1; Value '' at 'marker' failed to satisfy constraint: Member must have length \
                    greater than or equal to 1; Value null at 'keyId' failed to satisfy constraint: Member must not be null";
    assert_eq!(violation(Operation::ListResourceTags, body), expected);
}

#[test]
fn many_broken_constraints_are_counted() {
    let tags = "{},".repeat(20_000);
    let body = format!(r#"{{"KeyId":"x","Tags":[{}]}}"#, tags.trim_end_matches(','));
    let message = violation(Operation::TagResource, &body);
    assert!(message.starts_with("40000 validation errors detected: Value null at 'tags.1.member.tagKey'"), "{message}");
    assert_eq!(message.matches("Member must not be null").count(), 10);
}

#[rstest]
#[case(r#"{"KeyId":"x","Tags":[null]}"#, Code::Validation, "Member must not be null]")]
#[case(r#"{"KeyId":"x","Tags":["a"]}"#, Code::Serialization, "Expected null")]
#[case(r#"{"KeyId":"x","Tags":[[]]}"#, Code::Serialization, "Start of list found where not expected")]
fn what_is_no_tag_is_refused(#[case] body: &str, #[case] code: Code, #[case] text: &str) {
    let (found, message) = refusal(Operation::TagResource, body);
    assert!(found == code && message.ends_with(text), "{message}");
}

#[test]
fn the_longest_values_are_taken_and_longer_ones_refused_unquoted() {
    let alias = |length: usize| format!(r#"{{"AliasName":"{}"}}"#, "a".repeat(length));
    assert!(read(Operation::DeleteAlias, &alias(256)).is_ok());
    let message = violation(Operation::DeleteAlias, &alias(257));
    assert!(message.starts_with("1 validation error detected: Value at 'aliasName'"), "{message}");
    // Characters, not bytes.
    let description = |length: usize| format!(r#"{{"Description":"{}"}}"#, "\u{fc}".repeat(length));
    assert!(read(Operation::CreateKey, &description(8192)).is_ok());
    assert!(!violation(Operation::CreateKey, &description(8193)).contains('\u{fc}'));
    use base64::Engine as _;
    let plaintext = |length: usize| {
        let base64 = base64::engine::general_purpose::STANDARD.encode(vec![7; length]);
        format!(r#"{{"KeyId":"x","Plaintext":"{base64}"}}"#)
    };
    assert!(read(Operation::Encrypt, &plaintext(4096)).is_ok());
    let message = violation(Operation::Encrypt, &plaintext(4097));
    let expected = "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length \
                    less than or equal to 4096";
    assert_eq!(message, expected);
}

#[test]
fn a_member_that_only_this_request_must_have_is_refused_as_any() {
    let error = missing("CiphertextBlob");
    let expected = "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must \
                    not be null";
    assert_eq!((error.code, error.message.as_str()), (Code::Validation, expected));
}

#[test]
fn names_are_those_of_the_table_to_the_letter() {
    let input = read(Operation::ListKeys, r#"{"LIMIT":1,"Limit ":2,"Limi":3}"#).unwrap();
    assert_eq!(input.int("Limit"), None);
}
