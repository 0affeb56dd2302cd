use super::*;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

const ACCOUNT: &str = "000000000042";

fn account() -> AccountId {
    AccountId::from_stored(42)
}

fn default() -> Value {
    serde_json::from_str(&default_of(account())).unwrap()
}

fn is_accepted(policy: &Value) -> bool {
    require_default(&policy.to_string(), account()).is_ok()
}

fn code(text: &str) -> Option<Code> {
    require_default(text, account()).err().map(|error| error.code)
}

#[test]
fn the_default_policy_is_printed_as_in_the_cloud() {
    let expected = "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n    \
        \"Sid\" : \"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \
        \"AWS\" : \"arn:aws:iam::000000000042:root\"\n    },\n    \"Action\" : \"kms:*\",\n    \
        \"Resource\" : \"*\"\n  } ]\n}";
    assert_eq!(default_of(account()), expected);
    assert_eq!(code(expected), None);
}

#[rstest]
#[case("")]
#[case("{")]
#[case("null")]
#[case("[]")]
#[case("\"*\"")]
#[case("{}")]
#[case(r#"{"Version":"2012-10-17","Statement":[]}"#)]
#[case(r#"{"Version":"2012-10-17","Statement":["x"]}"#)]
#[case(r#"{"Version":"2013-01-01","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}"#)]
#[case(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Principal":"*","Action":"kms:*","Resource":"*"}]}"#)]
#[case(r#"{"Version":"2012-10-17","Statement":[{"Principal":"*","Action":"kms:*","Resource":"*"}]}"#)]
#[case(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#)]
#[case(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Resource":"*"}]}"#)]
#[case(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*"}]}"#)]
fn what_is_no_policy_is_malformed(#[case] text: &str) {
    assert_eq!(code(text), Some(Code::MalformedPolicyDocument));
}

#[test]
fn text_after_the_policy_is_malformed() {
    assert_eq!(code(&format!("{} {{}}", default())), Some(Code::MalformedPolicyDocument));
}

#[test]
fn a_member_that_is_there_twice_is_malformed() {
    for member in ["\"Effect\":\"Allow\"", "\"Action\":\"kms:*\""] {
        let text = default().to_string();
        assert!(text.contains(member));
        let twice = text.replace(member, &format!("{member},{member}"));
        assert_eq!(code(&twice), Some(Code::MalformedPolicyDocument), "{twice}");
    }
}

#[test]
fn policies_nested_too_deeply_are_malformed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code(&deep), Some(Code::MalformedPolicyDocument));
}

/// One change of the default policy each, at the path that is named; `null` removes what is there.
#[rstest]
#[case("/Version", json!(null))]
#[case("/Version", json!("2008-10-17"))]
#[case("/Id", json!("key-consolepolicy-3"))]
#[case("/Extra", json!("x"))]
#[case("/Statement/0/Sid", json!("Other"))]
#[case("/Statement/0/Effect", json!("Deny"))]
#[case("/Statement/0/Principal", json!("*"))]
#[case("/Statement/0/Principal", json!({"AWS": "*"}))]
#[case("/Statement/0/Principal", json!({"AWS": "arn:aws:iam::000000000043:root"}))]
#[case("/Statement/0/Principal", json!({"AWS": "arn:aws:iam::000000000042:user/a"}))]
#[case("/Statement/0/Principal", json!({"AWS": ["000000000042", "000000000043"]}))]
#[case("/Statement/0/Principal", json!({"AWS": []}))]
#[case("/Statement/0/Principal/Service", json!("kms.amazonaws.com"))]
#[case("/Statement/0/Action", json!("kms:Encrypt"))]
#[case("/Statement/0/Action", json!("*"))]
#[case("/Statement/0/Action", json!(["kms:*", "s3:*"]))]
#[case("/Statement/0/Resource", json!("arn:aws:kms:us-east-1:000000000042:key/x"))]
#[case("/Statement/0/Resource", json!([]))]
#[case("/Statement/0/Condition", json!({}))]
#[case("/Statement/0/Condition", json!({"Bool": {"aws:SecureTransport": "true"}}))]
#[case("/Statement/1", json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}))]
fn a_policy_with_another_meaning_is_not_supported(#[case] path: &str, #[case] value: Value) {
    let mut policy = default();
    put(&mut policy, path, value);
    assert_eq!(code(&policy.to_string()), Some(Code::UnsupportedOperation), "{policy}");
}

