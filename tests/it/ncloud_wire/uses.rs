//! How keys are used over either API.

use super::tag;
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Ncloud, b64, data, refused};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What every key is that tests are made with for each protection.
pub const PROTECTIONS: [&str; 2] = ["BASIC", "COMMON_HSM"];

/// One of the two APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    One,
    Two,
}

impl Api {
    pub const BOTH: [Self; 2] = [Self::Two, Self::One];

    /// The path of an operation, which is named as in API 2.0.
    pub fn path(self, key: &str, action: &str) -> String {
        let old = match action {
            "create-custom-key" => "createCustomKey",
            "re-encrypt" => "reencrypt",
            other => other,
        };
        match self {
            Self::Two => format!("{key}/{action}"),
            Self::One => format!("/keys/v2/{}/{old}", tag(key)),
        }
    }

    pub async fn send(self, caller: &Ncloud, key: &str, action: &str, body: &Value) -> Answer {
        caller.post(&self.path(key, action), body).await
    }

    /// The data of an answer that went well and has the form of this API.
    pub async fn data(self, caller: &Ncloud, key: &str, action: &str, body: &Value) -> Value {
        let answer = self.send(caller, key, action, body).await;
        let data = data(&answer);
        let msg = answer.json().get("msg").cloned();
        assert_eq!(msg, (self == Self::One).then(|| json!("")), "{}", answer.text);
        data
    }
}

/// The six requests that use a key, by name and body; `sealed` is a ciphertext of the key.
pub fn requests(sealed: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("encrypt", json!({"plaintext": b64(b"x")})),
        ("decrypt", json!({"ciphertext": sealed})),
        ("create-custom-key", json!({})),
        ("re-encrypt", json!({"ciphertext": sealed})),
    ]
}

/// Every use of the key is refused like this, in both APIs.
pub async fn all_refused(caller: &Ncloud, key: &str, sealed: &str, status: u16, code: &str) {
    for (action, body) in requests(sealed) {
        for api in Api::BOTH {
            refused(&api.send(caller, key, action, &body).await, status, code);
        }
    }
}

/// Every use of the key goes well over API 2.0.
pub async fn all_go_well(caller: &Ncloud, key: &str, sealed: &str) {
    for (action, body) in requests(sealed) {
        data(&caller.post(&format!("{key}/{action}"), &body).await);
    }
}

/// The number and the bytes of a ciphertext.
#[track_caller]
pub fn parts(ciphertext: &str) -> (u32, Vec<u8>) {
    let rest = ciphertext.strip_prefix("ncpkms:v").unwrap();
    let (number, bytes) = rest.split_once(':').unwrap();
    (number.parse().unwrap(), STANDARD.decode(bytes).unwrap())
}

/// The ciphertext of a plaintext under a context.
pub async fn encrypted_with(caller: &Ncloud, key: &str, bytes: &[u8], context: &[u8]) -> String {
    let body = json!({"plaintext": b64(bytes), "context": b64(context)});
    text(&data(&caller.post(&format!("{key}/encrypt"), &body).await)["ciphertext"])
}

/// The number of a key's newest version after a rotation.
pub async fn rotated(caller: &Ncloud, key: &str) -> u64 {
    data(&caller.act(&format!("{key}/rotate")).await)["version"].as_u64().unwrap()
}
