use super::*;
use proptest::prelude::*;
use rstest::rstest;

const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
const HERE: &str = "us-east-1";

fn account() -> AccountId {
    AccountId::from_stored(111_122_223_333)
}

fn named(given: &str, naming: Naming) -> Result<KeyName, AwsError> {
    key_name(given, naming, HERE, account())
}

fn id() -> KeyId {
    KeyId::parse(ID).unwrap()
}

#[test]
fn a_key_is_named_by_id_or_arn_everywhere_and_by_alias_where_allowed() {
    let alias = AliasName::new("alias/a/b").unwrap();
    let other = AccountId::from_stored(444_455_556_666);
    for naming in [Naming::IdOrArn, Naming::Any, Naming::AnyOrInvalidArn] {
        assert_eq!(named(ID, naming).unwrap(), KeyName::Id(account(), id()));
        let arn = "arn:aws:kms:us-east-1:444455556666:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
        assert_eq!(named(arn, naming).unwrap(), KeyName::Id(other, id()));
    }
    for naming in [Naming::Any, Naming::AnyOrInvalidArn] {
        assert_eq!(named("alias/a/b", naming).unwrap(), KeyName::Alias(account(), alias.clone()));
        let arn = "arn:aws:kms:us-east-1:444455556666:alias/a/b";
        assert_eq!(named(arn, naming).unwrap(), KeyName::Alias(other, alias.clone()));
    }
}

#[rstest]
#[case("", "Invalid keyId ''")]
#[case("x", "Invalid keyId 'x'")]
#[case("0b7c1b6e5a944c1e9a530d9d7d4b2f11", "Invalid keyId '0b7c1b6e5a944c1e9a530d9d7d4b2f11'")]
#[case("{0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11}", "Invalid keyId '{0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11}'")]
#[case("0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f1-", "Invalid keyId '0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f1-'")]
#[case("key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11", "Invalid keyId 'key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11'")]
#[case("mrk-1234", "Invalid keyId 'mrk-1234'")]
#[case("ARN:aws:kms:us-east-1:111122223333:key/x", "Invalid keyId 'ARN:aws:kms:us-east-1:111122223333:key/x'")]
#[case("arn:aws:kms:us-east-1:111122223333:key/x", "Invalid keyId 'x'")]
#[case(
    "0B7C1B6E-5A94-4C1E-9A53-0D9D7D4B2F11",
    "Key 'arn:aws:kms:us-east-1:111122223333:key/0B7C1B6E-5A94-4C1E-9A53-0D9D7D4B2F11' does not exist"
)]
#[case(
    "mrk-0b7c1b6e5a944c1e9a530d9d7d4b2f11",
    "Key 'arn:aws:kms:us-east-1:111122223333:key/mrk-0b7c1b6e5a944c1e9a530d9d7d4b2f11' does not exist"
)]
#[case(
    "arn:aws:kms:us-east-1:444455556666:key/mrk-0b7c1b6e5a944c1e9a530d9d7d4b2f11",
    "Key 'arn:aws:kms:us-east-1:444455556666:key/mrk-0b7c1b6e5a944c1e9a530d9d7d4b2f11' does not exist"
)]
#[case("arn:aws:kms:eu-west-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11", "Invalid arn eu-west-1")]
#[case("arn:aws:kms:eu-west-1:111122223333:alias/x", "Invalid arn eu-west-1")]
fn what_no_key_has_as_its_name_is_not_found(#[case] given: &str, #[case] text: &str) {
    for naming in [Naming::IdOrArn, Naming::Any, Naming::AnyOrInvalidArn] {
        assert_eq!(named(given, naming), Err(AwsError::not_found(text)));
    }
}

#[rstest]
#[case("alias/")]
#[case("alias/a b")]
#[case("alias/a:b")]
#[case("alias/\u{fc}")]
fn an_alias_that_nobody_can_have_is_not_found(#[case] given: &str) {
    let text = format!("Alias arn:aws:kms:us-east-1:111122223333:{given} is not found.");
    assert_eq!(named(given, Naming::Any), Err(AwsError::not_found(text)));
}

