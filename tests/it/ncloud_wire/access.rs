//! Who may do what: every role, bound on the folder, on the key and elsewhere, tries every operation.

use super::{NOBODY, Scene, key_id, path, plaintext, tag};
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Ncloud, data, refused};
use claviger::domain::access::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What an operation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    View,
    Encrypt,
    Decrypt,
    Both,
    Update,
    Delete,
    Restore,
    Bind,
}

use Needs::{Bind, Both, Decrypt, Delete, Encrypt, Restore, Update, View};

/// Method and end of the path of an operation, and what it needs.
const OPERATIONS: [(&str, &str, Needs); 38] = [
    ("GET", "", View),
    ("POST", "enable", Update),
    ("POST", "disable", Update),
    ("PUT", "name", Update),
    ("PUT", "memo", Update),
    ("POST", "request-deletion", Delete),
    ("POST", "cancel-deletion", Restore),
    ("DELETE", "", Delete),
    ("POST", "rotate", Update),
    ("POST", "enable-auto-rotation", Update),
    ("POST", "disable-auto-rotation", Update),
    ("PUT", "rotation-period", Update),
    ("GET", "versions", View),
    ("POST", "versions/1/enable", Update),
    ("POST", "versions/1/disable", Update),
    ("POST", "encrypt", Encrypt),
    ("POST", "decrypt", Decrypt),
    ("POST", "create-custom-key", Encrypt),
    ("POST", "re-encrypt", Both),
    ("POST", "sign", Encrypt),
    ("POST", "verify", Encrypt),
    ("POST", "get-pub-key", Encrypt),
    ("POST", "one/encrypt", Encrypt),
    ("POST", "one/decrypt", Decrypt),
    ("POST", "one/createCustomKey", Encrypt),
    ("POST", "one/reencrypt", Both),
    ("POST", "token-generator", Bind),
    ("GET", "token-generator", View),
    ("PUT", "token-generator", Bind),
    ("DELETE", "token-generator", Bind),
    ("POST", "token-set", View),
    ("POST", "acl/enable", Bind),
    ("POST", "acl/disable", Bind),
    ("GET", "acl", View),
    ("POST", "acl", Bind),
    ("DELETE", "acl", Bind),
    ("GET", "activities", View),
    ("GET", "last-use-info", View),
];

/// Whether a role that reaches a key has what is needed.
const fn has(role: Role, needs: Needs) -> bool {
    match role {
        Role::KeysUser | Role::KeysEncrypterDecrypter => matches!(needs, View | Encrypt | Decrypt | Both),
        Role::KeysEncrypter => matches!(needs, View | Encrypt),
        Role::KeysDecrypter => matches!(needs, View | Decrypt),
        Role::Auditor | Role::Viewer => matches!(needs, View),
        Role::Editor => matches!(needs, View | Update),
        Role::Admin => matches!(needs, View | Update | Delete | Restore | Bind),
        Role::Operator => matches!(needs, Restore),
        Role::AsymmetricEncryptionPublicKeyViewer
        | Role::AsymmetricEncryptionDecrypter
        | Role::AsymmetricSignaturePublicKeyViewer
        | Role::AsymmetricSignatureSigner => false,
    }
}

/// How a request ended for the caller's permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Allowed,
    Denied,
    Hidden,
}

/// Somebody with one role.
struct Holder {
    role: Role,
    on_folder: bool,
    caller: Ncloud,
}

/// What all of them try their hands on: disabled and protected, so that nothing that matters is done.
struct World {
    scene: Scene,
    /// Where roles on keys are bound.
    own: String,
    /// Another key of the folder.
    other: String,
    /// A key of another folder.
    foreign: String,
    sealed: Value,
    holders: Vec<Holder>,
}

impl World {
    async fn new() -> Self {
        let scene = Scene::start().await;
        let folder = text(&scene.rest.post("/claviger/v1/folders", &json!({"name": "foreign"})).await.ok()["id"]);
        let keeper = scene.principal_of(&folder, "keeper", &["kms.admin"]).await.0;
        let [own, other, foreign] =
            [key(&scene, &scene.admin).await, key(&scene, &scene.admin).await, key(&scene, &keeper).await];
        let open = scene.new_key("BASIC").await;
        let sealed = data(&scene.admin.post(&format!("{open}/encrypt"), &plaintext(b"hi")).await);
        let mut holders = Vec::new();
        for role in Role::ALL {
            for on_folder in [true, false] {
                let roles = [role.name()];
                let on_folder_roles = if on_folder { &roles[..] } else { &[] };
                let (caller, id) = scene.principal_of(scene.dev.folder(), "holder", on_folder_roles).await;
                if !on_folder {
                    scene.bind(&format!("/kms/v1/keys/{}", key_id(&own)), role.name(), &id).await;
                }
                holders.push(Holder { role, on_folder, caller });
            }
        }
        Self { scene, own, other, foreign, sealed, holders }
    }

