//! Every operation on a key, in every state of a key that there is here.

use super::{NOBODY, Scene, encrypted, path, plaintext};
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Ncloud, b64, data};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What an operation meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// It succeeds.
    Ok,
    /// 422 UNPROCESSABLE_ENTITY.
    State,
    /// 400 INVALID_REQUEST: not with this keyType.
    Type,
    /// 501 NOT_IMPLEMENTED.
    Unserved,
    /// 404 NOT_FOUND.
    Missing,
}

use Cell::{Ok as O, State as S, Type as T, Unserved as U};

/// States, in the order of the table's columns; then those of keys that are not there, for which the table is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Enable,
    Disable,
    Revoke,
    Deleted,
    Unknown,
}

const STATES: [State; 5] = [State::Enable, State::Disable, State::Revoke, State::Deleted, State::Unknown];

/// Method and the end of the path of an operation, and what it meets in each state. `one` begins paths of API 1.0, and
/// `token` what is sent with a refresh token.
const TABLE: [(&str, [Cell; 3]); 47] = [
    ("GET ", [O, O, O]),
    ("POST enable", [S, O, S]),
    ("POST disable", [O, S, S]),
    ("PUT name", [O, O, S]),
    ("PUT memo", [O, O, S]),
    ("POST request-deletion", [O, O, S]),
    ("POST cancel-deletion", [S, S, O]),
    ("DELETE ", [S, S, O]),
    ("POST rotate", [O, S, S]),
    ("POST enable-auto-rotation", [O, O, S]),
    ("POST disable-auto-rotation", [O, O, S]),
    ("PUT rotation-period", [O, O, S]),
    ("GET versions", [O, O, O]),
    ("POST versions/1/enable", [O, S, S]),
    ("POST versions/1/disable", [O, S, S]),
    ("POST versions/2/disable", [S, S, S]),
    ("POST encrypt", [O, S, S]),
    ("POST decrypt", [O, S, S]),
    ("POST create-custom-key", [O, S, S]),
    ("POST re-encrypt", [O, S, S]),
    ("POST sign", [T, S, S]),
    ("POST verify", [T, S, S]),
    ("POST get-pub-key", [T, S, S]),
    ("POST one/encrypt", [O, S, S]),
    ("POST one/decrypt", [O, S, S]),
    ("POST one/createCustomKey", [O, S, S]),
    ("POST one/reencrypt", [O, S, S]),
    ("POST one/sign", [T, S, S]),
    ("POST one/verify", [T, S, S]),
    ("POST token-generator", [O, O, S]),
    ("GET token-generator", [O, O, S]),
    ("PUT token-generator", [O, O, S]),
    ("DELETE token-generator", [O, O, O]),
    ("POST token-set", [O, S, S]),
    ("PUT token/token-set", [O, S, S]),
    ("POST token/access-token", [O, S, S]),
    ("POST acl/enable", [O, O, S]),
    ("POST acl/disable", [O, O, S]),
    ("GET acl", [O, O, O]),
    ("POST acl", [O, O, S]),
    ("DELETE acl", [O, O, S]),
    ("GET activities", [U, U, U]),
    ("GET last-use-info", [U, U, U]),
    // What is sent where no body is read changes nothing.
    ("POST enable with a body", [S, O, S]),
    ("POST disable with a body", [O, S, S]),
    ("POST rotate with a body", [O, S, S]),
    ("POST cancel-deletion with a body", [S, S, O]),
];

/// Cells that are tried at the same time.
const TOGETHER: usize = 12;