#[rstest]
#[case("alias/x")]
#[case("alias/aws/s3")]
#[case("arn:aws:kms:us-east-1:111122223333:alias/x")]
fn an_alias_is_not_found_where_only_ids_and_arns_are_taken(#[case] given: &str) {
    assert_eq!(named(given, Naming::IdOrArn), Err(AwsError::not_found(format!("Invalid keyId '{given}'"))));
}

#[rstest]
#[case("arn:")]
#[case("arn:aws:kms:us-east-1:111122223333")]
#[case("arn:aws:kms:us-east-1:111122223333:")]
#[case("arn:aws:kms:us-east-1:111122223333:key")]
#[case("arn:aws:kms:us-east-1:111122223333:key/")]
#[case("arn:aws:kms:us-east-1:111122223333:alias/")]
#[case("arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11/x")]
#[case("arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11:x")]
#[case("arn:aws:kms:us-east-1:111122223333:key:0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws:kms:us-east-1:111122223333:alias/x:y")]
#[case("arn:aws:kms:us-east-1::key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws:kms::111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws:kms:us-east-1:11112222333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws:kms:us-east-1:+11122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws-cn:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn::kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws:s3:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11")]
#[case("arn:aws:iam::111122223333:user/alice")]
fn an_arn_of_no_key_is_invalid_where_that_is_declared(#[case] given: &str) {
    let error = |naming| named(given, naming).unwrap_err();
    let text = format!("Invalid arn {given}");
    assert_eq!(error(Naming::IdOrArn), AwsError::new(Code::InvalidArn, text.clone()));
    assert_eq!(error(Naming::AnyOrInvalidArn), AwsError::new(Code::InvalidArn, text.clone()));
    assert_eq!(error(Naming::Any), AwsError::not_found(text));
}

#[test]
fn overlong_names_are_refused_and_not_repeated_whole() {
    let regions = "r".repeat(2000);
    for given in [
        "x".repeat(2048),
        format!("alias/{}", "x".repeat(2042)),
        format!("arn:aws:kms:{regions}:111122223333:key/{ID}"),
        format!("arn:aws:kms:us-east-1:111122223333:alias/{}", "x".repeat(2000)),
        format!("arn:{}", "\u{fc}".repeat(1000)),
    ] {
        let error = named(&given, Naming::Any).unwrap_err();
        assert!(error.code == Code::NotFound && error.message.chars().count() < 400, "{}", error.message);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        id in any::<[u8; 16]>(),
        number in 0_u64..1_000_000_000_000,
        region in "[a-z0-9-]{1,32}",
        alias in "alias/[a-zA-Z0-9/_-]{1,250}",
    ) {
        let (account, key) = (AccountId::from_stored(number), KeyId::from_bytes(id));
        let elsewhere = AccountId::from_stored(number ^ 1);
        let alias = AliasName::new(&alias).unwrap();
        for name in [KeyName::Id(account, key), KeyName::Alias(account, alias.clone())] {
            let arn = of_name(&region, &name);
            prop_assert_eq!(is_alias(&arn), matches!(name, KeyName::Alias(..)));
            prop_assert_eq!(key_name(&arn, Naming::Any, &region, elsewhere), Ok(name));
        }
        prop_assert_eq!(key_name(&key.to_string(), Naming::Any, &region, account), Ok(KeyName::Id(account, key)));
        prop_assert_eq!(key_name(alias.as_str(), Naming::Any, &region, account), Ok(KeyName::Alias(account, alias)));
    }

    #[test]
    fn any_text_is_answered_in_a_bounded_text(given in ".{0,2048}", prefix in "(arn:(aws:(kms:(us-east-1:)?)?)?)?") {
        for naming in [Naming::IdOrArn, Naming::Any, Naming::AnyOrInvalidArn] {
            if let Err(error) = named(&format!("{prefix}{given}"), naming) {
                prop_assert!(error.message.chars().count() < 400);
            }
        }
    }
}