    /// The key of a number, and whether a holder's role reaches it.
    fn keys(&self, holder: &Holder) -> [(String, bool); 4] {
        [
            (self.own.clone(), true),
            (self.other.clone(), holder.on_folder),
            (self.foreign.clone(), false),
            (path(NOBODY), false),
        ]
    }

    fn body(&self, end: &str) -> Option<Value> {
        Some(match end {
            "name" => json!({"keyName": "table"}),
            "memo" => json!({"memo": "m"}),
            "rotation-period" => json!({"rotationPeriod": 30}),
            "acl" => json!({"ipList": ["192.0.2.1"]}),
            _ if end.ends_with("decrypt") || end.ends_with("encrypt") && end.contains("re") => self.sealed.clone(),
            _ if end.ends_with("encrypt") => plaintext(b"hi"),
            _ => return None,
        })
    }

    async fn found(&self, caller: &Ncloud, (method, end): (&str, &str), key: &str) -> (Cell, String) {
        let target = match end.strip_prefix("one/") {
            Some(action) => format!("/keys/v2/{}/{action}", tag(key)),
            None if end.is_empty() => key.to_owned(),
            None => format!("{key}/{end}"),
        };
        let answer = caller.call(method, &target, self.body(end).as_ref()).await;
        (meaning(&answer), answer.text)
    }
}

/// A disabled, protected key of the caller's folder, with two versions.
async fn key(scene: &Scene, caller: &Ncloud) -> String {
    let body = json!({"keyName": scene.name(), "keyType": "AES256", "protectionType": "BASIC"});
    let key = path(&text(&data(&caller.post("/kms/v1/keys", &body).await)["keyTag"]));
    data(&caller.act(&format!("{key}/rotate")).await);
    let protect = json!({
        "updateMask": "deletionProtection,status", "deletionProtection": true, "status": "INACTIVE",
    });
    scene.rest.patch(&format!("/kms/v1/keys/{}", key_id(&key)), &protect).await.ok();
    key
}

