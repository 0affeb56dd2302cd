//! One caller in three dialects.

use super::{Scene, key_id, path, plaintext};
use crate::support::Rest;
use crate::support::aws::{Raw, error};
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Ncloud, b64, data, refused};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Native,
    Aws,
    Ncloud,
}

impl Dialect {
    pub const ALL: [Self; 3] = [Self::Native, Self::Aws, Self::Ncloud];
}

/// Somebody with a credential for each dialect.
pub struct Trio<'a> {
    pub scene: &'a Scene,
    pub rest: Rest,
    pub raw: Raw,
    pub ncloud: Ncloud,
}

impl<'a> Trio<'a> {
    /// The administrator.
    pub fn of(scene: &'a Scene) -> Self {
        let raw = Raw::new(scene.dev.credential("CLAVIGER_ENDPOINT"), &scene.key);
        Self { scene, rest: scene.rest.clone(), raw, ncloud: scene.admin.clone() }
    }

    /// Somebody without a role, and its id.
    pub async fn somebody(&self, name: &str) -> (Self, String) {
        let Self { scene, .. } = self;
        let id = scene.rest.service_account(scene.dev.folder(), name).await;
        let (_, token) = scene.rest.api_token(&id).await;
        let key = crate::aws_wire::access_key(&scene.rest, &id).await;
        let endpoint = scene.dev.credential("CLAVIGER_ENDPOINT");
        let rest = scene.rest.with_token(&token);
        (Self { scene, rest, raw: Raw::new(endpoint, &key), ncloud: Ncloud::new(endpoint, &key) }, id)
    }

    /// The id of a key that was made natively.
    pub async fn native_key(&self, algorithm: &str) -> String {
        let body = json!({"folderId": self.scene.dev.folder(), "defaultAlgorithm": algorithm});
        text(&self.rest.post("/kms/v1/keys", &body).await.ok()["metadata"]["keyId"])
    }

    /// The id of a key that AWS made.
    pub async fn aws_key(&self) -> String {
        text(&self.raw.call("CreateKey", &json!({})).await.ok()["KeyMetadata"]["KeyId"])
    }

    /// The ids of a native key, a key of AWS and one of Ncloud.
    pub async fn one_of_each(&self) -> [String; 3] {
        [self.native_key("AES_256_HSM").await, self.aws_key().await, key_id(&self.scene.new_key("BASIC").await)]
    }

    /// The path of a key in this dialect.
    pub fn path(&self, id: &str) -> String {
        path(&id.replace('-', ""))
    }

    /// A native request for a key.
    pub async fn native(&self, id: &str, action: &str, body: &Value) -> Answer {
        self.rest.post(&format!("/kms/v1/keys/{id}:{action}"), body).await
    }

    /// The key as this dialect shows it.
    pub async fn shown(&self, id: &str) -> Value {
        data(&self.ncloud.get(&self.path(id)).await)
    }

    /// The number of its current version.
    pub async fn version(&self, id: &str) -> u64 {
        self.shown(id).await["currentVersion"].as_u64().unwrap()
    }

    /// A request to encrypt.
    async fn encryption(&self, by: Dialect, id: &str, bytes: &[u8]) -> Answer {
        match by {
            Dialect::Native => self.native(id, "encrypt", &plaintext(bytes)).await,
            Dialect::Aws => self.raw.call("Encrypt", &json!({"KeyId": id, "Plaintext": b64(bytes)})).await,
            Dialect::Ncloud => self.ncloud.post(&format!("{}/encrypt", self.path(id)), &plaintext(bytes)).await,
        }
    }

    /// The bytes of a ciphertext.
    pub async fn encrypt(&self, by: Dialect, id: &str, bytes: &[u8]) -> Vec<u8> {
        let answer = self.encryption(by, id, bytes).await.ok();
        match by {
            Dialect::Native => STANDARD.decode(text(&answer["ciphertext"])).unwrap(),
            Dialect::Aws => STANDARD.decode(text(&answer["CiphertextBlob"])).unwrap(),
            Dialect::Ncloud => text(&answer["data"]["ciphertext"]).into_bytes(),
        }
    }

    /// A request to decrypt what the version with this number encrypted.
    async fn decryption(&self, by: Dialect, id: &str, sealed: &[u8], number: u64) -> Answer {
        match by {
            Dialect::Native => self.native(id, "decrypt", &json!({"ciphertext": b64(sealed)})).await,
            Dialect::Aws => self.raw.call("Decrypt", &json!({"KeyId": id, "CiphertextBlob": b64(sealed)})).await,
            Dialect::Ncloud => {
                let ciphertext = match sealed.starts_with(b"ncpkms:") {
                    true => String::from_utf8(sealed.to_vec()).unwrap(),
                    false => format!("ncpkms:v{number}:{}", b64(sealed)),
                };
                self.ncloud.post(&format!("{}/decrypt", self.path(id)), &json!({"ciphertext": ciphertext})).await
            }
        }
    }