#[tokio::test]
async fn every_operation_meets_every_state_as_the_table_says() {
    let scene = Scene::start().await;
    let cells: Vec<_> = TABLE.iter().flat_map(|row| STATES.map(|state| (row.0, state, expected(row, state)))).collect();
    let mut wrong = Vec::new();
    for some in cells.chunks(TOGETHER) {
        let found = join_all(some.iter().map(|(operation, state, _)| cell(&scene, operation, *state))).await;
        for ((operation, state, expected), found) in some.iter().zip(found) {
            if found != Ok(*expected) {
                wrong.push(format!("{operation} {state:?}: {expected:?} expected, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn expected((_, row): &(&str, [Cell; 3]), state: State) -> Cell {
    row.get(state as usize).copied().unwrap_or(Cell::Missing)
}

/// A key with two versions, a schedule, and what it encrypted.
struct Key {
    path: String,
    sealed: String,
    /// A refresh token of it, where one is needed.
    refresher: Option<Ncloud>,
}

impl Key {
    async fn new(scene: &Scene, with_token: bool) -> Self {
        let admin = &scene.admin;
        let path = scene.new_key_with(json!({"isAutoRotation": true})).await;
        let sealed = encrypted(admin, &path, b"before").await;
        data(&admin.act(&format!("{path}/rotate")).await);
        data(&admin.act(&format!("{path}/token-generator")).await);
        let mut refresher = None;
        if with_token {
            let set = data(&admin.post(&format!("{path}/token-set"), &json!({})).await);
            refresher = Some(admin.with_token(&text(&set["refreshToken"])));
        }
        Self { path, sealed, refresher }
    }

    async fn put_into(&mut self, scene: &Scene, state: State) {
        let act = async |action: &str| drop(data(&scene.admin.act(&format!("{}/{action}", self.path)).await));
        match state {
            State::Enable => {}
            State::Disable => act("disable").await,
            State::Revoke => act("request-deletion").await,
            State::Deleted => {
                act("request-deletion").await;
                data(&scene.admin.delete(&self.path).await);
            }
            State::Unknown => self.path = path(NOBODY),
        }
    }
}

/// What an operation met on a key in a state; the answer, where it is none of the table's.
async fn cell(scene: &Scene, operation: &str, state: State) -> Result<Cell, String> {
    let (method, rest) = operation.split_once(' ').unwrap();
    let (end, with_body) = rest.strip_suffix(" with a body").map_or((rest, false), |end| (end, true));
    let by_token = end.strip_prefix("token/");
    if by_token.is_some() && [State::Deleted, State::Unknown].contains(&state) {
        // There is no token of such a key.
        return Ok(Cell::Missing);
    }
    let mut key = Key::new(scene, by_token.is_some()).await;
    key.put_into(scene, state).await;
    let body = if with_body { Some(json!({"status": "DELETED"})) } else { body(scene, end, &key) };
    let target = match end.strip_prefix("one/") {
        Some(action) => format!("{}/{action}", key.path.replace("/kms/v1/keys", "/keys/v2")),
        None if end.is_empty() => key.path.clone(),
        None => format!("{}/{}", key.path, by_token.unwrap_or(end)),
    };
    let caller = key.refresher.as_ref().unwrap_or(&scene.admin);
    met(&caller.call(method, &target, body.as_ref()).await)
}

fn body(scene: &Scene, end: &str, key: &Key) -> Option<Value> {
    Some(match end {
        "name" => json!({"keyName": scene.name()}),
        "memo" => json!({"memo": "m"}),
        "rotation-period" => json!({"rotationPeriod": 30}),
        "encrypt" | "one/encrypt" => plaintext(b"hi"),
        "decrypt" | "one/decrypt" | "re-encrypt" | "one/reencrypt" => json!({"ciphertext": key.sealed}),
        "sign" | "one/sign" => json!({"data": b64(b"hi")}),
        "verify" | "one/verify" => json!({"data": b64(b"hi"), "signature": key.sealed}),
        "acl" => json!({"ipList": ["192.0.2.1"]}),
        _ => return None,
    })
}

fn met(answer: &Answer) -> Result<Cell, String> {
    let json = answer.json();
    let code = json["code"].as_str().unwrap_or_default();
    let says = |start: &str| json["msg"].as_str().is_some_and(|msg| msg.starts_with(start));
    match (answer.status, code) {
        (200, "SUCCESS") => Ok(Cell::Ok),
        (422, "UNPROCESSABLE_ENTITY") if says("Invalid status: ") => Ok(Cell::State),
        (400, "INVALID_REQUEST") if says("Invalid request: ") => Ok(Cell::Type),
        (501, "NOT_IMPLEMENTED") => Ok(Cell::Unserved),
        (404, "NOT_FOUND") if says("Not found: ") => Ok(Cell::Missing),
        _ => Err(answer.text.clone()),
    }
}
