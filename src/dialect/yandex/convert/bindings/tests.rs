//! What is taken for a binding, and pages of a set.

use super::super::super::proto::yandex::cloud::access::Subject as WireSubject;
use super::*;
use crate::domain::id::FolderId;
use rstest::rstest;

const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
const KEY: BindingScope = BindingScope::Key(KeyId::from_bytes([1; 16]));

fn wire(role: &str, kind: &str, id: &str) -> AccessBinding {
    AccessBinding { role_id: role.into(), subject: Some(WireSubject { id: id.into(), r#type: kind.into() }) }
}

fn good() -> AccessBinding {
    wire("kms.viewer", "userAccount", "somebody")
}

fn change(action: i32, binding: Option<AccessBinding>) -> AccessBindingDelta {
    AccessBindingDelta { action, access_binding: binding }
}

/// The text of a refusal.
fn text<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    match result.unwrap_err() {
        ServiceError::Invalid(text) => text,
        other => panic!("not invalid: {other:?}"),
    }
}

#[test]
fn every_role_and_every_type_of_subject_is_read() {
    for role in Role::ALL {
        for kind in SubjectKind::ALL {
            let read = binding_set(vec![wire(role.name(), kind.name(), "x")]).unwrap();
            assert_eq!(read.as_slice(), [Binding { role, subject: Subject::new(kind, "x".into()).unwrap() }]);
        }
    }
}

#[test]
fn a_subject_may_be_unknown_here_and_its_id_is_kept_as_it_is() {
    let id = "\u{444}".repeat(MAX_SUBJECT_CHARS);
    let read = binding_set(vec![wire("kms.admin", "federatedUser", &id)]).unwrap();
    assert_eq!(read.as_slice()[0].subject.id(), id);
}

#[rstest]
#[case(wire("", "userAccount", "x"), "role_id is required")]
#[case(wire(&"r".repeat(65), "userAccount", "x"), "role_id must be at most 64 characters long")]
#[case(wire("kms.admin", "userAccount", ""), "subject.id is required")]
#[case(wire("kms.admin", "userAccount", &"x".repeat(101)), "subject.id must be at most 100 characters long")]
#[case(wire("kms.admin", "", "x"), "subject.type is required")]
#[case(wire("kms.admin", &"t".repeat(101), "x"), "subject.type must be at most 100 characters long")]
#[case(AccessBinding { subject: None, ..good() }, "subject is required")]
#[case(
    wire("kms.admin", "useraccount", "x"),
    "subject.type: \"useraccount\" is not a type; types are userAccount, serviceAccount, federatedUser, group, system"
)]
#[case(
    wire("owner", "userAccount", "x"),
    "role_id: \"owner\" is not a role; roles are kms.keys.user, kms.keys.encrypter, kms.keys.decrypter, kms.keys.encrypterDecrypter, kms.auditor, kms.viewer, kms.editor, kms.admin, claviger.operator"
)]
fn a_malformed_binding_is_refused_with_its_place(#[case] wrong: AccessBinding, #[case] expected: &str) {
    assert_eq!(text(binding_set(vec![good(), wrong.clone()])), format!("access_bindings[1].{expected}"));
    let deltas = vec![change(1, Some(wrong))];
    assert_eq!(text(binding_deltas(deltas)), format!("access_binding_deltas[0].access_binding.{expected}"));
}

#[test]
fn a_set_may_be_empty_and_has_at_most_1000_bindings() {
    assert_eq!(binding_set(Vec::new()).unwrap(), BindingSet::default());
    let many = |count: usize| (0..count).map(|id| wire("kms.viewer", "group", &id.to_string())).collect();
    assert_eq!(binding_set(many(1000)).unwrap().as_slice().len(), 1000);
    assert_eq!(text(binding_set(many(1001))), "access_bindings must have at most 1000 items");
    assert_eq!(text(binding_set(vec![good(); 1001])), "access_bindings must have at most 1000 items");
}

#[rstest]
#[case(change(0, Some(good())), "action is required")]
#[case(change(3, Some(good())), "action: 3 is not an action")]
#[case(change(1, None), "access_binding is required")]
fn a_malformed_change_is_refused(#[case] wrong: AccessBindingDelta, #[case] expected: &str) {
    let deltas = vec![change(2, Some(good())), wrong];
    assert_eq!(text(binding_deltas(deltas)), format!("access_binding_deltas[1].{expected}"));
}

