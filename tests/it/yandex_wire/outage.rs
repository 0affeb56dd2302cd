//! A server of the native dialect whose database and token are down: whatever is answered without UNAVAILABLE was
//! answered by the dialect alone.

use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use claviger::auth::{Authenticator, Logins, Peer};
use claviger::dialect::RequestId;
use claviger::dialect::yandex::{YandexDeps, routes};
use claviger::domain::access::{BindingSet, Caller, PrincipalKind};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::alias::{Alias, AliasPlace};
use claviger::domain::envelope::Suite;
use claviger::domain::id::{
    AccountId, CredentialId, FolderId, GeneratorId, KeyId, MaterialId, OperationId, PrincipalId,
};
use claviger::domain::key::Key;
use claviger::domain::key_pair::KeyPairSpec;
use claviger::domain::operation::{KeyView, Operation};
use claviger::domain::text::ShortName;
use claviger::domain::time::Timestamp;
use claviger::domain::version::KeyVersion;
use claviger::service::error::ServiceError;
use claviger::service::identity::LoginToken;
use claviger::service::ports::KeyPair;
use claviger::service::ports::{
    Assurance, BindingScope, Change, CredentialLookup, CredentialRecord, CredentialView, Cursor, Due, Folder,
    Heartbeat, IdSource, InvocationLease, KeyRecord, Material, Page, Principal, Protection, RememberedRequest,
    SealedData, SealedMaterial, Store, StoreError, Stored, StoredMaterial, Token, TokenDescription, TokenError,
    TokenIdentity,
};
use claviger::service::ports::{KeyFilter, NumberedPage};
use claviger::service::{AccessSettings, Kms, KmsParts, KmsSettings};
use claviger::testing::ManualClock;
use http::{HeaderMap, Method};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The one credential that the server takes.
pub const TOKEN: &str = "good-token";
/// A token whose owner has failed too often.
pub const THROTTLED: &str = "throttled-token";
/// The one JWT that the server takes.
pub const JWT: &str = "good-jwt";
/// What it is exchanged for.
pub const LOGIN_TOKEN: &str = "login-token";
/// Where every request comes from, as its listener says.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
/// The id of every request.
pub const REQUEST_ID: &str = "request-1";
/// What discovery hands out.
pub const ADVERTISED: &str = "kms.example.com:8201";

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Starts one on a free port.
    pub async fn start(reflection: bool) -> Self {
        let deps = YandexDeps {
            kms: Arc::new(core()),
            authenticator: Arc::new(OneToken),
            logins: Arc::new(OneJwt),
            advertised_address: ADVERTISED.into(),
            reflection,
            health: Some(tonic_health::server::HealthReporter::new()),
        };
        let app: Router = routes(deps).unwrap().layer(map_request(|mut request: Request| async move {
            request.extensions_mut().insert(RequestId(REQUEST_ID.into()));
            request.extensions_mut().insert(Peer { address: PEER, certificate_sha256: None });
            request
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        Client::new().request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path))
    }

    /// How a request of the one caller is refused.
    pub async fn refused(&self, method: &str, path: &str, body: &str) -> (u16, i64, String) {
        let request = self.request(method, path).bearer_auth(TOKEN).body(body.to_owned());
        error(request.send().await.unwrap()).await
    }
}

