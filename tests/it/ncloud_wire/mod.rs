//! The Ncloud dialect from outside: a real `claviger dev` and signed HTTP.
//!
//! What is expected here is what the cloud documents and what docs/dialects/ncloud.md chose, not what the code does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod access;
mod acl;
mod api_one;
mod bodies;
mod border;
mod convergent;
mod cross;
mod crypto;
mod dead_tokens;
mod deletion;
mod keys;
mod life;
mod lists;
mod lists_of_data;
mod names;
mod proofs;
mod rotation;
mod schedule;
mod shapes;
mod signatures;
mod states;
mod three;
mod together;
mod tokens;
mod uses;
mod versions;

use crate::support::aws::AccessKey;
use crate::support::client::text;
use crate::support::ncloud::{Ncloud, b64, data};
use crate::support::{Dev, Home, Rest};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

/// A tag that no key has.
pub const NOBODY: &str = "7f3c1b5e0d2a4c669b1f3d5a8e0c9f21";

/// A server, and its administrator as a caller.
pub struct Scene {
    /// The administrator's signed requests.
    pub admin: Ncloud,
    pub key: AccessKey,
    /// The native dialect, as the administrator.
    pub rest: Rest,
    pub dev: Dev,
    pub home: Home,
    names: AtomicU32,
}

impl Scene {
    pub async fn start() -> Self {
        Self::start_in(Home::new()).await
    }

    pub async fn start_in(home: Home) -> Self {
        let dev = home.start().await;
        let key =
            AccessKey { id: dev.credential("NCP_ACCESS_KEY").into(), secret: dev.credential("NCP_SECRET_KEY").into() };
        let admin = Ncloud::new(dev.credential("CLAVIGER_ENDPOINT"), &key);
        Self { admin, key, rest: dev.rest(), dev, home, names: AtomicU32::new(0) }
    }

    /// A name that no key has.
    pub fn name(&self) -> String {
        format!("key-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The path of a new key with this protection.
    pub async fn new_key(&self, protection: &str) -> String {
        self.new_key_with(json!({"protectionType": protection})).await
    }

    /// The path of a new key, made by a request with these members and the required ones.
    pub async fn new_key_with(&self, members: Value) -> String {
        let mut body = json!({"keyName": self.name(), "keyType": "AES256", "protectionType": "BASIC"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        path(&text(&data(&self.admin.post("/kms/v1/keys", &body).await)["keyTag"]))
    }

    /// Somebody new of the server's folder, with these roles on that folder, as signed requests.
    pub async fn caller(&self, name: &str, roles: &[&str]) -> Ncloud {
        self.principal_of(self.dev.folder(), name, roles).await.0
    }

    /// Somebody new of a folder, with these roles on that folder, as signed requests and by id.
    pub async fn principal_of(&self, folder: &str, name: &str, roles: &[&str]) -> (Ncloud, String) {
        let id = self.rest.service_account(folder, name).await;
        for role in roles {
            self.bind(&format!("/claviger/v1/folders/{folder}"), role, &id).await;
        }
        let key = crate::aws_wire::access_key(&self.rest, &id).await;
        (Ncloud::new(self.dev.credential("CLAVIGER_ENDPOINT"), &key), id)
    }

    /// Gives a role on a folder or key, which its path in the native dialect names.
    pub async fn bind(&self, place: &str, role: &str, principal: &str) {
        let binding = json!({"roleId": role, "subject": {"id": principal, "type": "serviceAccount"}});
        let body = json!({"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]});
        self.rest.post(&format!("{place}:updateAccessBindings"), &body).await.ok();
    }
}

/// The path of a key.
pub fn path(tag: &str) -> String {
    format!("/kms/v1/keys/{tag}")
}

/// The tag in the path of a key.
pub fn tag(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// The id of the same key in the other dialects.
pub fn key_id(path: &str) -> String {
    tag(path).parse::<uuid::Uuid>().unwrap().to_string()
}

/// A body with a plaintext.
pub fn plaintext(bytes: &[u8]) -> Value {
    json!({"plaintext": b64(bytes)})
}

/// The ciphertext of a plaintext.
pub async fn encrypted(caller: &Ncloud, path: &str, bytes: &[u8]) -> String {
    text(&data(&caller.post(&format!("{path}/encrypt"), &plaintext(bytes)).await)["ciphertext"])
}

/// What is in a ciphertext.
pub async fn decrypted(caller: &Ncloud, path: &str, ciphertext: &str) -> String {
    let body = json!({"ciphertext": ciphertext});
    text(&data(&caller.post(&format!("{path}/decrypt"), &body).await)["plaintext"])
}