fn put(policy: &mut Value, path: &str, value: Value) {
    let (parent, name) = path.rsplit_once('/').unwrap();
    match policy.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => drop(members.remove(name).unwrap()),
        Value::Object(members) => drop(members.insert(name.to_owned(), value)),
        Value::Array(items) => items.push(value),
        other => panic!("{other} has no members"),
    }
}

/// The default policy in one of the forms that mean the same: members in any order, single values as lists, labels left
/// out, the account for its root.
fn forms() -> impl Strategy<Value = String> {
    let lists = proptest::collection::vec(any::<bool>(), 4);
    let labels = (any::<bool>(), any::<bool>(), any::<bool>());
    let orders = (Just(vec![0, 1, 2]).prop_shuffle(), Just(vec![0, 1, 2, 3, 4]).prop_shuffle());
    let spaces = proptest::collection::vec(prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n")], 32);
    (lists, labels, orders, spaces).prop_map(|(lists, (id, sid, bare), (outer, inner), spaces)| {
        let listed = |text: String, as_list: bool| if as_list { format!("[ {text} ]") } else { text };
        let root = if bare { ACCOUNT.to_owned() } else { format!("arn:aws:iam::{ACCOUNT}:root") };
        let statement = [
            sid.then(|| format!("\"Sid\" : \"{SID}\"")),
            Some("\"Effect\" : \"Allow\"".to_owned()),
            Some(format!("\"Principal\" : {{ \"AWS\" : {} }}", listed(format!("\"{root}\""), lists[0]))),
            Some(format!("\"Action\" : {}", listed("\"kms:*\"".into(), lists[1]))),
            Some(format!("\"Resource\" : {}", listed("\"*\"".into(), lists[2]))),
        ];
        let joined = |members: &[Option<String>], order: &[usize]| {
            order.iter().filter_map(|&at| members[at].clone()).collect::<Vec<_>>().join(" , ")
        };
        let statement = listed(format!("{{ {} }}", joined(&statement, &inner)), lists[3]);
        let policy = [
            Some(format!("\"Version\" : \"{VERSION}\"")),
            id.then(|| format!("\"Id\" : \"{ID}\"")),
            Some(format!("\"Statement\" : {statement}")),
        ];
        respaced(&format!("{{ {} }}", joined(&policy, &outer)), &spaces)
    })
}

/// The text with every space outside of strings replaced by one of `spaces`, in turn.
fn respaced(text: &str, spaces: &[&str]) -> String {
    let mut in_string = false;
    let mut at = 0;
    let mut out = String::new();
    for c in text.chars() {
        in_string ^= c == '"';
        if c == ' ' && !in_string {
            out.push_str(spaces[at % spaces.len()]);
            at += 1;
        } else {
            out.push(c);
        }
    }
    out
}

proptest! {
    #[test]
    fn the_default_policy_is_accepted_however_it_is_written(text in forms()) {
        prop_assert_eq!(code(&text), None, "{}", text);
    }

    #[test]
    fn a_policy_with_any_changed_text_is_refused(which in 0..7_usize, text in "[ -~]{0,40}") {
        let path = ["/Version", "/Id", "/Statement/0/Sid", "/Statement/0/Effect", "/Statement/0/Principal/AWS",
            "/Statement/0/Action", "/Statement/0/Resource"][which];
        let mut policy = default();
        let before = policy.pointer(path).unwrap().clone();
        prop_assume!(before != Value::String(text.clone()) && text != ACCOUNT);
        put(&mut policy, path, Value::String(text));
        prop_assert!(!is_accepted(&policy), "{}", policy);
    }

    #[test]
    fn a_policy_with_any_more_members_is_refused(which in 0..3_usize, name in "[A-Za-z]{1,12}") {
        let path = ["", "/Statement/0", "/Statement/0/Principal"][which];
        let mut policy = default();
        let target = policy.pointer_mut(path).unwrap().as_object_mut().unwrap();
        prop_assume!(!target.contains_key(&name));
        target.insert(name, json!("x"));
        prop_assert!(!is_accepted(&policy), "{}", policy);
    }

    #[test]
    fn any_text_is_accepted_or_refused(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }
}