/// HTTP status, gRPC code and message of an error.
pub async fn error(response: Response) -> (u16, i64, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-request-id"], REQUEST_ID);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["details"][0]["requestId"], REQUEST_ID);
    (status, body["code"].as_i64().unwrap(), body["message"].as_str().unwrap().to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct OneToken;

#[async_trait]
impl Authenticator for OneToken {
    async fn authenticate(&self, headers: &HeaderMap, _: Option<&Peer>) -> Result<Caller, ServiceError> {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match given {
            Some(TOKEN) => {}
            Some(THROTTLED) => {
                return Err(ServiceError::Throttled { text: "too many failed attempts", retry_after_s: 60 });
            }
            _ => return Err(ServiceError::Unauthenticated),
        }
        Ok(Caller {
            principal_id: PrincipalId::from_bytes([1; 16]),
            kind: PrincipalKind::User,
            credential_id: CredentialId::from_bytes([2; 16]),
            folder_id: FolderId::from_bytes([3; 16]),
        })
    }
}

struct OneJwt;

#[async_trait]
impl Logins for OneJwt {
    async fn exchange(&self, jwt: &str, peer: Option<&Peer>) -> Result<LoginToken, ServiceError> {
        assert_eq!(peer.map(|peer| peer.address), Some(PEER), "logins are counted by source");
        match jwt {
            JWT => Ok(LoginToken {
                principal_id: PrincipalId::from_bytes([1; 16]),
                text: Zeroizing::new(LOGIN_TOKEN.into()),
                expires_at: Timestamp::from_micros(1_800_000_000_000_000),
            }),
            THROTTLED => Err(ServiceError::Throttled { text: "too many failed attempts", retry_after_s: 60 }),
            "outage" => Err(ServiceError::Unavailable("SECRET-CAUSE: the disk is gone".into())),
            _ => Err(ServiceError::Unauthenticated),
        }
    }
}

fn core() -> Kms {
    let day = Duration::from_secs(86_400);
    Kms::new(KmsParts {
        store: Arc::new(Down),
        token: Arc::new(Down),
        clock: Arc::new(ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000))),
        ids: Arc::new(Down),
        login_key: Zeroizing::new([0; 32]),
        settings: KmsSettings {
            access: AccessSettings::default(),
            min_rotation_period: day,
            min_version_pending_period: day,
            default_version_pending_period: 7 * day,
            key_deletion_period: 3 * day,
            max_versions_per_key: 0,
            region: "local".into(),
            max_clock_leap: Duration::ZERO,
            cached_keys: 10,
        },
    })
}

/// Every call fails, as when disk and HSM are gone.
struct Down;

fn down<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("SECRET-CAUSE: the disk is gone".into()))
}

fn token_down<T>() -> Result<T, TokenError> {
    Err(TokenError::Unavailable("SECRET-CAUSE: the HSM is gone".into()))
}

impl IdSource for Down {
    fn id(&self) -> [u8; 16] {
        [9; 16]
    }

    fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new([9; 32])
    }
}

#[async_trait]
impl Token for Down {
    async fn generate(&self, _: MaterialId, _: KeyId, _: Algorithm) -> Result<SealedMaterial, TokenError> {
        token_down()
    }

    async fn encrypt(&self, _: Arc<Material>, _: Vec<u8>, _: Zeroizing<Vec<u8>>) -> Result<SealedData, TokenError> {
        token_down()
    }

    async fn decrypt(
        &self,
        _: Arc<Material>,
        _: Vec<u8>,
        _: Vec<u8>,
        _: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        token_down()
    }

    async fn key_pair(&self, _: KeyPairSpec) -> Result<KeyPair, TokenError> {
        token_down()
    }

    async fn random(&self, _: usize) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        token_down()
    }

    async fn forget(&self, _: MaterialId) {}

    async fn check(&self) -> Result<(), TokenError> {
        token_down()
    }

    fn suite(&self, _: Algorithm) -> Suite {
        Suite::HsmGivenIv
    }

    fn description(&self) -> TokenDescription {
        TokenDescription {
            identity: TokenIdentity {
                label: String::new(),
                manufacturer: String::new(),
                model: String::new(),
                serial: String::new(),
                firmware: String::new(),
                library: String::new(),
            },
            protection: Protection::Weak,
            assurance: Assurance::Software,
        }
    }

    fn sealing_key(&self, _: Algorithm) -> Option<MaterialId> {
        None
    }
    async fn seal_secret(&self, _: CredentialId, _: Zeroizing<Vec<u8>>) -> Result<SealedMaterial, TokenError> {
        token_down()
    }
    async fn open_secret(&self, _: CredentialId, _: SealedMaterial) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        token_down()
    }
    fn secrets_key(&self) -> Option<MaterialId> {
        None
    }
}

