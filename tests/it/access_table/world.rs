//! Two folders, three keys, and for every role somebody who has it on a key, somebody on a folder and somebody on the
//! service. The keys are inactive and protected, so that whatever is allowed changes nothing that matters.

use super::calls::Call;
use crate::support::client::text;
use crate::support::{Dev, Rest};
use claviger::domain::access::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An id that nothing has.
const NOBODY: &str = "7f3c1b5e-0d2a-4c66-9b1f-3d5a8e0c9f21";

/// Where a role is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Service,
    Folder,
    Key,
}

/// What a request is about: the key (or folder) where roles are bound, another key of the folder, a key (or folder) that
/// has nothing to do with it, and none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Own,
    Other,
    Foreign,
    Unknown,
}

impl Target {
    pub const ALL: [Self; 4] = [Self::Own, Self::Other, Self::Foreign, Self::Unknown];
}

/// Somebody with one role.
pub struct Holder {
    pub role: &'static str,
    pub level: Level,
    pub rest: Rest,
    id: String,
}

struct Key {
    id: String,
    version_id: String,
    operation_id: String,
}

/// A principal and a credential of it.
pub struct Somebody {
    id: String,
    credential_id: String,
}

/// Everything.
pub struct World {
    admin: Rest,
    keys: BTreeMap<Target, Key>,
    folders: BTreeMap<Target, String>,
    holders: Vec<Holder>,
    /// What the service's set was when all was bound.
    service_bindings: Value,
    /// The server ends with the world.
    _dev: Dev,
}

impl World {
    pub async fn new(dev: Dev) -> Self {
        let admin = dev.rest();
        let own = dev.folder().to_owned();
        let foreign = admin.post("/claviger/v1/folders", &json!({"name": "foreign"})).await.ok();
        let foreign = text(&foreign["id"]);
        let folders =
            BTreeMap::from([(Target::Own, own), (Target::Foreign, foreign), (Target::Unknown, NOBODY.to_owned())]);
        let keys = BTreeMap::from([
            (Target::Own, key(&admin, &folders[&Target::Own]).await),
            (Target::Other, key(&admin, &folders[&Target::Own]).await),
            (Target::Foreign, key(&admin, &folders[&Target::Foreign]).await),
            (Target::Unknown, Key { id: NOBODY.into(), version_id: NOBODY.into(), operation_id: NOBODY.into() }),
        ]);
        let mut holders = Vec::new();
        for role in Role::ALL {
            for level in [Level::Service, Level::Folder, Level::Key] {
                let (id, rest) = principal(&admin, &folders[&Target::Own], role.name()).await;
                holders.push(Holder { role: role.name(), level, rest, id });
            }
        }
        let mut world = Self { admin, keys, folders, holders, service_bindings: Value::Null, _dev: dev };
        for level in [Level::Service, Level::Folder, Level::Key] {
            world.bind(level).await;
        }
        let bound = world.admin.get("/claviger/v1/service:listAccessBindings").await.ok();
        world.service_bindings = bound["accessBindings"].clone();
        world
    }

    async fn bind(&self, level: Level) {
        let bindings = self.bindings(level);
        let deltas: Vec<Value> =
            bindings.iter().map(|binding| json!({"action": "ADD", "accessBinding": binding})).collect();
        let place = match level {
            Level::Service => "/claviger/v1/service".to_owned(),
            Level::Folder => format!("/claviger/v1/folders/{}", self.folders[&Target::Own]),
            Level::Key => format!("/kms/v1/keys/{}", self.keys[&Target::Own].id),
        };
        let body = json!({"accessBindingDeltas": deltas});
        self.admin.post(&format!("{place}:updateAccessBindings"), &body).await.ok();
    }

