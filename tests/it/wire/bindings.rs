//! Access bindings of keys: what is set is listed, holds at once, and leaves operations.

use super::{Api, Refusal, decrypt, encrypt, metadata, new_key, response};
use crate::support::{Dev, Home};
use claviger::dialect::yandex::proto::yandex::cloud::access::{
    AccessBinding, AccessBindingAction, AccessBindingDelta, ListAccessBindingsRequest, ListAccessBindingsResponse,
    SetAccessBindingsMetadata, SetAccessBindingsRequest, Subject, UpdateAccessBindingsMetadata,
    UpdateAccessBindingsRequest,
};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::{GetOperationRequest, Operation};
use claviger::dialect::yandex::wkt::Empty;
use kms::SymmetricAlgorithm;
use serde_json::json;
use tonic::Code;

const NOBODY: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

#[tokio::test]
async fn access_bindings_are_listed_as_they_were_set_over_both_protocols() {
    let home = Home::new();
    let dev = home.start().await;
    for api in Api::both(&dev).await {
        let key = new_key(&api, dev.folder(), SymmetricAlgorithm::Aes256).await.id;
        a_new_key_has_no_bindings_of_its_own(&api, &key).await;
        a_set_is_listed_in_its_order_and_leaves_an_operation(&api, &key).await;
        changes_are_made_in_their_order(&api, &key).await;
        one_wrong_binding_changes_nothing(&api, &key).await;
        pages_end_with_the_state_that_they_began_with(&api, &key).await;
        an_empty_set_clears(&api, &key).await;
        a_full_set_takes_no_more(&api, &key).await;
        a_key_that_is_not_there_has_no_bindings(&api, &key).await;
    }
    rest_speaks_the_documented_json(&dev).await;
}

async fn a_new_key_has_no_bindings_of_its_own(api: &Api, key: &str) {
    assert_eq!(api.ok(list(key, 0, "")).await, ListAccessBindingsResponse::default());
}

async fn a_set_is_listed_in_its_order_and_leaves_an_operation(api: &Api, key: &str) {
    let bindings = [
        binding("kms.viewer", "system", "allUsers"),
        binding("kms.admin", "federatedUser", "\u{444} \"'\u{0}"),
        binding("kms.asymmetricSignatureKeys.signer", "group", "g"),
        binding("kms.viewer", "serviceAccount", NOBODY),
    ];
    let repeated = [&bindings[..], &bindings[..1]].concat();
    let record = api.ok(set(key, &repeated)).await;
    let meta: SetAccessBindingsMetadata = metadata(&record);
    assert_eq!((meta.resource_id.as_str(), response::<Empty>(&record)), (key, Empty {}));
    assert!(!record.created_by.is_empty() && record.created_at.is_some(), "{record:?}");
    assert_eq!(bindings_of(api, key).await, bindings);
    is_recorded(api, key, &record).await;
}

async fn changes_are_made_in_their_order(api: &Api, key: &str) {
    let (a, b, c) = (reader("a"), reader("b"), reader("c"));
    api.ok(set(key, &[a.clone(), b.clone()])).await;
    let record = api.ok(update(key, &[add(&b), remove(&a), add(&c), remove(&reader("z")), add(&a)])).await;
    let meta: UpdateAccessBindingsMetadata = metadata(&record);
    assert_eq!((meta.resource_id.as_str(), response::<Empty>(&record)), (key, Empty {}));
    assert_eq!(bindings_of(api, key).await, [b, c, a]);
    is_recorded(api, key, &record).await;
}

/// The newest operation of the key, alone and in the list.
async fn is_recorded(api: &Api, key: &str, record: &Operation) {
    let id = record.id.clone();
    assert_eq!(api.ok(GetOperationRequest { operation_id: id }).await, *record);
    let request = kms::ListSymmetricKeyOperationsRequest { key_id: key.into(), page_size: 1, ..Default::default() };
    assert_eq!(api.ok(request).await.operations, std::slice::from_ref(record));
}