#[async_trait]
impl Store for Down {
    async fn count_aliases(&self, _: FolderId, _: String, _: KeyId) -> Result<usize, StoreError> {
        down()
    }
    async fn commit(&self, _: Vec<Change>) -> Result<(), StoreError> {
        down()
    }
    async fn folder(&self, _: FolderId) -> Result<Option<Folder>, StoreError> {
        down()
    }
    async fn first_folder(&self) -> Result<Option<Folder>, StoreError> {
        down()
    }
    async fn folders(&self, _: Option<Cursor>, _: u32) -> Result<Page<Folder>, StoreError> {
        down()
    }
    async fn bindings(&self, _: BindingScope) -> Result<Stored<BindingSet>, StoreError> {
        down()
    }
    async fn principal(&self, _: PrincipalId) -> Result<Option<Stored<Principal>>, StoreError> {
        down()
    }
    async fn principals(&self, _: FolderId, _: Option<Cursor>, _: u32) -> Result<Page<Principal>, StoreError> {
        down()
    }
    async fn first_principal(&self, _: FolderId) -> Result<Option<Principal>, StoreError> {
        down()
    }
    async fn credential(&self, _: CredentialLookup) -> Result<Option<Stored<CredentialRecord>>, StoreError> {
        down()
    }
    async fn credentials(&self, _: PrincipalId, _: Option<Cursor>, _: u32) -> Result<Page<CredentialView>, StoreError> {
        down()
    }
    async fn record_uses(&self, _: Vec<(CredentialId, Timestamp)>) -> Result<(), StoreError> {
        down()
    }
    async fn last_used_at(&self, _: CredentialId) -> Result<Option<Timestamp>, StoreError> {
        down()
    }
    async fn folders_naming(
        &self,
        _: (PrincipalKind, PrincipalId),
        _: Option<Cursor>,
        _: u32,
    ) -> Result<Page<Folder>, StoreError> {
        down()
    }
    async fn keys_naming(
        &self,
        _: (PrincipalKind, PrincipalId),
        _: FolderId,
        _: KeyFilter,
        _: Option<Cursor>,
        _: u32,
    ) -> Result<Page<KeyView>, StoreError> {
        down()
    }
    async fn credentials_of(&self, _: PrincipalId) -> Result<Vec<Stored<CredentialRecord>>, StoreError> {
        down()
    }
    async fn key(&self, _: KeyId) -> Result<Option<Stored<Key>>, StoreError> {
        down()
    }
    async fn key_record(&self, _: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        down()
    }
    async fn folder_by_account(&self, _: AccountId) -> Result<Option<Folder>, StoreError> {
        down()
    }
    async fn alias(&self, _: AliasPlace) -> Result<Option<Stored<Alias>>, StoreError> {
        down()
    }
    async fn aliases(
        &self,
        _: FolderId,
        _: String,
        _: Option<KeyId>,
        _: Option<Cursor>,
        _: u32,
    ) -> Result<Page<Alias>, StoreError> {
        down()
    }
    async fn aliases_naming(
        &self,
        _: (PrincipalKind, PrincipalId),
        _: FolderId,
        _: String,
        _: Option<Cursor>,
        _: u32,
    ) -> Result<Page<Alias>, StoreError> {
        down()
    }
    async fn keys(&self, _: FolderId, _: KeyFilter, _: Option<Cursor>, _: u32) -> Result<Page<KeyView>, StoreError> {
        down()
    }
    async fn material(&self, _: KeyId, _: MaterialId) -> Result<Option<StoredMaterial>, StoreError> {
        down()
    }
    async fn keys_at(&self, _: FolderId, _: KeyFilter, _: u64, _: u32) -> Result<NumberedPage<KeyView>, StoreError> {
        down()
    }
    async fn key_named(&self, _: FolderId, _: ShortName) -> Result<Option<KeyId>, StoreError> {
        down()
    }
    async fn tokens_issued(&self, _: GeneratorId) -> Result<u64, StoreError> {
        down()
    }
    async fn material_numbered(&self, _: KeyId, _: u32) -> Result<Option<StoredMaterial>, StoreError> {
        down()
    }
    async fn versions(&self, _: KeyId, _: Option<Cursor>, _: u32) -> Result<Page<Stored<KeyVersion>>, StoreError> {
        down()
    }
    async fn operation(&self, _: OperationId) -> Result<Option<Operation>, StoreError> {
        down()
    }
    async fn operations(&self, _: KeyId, _: Option<Cursor>, _: u32) -> Result<Page<Operation>, StoreError> {
        down()
    }
    async fn remembered(&self, _: PrincipalId, _: &str) -> Result<Option<RememberedRequest>, StoreError> {
        down()
    }
    async fn lease_invocations(&self, _: MaterialId, _: u64) -> Result<InvocationLease, StoreError> {
        down()
    }
    async fn due(&self, _: Timestamp, _: u32) -> Result<Due, StoreError> {
        down()
    }
    async fn next_due_after(&self, _: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        down()
    }
    async fn forget_requests(&self, _: Timestamp) -> Result<(), StoreError> {
        down()
    }
    async fn erase_copies(&self) -> Result<(), StoreError> {
        down()
    }
    async fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError> {
        down()
    }
    async fn beat(&self, _: Heartbeat) -> Result<(), StoreError> {
        down()
    }
}