    /// What is bound on a level, but for the service's administrator.
    fn bindings(&self, level: Level) -> Vec<Value> {
        let holders = self.holders.iter().filter(|holder| holder.level == level);
        let binding =
            |holder: &Holder| json!({"roleId": holder.role, "subject": {"id": holder.id, "type": "serviceAccount"}});
        holders.map(binding).collect()
    }

    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter()
    }

    /// Somebody of another folder, without any role.
    pub async fn stranger(&self) -> Rest {
        principal(&self.admin, &self.folders[&Target::Foreign], "stranger").await.1
    }

    /// A principal of a folder, with a credential.
    pub async fn somebody(&self, target: Target) -> Somebody {
        if target == Target::Unknown {
            return Somebody { id: NOBODY.into(), credential_id: NOBODY.into() };
        }
        let folder = &self.folders[&target];
        let id = self.admin.service_account(folder, "somebody").await;
        let (credential_id, _) = self.admin.api_token(&id).await;
        Somebody { id, credential_id }
    }

    /// The id that an operation's request names.
    pub fn id(&self, operation: &str, target: Target) -> String {
        let key = &self.keys[&target];
        if operation == "GetOperation" { key.operation_id.clone() } else { key.id.clone() }
    }

    /// A request about a key.
    pub fn key_call(&self, rest: &Rest, operation: &str, target: Target) -> Call {
        let Key { id, version_id, operation_id } = &self.keys[&target];
        let key = format!("/kms/v1/keys/{id}");
        let verb = |verb: &str| format!("{key}:{verb}");
        let version = json!({"versionId": version_id});
        let own_set = if target == Target::Own { self.bindings(Level::Key) } else { Vec::new() };
        let removal = json!({"roleId": "kms.admin", "subject": {"id": NOBODY, "type": "userAccount"}});
        let (method, path, body) = match operation {
            "Get" => (Method::GET, key, None),
            "ListVersions" => (Method::GET, format!("{key}/versions"), None),
            "ListOperations" => (Method::GET, format!("{key}/operations"), None),
            "GetOperation" => (Method::GET, format!("/operations/{operation_id}"), None),
            "KeyDetails" => (Method::GET, format!("/claviger/v1/keys/{id}"), None),
            "Encrypt" => (Method::POST, verb("encrypt"), Some(json!({"plaintext": "AAAA"}))),
            "Decrypt" => (Method::POST, verb("decrypt"), Some(json!({"ciphertext": "AAAA"}))),
            "ReEncrypt" => (Method::POST, verb("reEncrypt"), Some(json!({"sourceKeyId": id, "ciphertext": "AAAA"}))),
            "GenerateDataKey" => (Method::POST, verb("generateDataKey"), Some(json!({"dataKeySpec": "AES_256"}))),
            "Update" => (Method::PATCH, key, Some(json!({"updateMask": "name", "name": "key"}))),
            "Rotate" => (Method::POST, verb("rotate"), None),
            "SetPrimaryVersion" => (Method::POST, verb("setPrimaryVersion"), Some(version)),
            "ScheduleVersionDestruction" => (Method::POST, verb("scheduleVersionDestruction"), Some(version)),
            "CancelVersionDestruction" => (Method::POST, verb("cancelVersionDestruction"), Some(version)),
            "Delete" => (Method::DELETE, key, None),
            "Restore" => (Method::POST, format!("/claviger/v1/keys/{id}:restore"), None),
            "ListAccessBindings" => (Method::GET, verb("listAccessBindings"), None),
            "SetAccessBindings" => (Method::POST, verb("setAccessBindings"), Some(json!({"accessBindings": own_set}))),
            "UpdateAccessBindings" => {
                let deltas = json!({"accessBindingDeltas": [{"action": "REMOVE", "accessBinding": removal}]});
                (Method::POST, verb("updateAccessBindings"), Some(deltas))
            }
            _ => panic!("no request is known for {operation}"),
        };
        Call { rest: rest.clone(), method, path, body }
    }

    /// A request about a folder, or about somebody of it.
    pub fn folder_call(&self, rest: &Rest, operation: &str, target: Target, somebody: &Somebody) -> Call {
        let folder = &self.folders[&target];
        let place = format!("/claviger/v1/folders/{folder}");
        let (person, credentials) = (format!("/claviger/v1/principals/{}", somebody.id), "credentials");
        let own_set = if target == Target::Own { self.bindings(Level::Folder) } else { Vec::new() };
        let removal = json!({"roleId": "kms.admin", "subject": {"id": NOBODY, "type": "userAccount"}});
        let deltas = json!({"accessBindingDeltas": [{"action": "REMOVE", "accessBinding": removal}]});
        let (method, path, body) = match operation {
            "List" => (Method::GET, format!("/kms/v1/keys?folderId={folder}"), None),
            "Create" => {
                let body = json!({"folderId": folder, "name": "made", "defaultAlgorithm": "AES_256_HSM"});
                (Method::POST, "/kms/v1/keys".to_owned(), Some(body))
            }
            "GetFolder" => (Method::GET, place, None),
            "ListFolderAccessBindings" => (Method::GET, format!("{place}:listAccessBindings"), None),
            "SetFolderAccessBindings" => {
                (Method::POST, format!("{place}:setAccessBindings"), Some(json!({"accessBindings": own_set})))
            }
            "UpdateFolderAccessBindings" => (Method::POST, format!("{place}:updateAccessBindings"), Some(deltas)),
            "ListPrincipals" => (Method::GET, format!("/claviger/v1/principals?folderId={folder}"), None),
            "CreatePrincipal" => {
                let body = json!({"folderId": folder, "type": "serviceAccount", "name": "made"});
                (Method::POST, "/claviger/v1/principals".to_owned(), Some(body))
            }
            "GetPrincipal" => (Method::GET, person, None),
            "DeletePrincipal" => (Method::DELETE, person, None),
            "ListCredentials" => (Method::GET, format!("{person}/{credentials}"), None),
            "CreateCredential" => {
                (Method::POST, format!("{person}/{credentials}"), Some(json!({"type": "apiToken", "name": "made"})))
            }
            "RevokeCredential" => {
                (Method::POST, format!("/claviger/v1/credentials/{}:revoke", somebody.credential_id), None)
            }
            _ => panic!("no request is known for {operation}"),
        };
        Call { rest: rest.clone(), method, path, body }
    }

    /// A request about the service.
    pub fn service_call(&self, rest: &Rest, operation: &str) -> Call {
        let removal = json!({"roleId": "kms.admin", "subject": {"id": NOBODY, "type": "userAccount"}});
        let deltas = json!({"accessBindingDeltas": [{"action": "REMOVE", "accessBinding": removal}]});
        let (method, path, body) = match operation {
            "CreateFolder" => (Method::POST, "folders", Some(json!({"name": "made"}))),
            "ConfirmClock" => (Method::POST, "clock:confirm", None),
            "ListServiceAccessBindings" => (Method::GET, "service:listAccessBindings", None),
            "SetServiceAccessBindings" => {
                (Method::POST, "service:setAccessBindings", Some(json!({"accessBindings": self.service_bindings})))
            }
            "UpdateServiceAccessBindings" => (Method::POST, "service:updateAccessBindings", Some(deltas)),
            _ => panic!("no request is known for {operation}"),
        };
        Call { rest: rest.clone(), method, path: format!("/claviger/v1/{path}"), body }
    }
}

/// An inactive, protected key.
async fn key(admin: &Rest, folder: &str) -> Key {
    let body = json!({"folderId": folder, "defaultAlgorithm": "AES_256_HSM", "deletionProtection": true});
    let operation = admin.post("/kms/v1/keys", &body).await.ok();
    let id = text(&operation["metadata"]["keyId"]);
    admin.patch(&format!("/kms/v1/keys/{id}"), &json!({"updateMask": "status", "status": "INACTIVE"})).await.ok();
    Key { id, version_id: text(&operation["metadata"]["primaryVersionId"]), operation_id: text(&operation["id"]) }
}

/// A service account, and a client with its token.
async fn principal(admin: &Rest, folder: &str, name: &str) -> (String, Rest) {
    let id = admin.service_account(folder, name).await;
    let (_, token) = admin.api_token(&id).await;
    (id, admin.with_token(&token))
}