async fn one_wrong_binding_changes_nothing(api: &Api, key: &str) {
    let before = bindings_of(api, key).await;
    let good = reader("good");
    let wrong = [
        binding("viewer", "userAccount", "x"),
        binding("kms.viewer", "allUsers", "x"),
        binding("kms.viewer", "userAccount", ""),
        AccessBinding { role_id: "kms.viewer".into(), subject: None },
    ];
    for wrong in wrong {
        let case = format!("{wrong:?}");
        invalid(&api.refused(&case, set(key, &[good.clone(), wrong.clone()])).await, "access_bindings[1].");
        let refused = api.refused(&case, update(key, &[add(&good), add(&wrong)])).await;
        invalid(&refused, "access_binding_deltas[1].access_binding.");
    }
    let unspecified = change(AccessBindingAction::Unspecified, &good);
    let refused = api.refused("no action", update(key, &[add(&good), unspecified])).await;
    invalid(&refused, "access_binding_deltas[1].action is required");
    invalid(&api.refused("no change", update(key, &[])).await, "access_binding_deltas must have 1 to 1000 items");
    assert_eq!(bindings_of(api, key).await, before);
}

async fn pages_end_with_the_state_that_they_began_with(api: &Api, key: &str) {
    let bindings = ["a", "b", "c"].map(reader);
    api.ok(set(key, &bindings)).await;
    let mut shown = Vec::new();
    let mut token = String::new();
    loop {
        let page = api.ok(list(key, 2, &token)).await;
        shown.extend(page.access_bindings);
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    assert_eq!(shown, bindings);
    api.ok(update(key, &[remove(&bindings[0])])).await;
    let refused = api.refused("a page of an old state", list(key, 2, &token)).await;
    invalid(&refused, "the access bindings were changed since page_token was handed out");
    invalid(&api.refused("a long page", list(key, 1001, "")).await, "page_size must be");
}

async fn an_empty_set_clears(api: &Api, key: &str) {
    api.ok(set(key, &[])).await;
    assert_eq!(bindings_of(api, key).await, []);
}

async fn a_full_set_takes_no_more(api: &Api, key: &str) {
    let full: Vec<_> = (0..1000).map(|number| reader(&format!("{number:0>100}"))).collect();
    let more = reader("one more");
    api.ok(set(key, &full)).await;
    let refused = api.refused("1001 bindings", set(key, &[&full[..], std::slice::from_ref(&more)].concat())).await;
    invalid(&refused, "access_bindings must have at most 1000 items");
    let refused = api.refused("1001 bindings in the end", update(key, &[add(&more)])).await;
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    api.ok(update(key, &[remove(&full[0]), add(&more)])).await;
    assert_eq!(bindings_of(api, key).await, [&full[1..], &[more]].concat());
}

async fn a_key_that_is_not_there_has_no_bindings(api: &Api, key: &str) {
    api.ok(kms::DeleteSymmetricKeyRequest { key_id: key.into() }).await;
    for id in [key, NOBODY, "x"] {
        let text = format!("key {id} not found");
        for refused in [
            api.refused(id, list(id, 0, "")).await,
            api.refused(id, set(id, &[])).await,
            api.refused(id, update(id, &[add(&reader("a"))])).await,
        ] {
            assert_eq!((refused.code, &refused.text), (Code::NotFound, &text));
        }
    }
}

async fn rest_speaks_the_documented_json(dev: &Dev) {
    let rest = dev.rest();
    let key = new_key(&Api::rest(dev), dev.folder(), SymmetricAlgorithm::Aes256).await.id;
    let subject = json!({"id": "ajeabc", "type": "userAccount"});
    let bindings = json!([{"roleId": "kms.keys.user", "subject": subject}]);
    let path = format!("/kms/v1/keys/{key}");
    let record = rest.post(&format!("{path}:setAccessBindings"), &json!({"accessBindings": bindings})).await.ok();
    assert_eq!(record["response"], json!({"@type": "type.googleapis.com/google.protobuf.Empty"}));
    let type_url = "type.googleapis.com/yandex.cloud.access.SetAccessBindingsMetadata";
    assert_eq!(record["metadata"], json!({"@type": type_url, "resourceId": key}));
    assert_eq!(record["description"], "Set access bindings of symmetric key");
    let listed = rest.get(&format!("{path}:listAccessBindings")).await.ok();
    assert_eq!(listed, json!({"accessBindings": bindings}));
    let binding = json!({"role_id": "kms.keys.user", "subject": subject});
    let deltas = json!({"access_binding_deltas": [{"action": 2, "access_binding": binding}]});
    let record = rest.post(&format!("{path}:updateAccessBindings"), &deltas).await.ok();
    assert_eq!(record["description"], "Update access bindings of symmetric key");
    assert_eq!(rest.get(&format!("{path}:listAccessBindings?pageSize=5")).await.ok(), json!({}));
}

#[tokio::test]
async fn a_binding_holds_at_once_for_whom_it_names() {
    let home = Home::new();
    let dev = home.start().await;
    let id = dev.rest().service_account(dev.folder(), "application").await;
    let (_, token) = dev.rest().api_token(&id).await;
    for admin in Api::both(&dev).await {
        let key = new_key(&admin, dev.folder(), SymmetricAlgorithm::Aes256).await.id;
        let caller = admin.with_token(&token);
        let hidden = async |case: &str| {
            for refused in [
                caller.refused(case, encrypt(&key, b"hi", b"")).await,
                caller.refused(case, list(&key, 0, "")).await,
                caller.refused(case, update(&key, &[add(&reader("a"))])).await,
            ] {
                assert_eq!(refused, Refusal { code: Code::NotFound, text: format!("key {key} not found") }, "{case}");
            }
        };
        hidden("without a role").await;
        let encrypter = binding("kms.keys.encrypter", "serviceAccount", &id);
        admin.ok(set(&key, &[binding("kms.admin", "userAccount", &id)])).await;
        hidden("with a role for a person of the same id").await;
        admin.ok(update(&key, std::slice::from_ref(&add(&encrypter)))).await;
        let sealed = caller.ok(encrypt(&key, b"hi", b"")).await.ciphertext;
        for refused in [
            caller.refused("decrypt", decrypt(&key, &sealed, b"")).await,
            caller.refused("list", list(&key, 0, "")).await,
            caller.refused("set", set(&key, &[])).await,
            caller.refused("update", update(&key, &[add(&reader("a"))])).await,
        ] {
            assert_eq!(refused, Refusal { code: Code::PermissionDenied, text: "permission denied".into() });
        }
        admin.ok(update(&key, &[remove(&encrypter)])).await;
        hidden("with the role taken away").await;
        admin.ok(set(&key, &[binding("kms.admin", "serviceAccount", &id)])).await;
        caller.ok(set(&key, &[])).await;
        hidden("after giving it away").await;
    }
}

#[track_caller]
fn invalid(refused: &Refusal, text: &str) {
    assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    assert!(refused.text.starts_with(text), "{refused:?}");
}

async fn bindings_of(api: &Api, key: &str) -> Vec<AccessBinding> {
    let page = api.ok(list(key, 1000, "")).await;
    assert_eq!(page.next_page_token, "");
    page.access_bindings
}

fn binding(role: &str, kind: &str, id: &str) -> AccessBinding {
    AccessBinding { role_id: role.into(), subject: Some(Subject { id: id.into(), r#type: kind.into() }) }
}

/// Somebody who is not there.
fn reader(id: &str) -> AccessBinding {
    binding("kms.viewer", "userAccount", id)
}

fn add(binding: &AccessBinding) -> AccessBindingDelta {
    change(AccessBindingAction::Add, binding)
}

fn remove(binding: &AccessBinding) -> AccessBindingDelta {
    change(AccessBindingAction::Remove, binding)
}

fn change(action: AccessBindingAction, binding: &AccessBinding) -> AccessBindingDelta {
    AccessBindingDelta { action: action.into(), access_binding: Some(binding.clone()) }
}

fn list(key: &str, page_size: i64, page_token: &str) -> ListAccessBindingsRequest {
    ListAccessBindingsRequest { resource_id: key.into(), page_size, page_token: page_token.into() }
}

fn set(key: &str, bindings: &[AccessBinding]) -> SetAccessBindingsRequest {
    SetAccessBindingsRequest { resource_id: key.into(), access_bindings: bindings.to_vec() }
}

fn update(key: &str, deltas: &[AccessBindingDelta]) -> UpdateAccessBindingsRequest {
    UpdateAccessBindingsRequest { resource_id: key.into(), access_binding_deltas: deltas.to_vec() }
}