#[test]
fn there_are_1_to_1000_changes() {
    for count in [0, 1001] {
        let deltas = vec![change(1, Some(good())); count];
        assert_eq!(text(binding_deltas(deltas)), "access_binding_deltas must have 1 to 1000 items");
    }
    assert_eq!(binding_deltas(vec![change(1, Some(good())); 1000]).unwrap().len(), 1000);
}

#[test]
fn changes_keep_their_order_and_kind() {
    let held =
        Binding { role: Role::Viewer, subject: Subject::new(SubjectKind::UserAccount, "somebody".into()).unwrap() };
    let read = binding_deltas(vec![change(2, Some(good())), change(1, Some(good()))]).unwrap();
    assert_eq!(read, [BindingDelta::Remove(held.clone()), BindingDelta::Add(held)]);
}

#[test]
fn a_resource_is_a_key() {
    assert!(matches!(key_scope(ID), Ok(BindingScope::Key(id)) if id.to_string() == ID));
    assert_eq!(text(key_scope("")), "resource_id is required");
    assert_eq!(text(key_scope(&"a".repeat(65))), "resource_id must be at most 64 characters long");
    for id in ["x", &"a".repeat(64)] {
        assert!(matches!(key_scope(id), Err(ServiceError::NotFound { what: Missing::Key, .. })));
    }
}

fn stored(count: usize, row_seq: u64) -> Stored<BindingSet> {
    let of = |id: usize| wire("kms.viewer", "group", &id.to_string());
    Stored { value: binding_set((0..count).map(of).collect()).unwrap(), row_seq }
}

fn request(page_size: i64, page_token: &str) -> ListAccessBindingsRequest {
    ListAccessBindingsRequest { resource_id: String::new(), page_size, page_token: page_token.into() }
}

/// The ids of a page's subjects, and the token of the next.
fn page(held: &Stored<BindingSet>, size: i64, token: &str) -> Result<(Vec<String>, String), ServiceError> {
    let (shown, next) = bindings_page(KEY, &request(size, token))?.of(held)?;
    Ok((shown.iter().map(|binding| binding.subject.id().to_owned()).collect(), next))
}

#[test]
fn pages_show_every_binding_once_in_order() {
    let held = stored(5, 3);
    let (first, token) = page(&held, 2, "").unwrap();
    let (second, token) = page(&held, 2, &token).unwrap();
    let (third, end) = page(&held, 2, &token).unwrap();
    assert_eq!([first, second, third].concat(), ["0", "1", "2", "3", "4"]);
    assert_eq!(end, "");
    assert_eq!(page(&held, 5, "").unwrap().1, "");
    assert_eq!(page(&stored(101, 1), 0, "").unwrap().0.len(), 100);
    assert_eq!(page(&stored(0, 0), 0, "").unwrap(), (Vec::new(), String::new()));
}

#[test]
fn a_page_of_another_state_of_the_set_is_refused() {
    let (_, token) = page(&stored(5, 3), 2, "").unwrap();
    let refusal = text(page(&stored(5, 4), 2, &token));
    assert!(refusal.ends_with("list them again without it"), "{refusal}");
}

#[test]
fn a_token_belongs_to_one_resource() {
    let (_, token) = page(&stored(5, 3), 2, "").unwrap();
    let folder = BindingScope::Folder(FolderId::from_bytes([1; 16]));
    for scope in [BindingScope::Key(KeyId::from_bytes([2; 16])), folder, BindingScope::Service] {
        assert_eq!(text(bindings_page(scope, &request(2, &token))), "page_token is not one of this list");
    }
}

#[rstest]
#[case(-1, "", "page_size must be between 0 and 1000")]
#[case(1001, "", "page_size must be between 0 and 1000")]
#[case(0, "x", "page_token is not one of this list")]
#[case(0, &"x".repeat(2001), "page_token must be at most 2000 characters long")]
fn a_malformed_page_is_refused(#[case] size: i64, #[case] token: &str, #[case] expected: &str) {
    assert_eq!(text(bindings_page(KEY, &request(size, token))), expected);
}