    /// What is in a ciphertext, as base64.
    pub async fn decrypt(&self, by: Dialect, id: &str, sealed: &[u8], number: u64) -> String {
        let answer = self.decryption(by, id, sealed, number).await.ok();
        text(match by {
            Dialect::Native => &answer["plaintext"],
            Dialect::Aws => &answer["Plaintext"],
            Dialect::Ncloud => &answer["data"]["plaintext"],
        })
    }

    pub async fn rotate(&self, by: Dialect, id: &str) {
        let answer = match by {
            Dialect::Native => self.native(id, "rotate", &json!({})).await,
            Dialect::Aws => self.raw.call("RotateKeyOnDemand", &json!({"KeyId": id})).await,
            Dialect::Ncloud => self.ncloud.act(&format!("{}/rotate", self.path(id))).await,
        };
        answer.ok();
    }

    /// Switches a key on or off.
    pub async fn switch(&self, by: Dialect, id: &str, on: bool) {
        let answer = match by {
            Dialect::Native => {
                let status = if on { "ACTIVE" } else { "INACTIVE" };
                let body = json!({"updateMask": "status", "status": status});
                self.rest.patch(&format!("/kms/v1/keys/{id}"), &body).await
            }
            Dialect::Aws => {
                let operation = if on { "EnableKey" } else { "DisableKey" };
                self.raw.call(operation, &json!({"KeyId": id})).await
            }
            Dialect::Ncloud => {
                self.ncloud.act(&format!("{}/{}", self.path(id), if on { "enable" } else { "disable" })).await
            }
        };
        assert_eq!(answer.status, 200, "{by:?}: {}", answer.text);
    }

    /// Requests the deletion of a key.
    pub async fn delete(&self, by: Dialect, id: &str) {
        let answer = match by {
            Dialect::Native => self.rest.delete(&format!("/kms/v1/keys/{id}")).await,
            Dialect::Aws => self.raw.call("ScheduleKeyDeletion", &json!({"KeyId": id, "PendingWindowInDays": 7})).await,
            Dialect::Ncloud => self.ncloud.act(&format!("{}/request-deletion", self.path(id))).await,
        };
        answer.ok();
    }

    /// The state of a key in each dialect, or why it is not shown.
    pub async fn states(&self, id: &str) -> [String; 3] {
        let native = self.rest.get(&format!("/kms/v1/keys/{id}")).await;
        let aws = self.raw.call("DescribeKey", &json!({"KeyId": id})).await;
        let ncloud = self.ncloud.get(&self.path(id)).await;
        [
            if native.status == 200 { text(&native.json()["status"]) } else { native.status.to_string() },
            if aws.status == 200 { text(&aws.json()["KeyMetadata"]["KeyState"]) } else { error(&aws).0 },
            if ncloud.status == 200 { text(&ncloud.json()["data"]["status"]) } else { ncloud.status.to_string() },
        ]
    }

    /// Encryption is refused like this by each dialect.
    pub async fn uses_are_refused(&self, id: &str, native: i64, aws: &str, ncloud: u16) {
        let native_said = self.encryption(Dialect::Native, id, b"x").await;
        assert_eq!(native_said.code(), native, "{}", native_said.text);
        let (code, said) = error(&self.encryption(Dialect::Aws, id, b"x").await);
        assert_eq!(code, aws, "{said}");
        refused(&self.encryption(Dialect::Ncloud, id, b"x").await, ncloud, ncloud_code(ncloud));
    }

    /// Decryption is refused like this by each dialect.
    pub async fn decryption_is_refused(
        &self,
        id: &str,
        sealed: &[u8],
        number: u64,
        [native, ncloud]: [u16; 2],
        aws: &str,
    ) {
        let native_said = self.decryption(Dialect::Native, id, sealed, number).await;
        assert_eq!(native_said.code(), i64::from(native), "{}", native_said.text);
        let (code, said) = error(&self.decryption(Dialect::Aws, id, sealed, number).await);
        assert_eq!(code, aws, "{said}");
        refused(&self.decryption(Dialect::Ncloud, id, sealed, number).await, ncloud, ncloud_code(ncloud));
    }

    /// Gives or takes a role on a key.
    pub async fn bind(&self, id: &str, action: &str, role: &str, principal: &str) {
        let binding = json!({"roleId": role, "subject": {"id": principal, "type": "serviceAccount"}});
        let body = json!({"accessBindingDeltas": [{"action": action, "accessBinding": binding}]});
        self.native(id, "updateAccessBindings", &body).await.ok();
    }
}

fn ncloud_code(status: u16) -> &'static str {
    match status {
        400 => "INVALID_REQUEST",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        _ => "UNPROCESSABLE_ENTITY",
    }
}