/// Refusals because of a state come after the permission was settled.
#[track_caller]
fn meaning(answer: &Answer) -> Cell {
    match answer.status {
        200 | 422 | 501 => Cell::Allowed,
        // What only keys of other types do.
        400 if answer.text.contains("RSA2048") => Cell::Allowed,
        403 => {
            assert_eq!(answer.json()["code"], "FORBIDDEN");
            Cell::Denied
        }
        404 => {
            assert_eq!(answer.text, r#"{"code":"NOT_FOUND","msg":"Not found: there is no key with this keyTag"}"#);
            Cell::Hidden
        }
        _ => panic!("{} {}", answer.status, answer.text),
    }
}

const TOGETHER: usize = 16;

#[tokio::test]
async fn every_role_does_what_it_permits_and_nothing_else() {
    let world = World::new().await;
    let mut tries = Vec::new();
    for holder in &world.holders {
        for (method, end, needs) in OPERATIONS {
            for (key, reaches) in world.keys(holder) {
                let expected = match (reaches && has(holder.role, needs), reaches && has(holder.role, View)) {
                    (true, _) => Cell::Allowed,
                    (false, true) => Cell::Denied,
                    (false, false) => Cell::Hidden,
                };
                tries.push((holder, (method, end), key, expected));
            }
        }
    }
    let mut wrong = Vec::new();
    for some in tries.chunks(TOGETHER) {
        let found = join_all(some.iter().map(|(holder, what, key, _)| world.found(&holder.caller, *what, key))).await;
        for ((holder, what, _, expected), (cell, text)) in some.iter().zip(found) {
            if cell != *expected {
                let place = if holder.on_folder { "folder" } else { "key" };
                wrong.push(format!(
                    "{} on {place} {what:?}: {expected:?} expected, {cell:?}: {text}",
                    holder.role.name()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), tries.len(), wrong.join("\n"));
    lists_show_what_a_role_lets_see(&world).await;
    keys_are_made_by_who_may(&world).await;
}

async fn lists_show_what_a_role_lets_see(world: &World) {
    let all = data(&world.scene.admin.get("/kms/v1/keys").await);
    for Holder { role, on_folder, caller } in &world.holders {
        let answer = caller.get("/kms/v1/keys").await;
        let lists = matches!(role, Role::KeysUser | Role::Auditor | Role::Viewer | Role::Editor | Role::Admin);
        match (on_folder, lists, has(*role, View)) {
            (true, true, _) => assert_eq!(data(&answer)["keyList"], all["keyList"], "{role:?}"),
            (true, false, _) => drop(refused(&answer, 403, "FORBIDDEN")),
            (false, _, sees) => {
                let shown = data(&answer);
                let tags: Vec<_> = shown["keyList"].as_array().unwrap().iter().map(|key| &key["keyTag"]).collect();
                let expected = json!(tag(&world.own));
                assert_eq!(tags, if sees { vec![&expected] } else { vec![] }, "{role:?}");
                assert_eq!(shown["totalCount"], u64::from(sees), "{role:?}");
            }
        }
    }
}

async fn keys_are_made_by_who_may(world: &World) {
    for Holder { role, on_folder, caller } in &world.holders {
        let name = world.scene.name();
        let body = json!({"keyName": name, "keyType": "AES256", "protectionType": "BASIC"});
        let answer = caller.post("/kms/v1/keys", &body).await;
        if *on_folder && matches!(role, Role::Editor | Role::Admin) {
            assert_eq!(data(&answer)["keyName"], name, "{role:?}");
        } else {
            refused(&answer, 403, "FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn roles_on_single_keys_are_enough_to_use_and_list_them() {
    let scene = Scene::start().await;
    let key = scene.new_key("BASIC").await;
    let folder = text(&scene.rest.post("/claviger/v1/folders", &json!({"name": "partners"})).await.ok()["id"]);
    let (partner, id) = scene.principal_of(&folder, "partner", &["kms.admin"]).await;
    let encrypt = format!("{key}/encrypt");
    refused(&partner.post(&encrypt, &plaintext(b"x")).await, 404, "NOT_FOUND");
    scene.bind(&format!("/kms/v1/keys/{}", key_id(&key)), "kms.keys.encrypterDecrypter", &id).await;
    let sealed = data(&partner.post(&encrypt, &plaintext(b"x")).await);
    data(&scene.admin.post(&format!("{key}/decrypt"), &sealed).await);
    let shown = data(&partner.get(&key).await);
    assert_eq!(shown, data(&scene.admin.get(&key).await), "the keystore is that of the key");
    refused(&partner.act(&format!("{key}/disable")).await, 403, "FORBIDDEN");
    let own = data(&partner.get("/kms/v1/keys").await);
    assert_eq!(own["totalCount"], 0, "a list is of the caller's folder");
    let body = json!({"keyName": "partners-own", "keyType": "AES256", "protectionType": "BASIC"});
    let made = data(&partner.post("/kms/v1/keys", &body).await);
    assert_ne!(made["keystoreId"], shown["keystoreId"]);
    refused(
        &scene.admin.proving(crate::support::ncloud::Proof::Token("x".into())).get(&key).await,
        401,
        "UNAUTHORIZED",
    );
    who_has_roles_on_single_keys_lists_them_in_pages(&scene).await;
    let nobody = scene.caller("nobody", &[]).await;
    let list = data(&nobody.get("/kms/v1/keys").await);
    assert_eq!((&list["totalCount"], &list["keyList"]), (&json!(0), &json!([])));
    refused(&nobody.get(&key).await, 404, "NOT_FOUND");
}

async fn who_has_roles_on_single_keys_lists_them_in_pages(scene: &Scene) {
    let (caller, id) = scene.principal_of(scene.dev.folder(), "of-three", &[]).await;
    let mut tags = Vec::new();
    for _ in 0..3 {
        let key = scene.new_key("BASIC").await;
        scene.new_key("BASIC").await;
        scene.bind(&format!("/kms/v1/keys/{}", key_id(&key)), "kms.keys.encrypter", &id).await;
        tags.insert(0, tag(&key).to_owned());
    }
    for (query, page, shown) in [
        ("", 1, &tags[..]),
        ("?pageSize=2", 1, &tags[..2]),
        ("?pageSize=2&pageNo=2", 2, &tags[2..]),
        ("?pageNo=2", 2, &[]),
    ] {
        let list = data(&caller.get(&format!("/kms/v1/keys{query}")).await);
        let found: Vec<_> = list["keyList"].as_array().unwrap().iter().map(|key| text(&key["keyTag"])).collect();
        assert_eq!(found, *shown, "{query}");
        let pages = if query.contains("pageSize") { 2 } else { 1 };
        let counts = [&list["currentPageNo"], &list["totalPageNo"], &list["totalCount"]];
        assert_eq!(counts, [&json!(page), &json!(pages), &json!(3)], "{query}");
    }
}
