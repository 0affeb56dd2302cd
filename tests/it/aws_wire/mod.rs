//! The AWS KMS dialect from outside: a real `claviger dev`, the cloud's own SDK, and requests that no SDK sends.
//!
//! What is expected here is what AWS documents and what was seen of it, not what the code does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod access;
mod aliases;
mod ciphertexts;
mod contexts;
mod cross;
mod data_key_pairs;
mod data_keys;
mod dry_run;
mod keys;
mod lists;
mod names;
mod policies;
mod protocol;
mod regions;
mod rotation;
mod signatures;
mod states;
mod tags;
mod time;
mod unfinished;
mod unsupported;
mod validation;

use crate::support::aws::{AccessKey, REGION, Raw, good, sdk};
use crate::support::client::text;
use crate::support::{Dev, Home, Rest};
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::KeyMetadata;
use serde_json::json;

/// A UUID that nothing has.
pub const NOBODY: &str = "7f3c1b5e-0d2a-4c66-9b1f-3d5a8e0c9f21";

/// A server, and its administrator as a caller.
pub struct Scene {
    pub admin: Caller,
    /// The native dialect, as the administrator.
    pub rest: Rest,
    /// The account number of the server's folder.
    pub account: String,
    pub dev: Dev,
    pub home: Home,
}

/// Somebody with an access key.
#[derive(Clone)]
pub struct Caller {
    /// The SDK.
    pub kms: Client,
    /// What the SDK does not send.
    pub raw: Raw,
    pub key: AccessKey,
    /// Its principal.
    pub id: String,
}

impl Scene {
    pub async fn start() -> Self {
        Self::start_in(Home::new()).await
    }

    pub async fn start_in(home: Home) -> Self {
        let dev = home.start().await;
        let rest = dev.rest();
        let me = rest.get("/claviger/v1/whoami").await.ok();
        let key = AccessKey {
            id: dev.credential("AWS_ACCESS_KEY_ID").into(),
            secret: dev.credential("AWS_SECRET_ACCESS_KEY").into(),
        };
        let admin = Caller::new(&dev, key, text(&me["principal"]["id"]));
        let account = account(&rest, dev.folder()).await;
        Self { admin, rest, account, dev, home }
    }

    pub fn endpoint(&self) -> &str {
        self.dev.credential("CLAVIGER_ENDPOINT")
    }

    /// Somebody new of a folder, with these roles on that folder.
    pub async fn caller(&self, folder: &str, name: &str, roles: &[&str]) -> Caller {
        let id = self.rest.service_account(folder, name).await;
        for role in roles {
            self.bind(&format!("/claviger/v1/folders/{folder}"), role, &id).await;
        }
        let key = access_key(&self.rest, &id).await;
        Caller::new(&self.dev, key, id)
    }

    /// Gives a role on a folder or key, which its path names.
    pub async fn bind(&self, place: &str, role: &str, principal: &str) {
        let binding = json!({"roleId": role, "subject": {"id": principal, "type": "serviceAccount"}});
        let body = json!({"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]});
        self.rest.post(&format!("{place}:updateAccessBindings"), &body).await.ok();
    }

    /// The id and the account number of a new folder.
    pub async fn folder(&self, name: &str) -> (String, String) {
        let made = self.rest.post("/claviger/v1/folders", &json!({"name": name})).await.ok();
        (text(&made["id"]), text(&made["accountId"]))
    }

    /// The id of a key that was made over the native dialect.
    pub async fn native_key(&self, algorithm: &str) -> String {
        let body = json!({"folderId": self.dev.folder(), "defaultAlgorithm": algorithm});
        text(&self.rest.post("/kms/v1/keys", &body).await.ok()["metadata"]["keyId"])
    }

    /// The ARN of a key of the server's folder and region.
    pub fn arn(&self, key_id: &str) -> String {
        format!("arn:aws:kms:{REGION}:{}:key/{key_id}", self.account)
    }

    /// The ARN of an alias of the server's folder and region.
    pub fn alias_arn(&self, name: &str) -> String {
        format!("arn:aws:kms:{REGION}:{}:{name}", self.account)
    }
}

impl Caller {
    fn new(dev: &Dev, key: AccessKey, id: String) -> Self {
        let endpoint = dev.credential("CLAVIGER_ENDPOINT");
        Self { kms: sdk(endpoint, REGION, &key), raw: Raw::new(endpoint, &key), key, id }
    }

    /// A new key.
    pub async fn new_key(&self) -> KeyMetadata {
        good(self.kms.create_key().send().await).key_metadata.unwrap()
    }

    /// The id of a new key.
    pub async fn new_key_id(&self) -> String {
        self.new_key().await.key_id
    }

    /// The key as it is now.
    pub async fn describe(&self, name: &str) -> KeyMetadata {
        good(self.kms.describe_key().key_id(name).send().await).key_metadata.unwrap()
    }

    /// A ciphertext without a context.
    pub async fn encrypt(&self, name: &str, plaintext: &[u8]) -> Blob {
        good(self.kms.encrypt().key_id(name).plaintext(Blob::new(plaintext)).send().await).ciphertext_blob.unwrap()
    }

    /// What is in a ciphertext without a context.
    pub async fn decrypt(&self, ciphertext: &Blob) -> Vec<u8> {
        good(self.kms.decrypt().ciphertext_blob(ciphertext.clone()).send().await).plaintext.unwrap().into_inner()
    }

    /// Rotates, and gives the id of the new material.
    pub async fn rotate(&self, name: &str) -> String {
        good(self.kms.rotate_key_on_demand().key_id(name).send().await);
        self.material(name).await
    }

    /// The id of the current material.
    pub async fn material(&self, name: &str) -> String {
        self.describe(name).await.current_key_material_id.unwrap()
    }
}

/// A new access key of a principal.
pub async fn access_key(rest: &Rest, principal: &str) -> AccessKey {
    let path = format!("/claviger/v1/principals/{principal}/credentials");
    let issued = rest.post(&path, &json!({"type": "accessKey", "name": "tests"})).await.ok();
    AccessKey { id: text(&issued["credential"]["accessKeyId"]), secret: text(&issued["secret"]) }
}

async fn account(rest: &Rest, folder: &str) -> String {
    text(&rest.get(&format!("/claviger/v1/folders/{folder}")).await.ok()["accountId"])
}

/// What a caller is told who may see a key and not use it like this.
pub fn denied(user: &str, operation: &str, resource: &str) -> String {
    format!(
        "User: {user} is not authorized to perform: kms:{operation} on resource: {resource} because no identity-based \
         policy allows the kms:{operation} action"
    )
}

/// Names of key material are 64 hexadecimal digits.
#[track_caller]
pub fn assert_material_id(id: &str) {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(id.len() == 64 && id.bytes().all(digit), "{id:?}");
}
