//! One message, two protocols: what the generated client sends, sent as the documented REST request as well.

use crate::support::{Dev, Grpc, Rest};
use claviger::dialect::yandex::proto::google::rpc;
use claviger::dialect::yandex::proto::yandex::cloud::access;
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1 as iam;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation;
use prost::{Message, Name};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::{Code, Response, Status};

/// A caller of one server over one protocol and one listener.
#[derive(Clone)]
pub struct Api {
    pub name: &'static str,
    pub transport: Transport,
}

#[derive(Clone)]
pub enum Transport {
    Grpc(Grpc),
    Rest(Rest),
}

/// A refusal, whatever its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub text: String,
}

/// How an rpc is reached over either protocol.
pub trait Rpc: Message + Name + Serialize + Clone + Default + 'static {
    type Reply: Message + Default + DeserializeOwned;

    /// Method, path, and the JSON name of the field that is in the path.
    fn route(&self) -> (Method, String, &'static str);

    fn over_grpc(self, client: &Grpc) -> impl Future<Output = Result<Response<Self::Reply>, Status>> + Send;
}

macro_rules! rpcs {
    ($($method:ident $path:literal $field:literal $($id:ident)? : $request:ty => $client:ident.$rpc:ident -> $reply:ty;)*) => {
        $(impl Rpc for $request {
            type Reply = $reply;

            fn route(&self) -> (Method, String, &'static str) {
                (Method::$method, format!($path $(, in_path(&self.$id))?), $field)
            }

            async fn over_grpc(self, client: &Grpc) -> Result<Response<$reply>, Status> {
                client.$client().$rpc(self).await
            }
        })*

        /// The name of every rpc above, as a gRPC path.
        pub const PATHS: &[(&str, &str)] = &[$((stringify!($client), stringify!($rpc))),*];
    };
}

rpcs! {
    POST "/kms/v1/keys" "": kms::CreateSymmetricKeyRequest => keys.create -> operation::Operation;
    GET "/kms/v1/keys/{}" "keyId" key_id: kms::GetSymmetricKeyRequest => keys.get -> kms::SymmetricKey;
    GET "/kms/v1/keys" "": kms::ListSymmetricKeysRequest => keys.list -> kms::ListSymmetricKeysResponse;
    GET "/kms/v1/keys/{}/versions" "keyId" key_id:
        kms::ListSymmetricKeyVersionsRequest => keys.list_versions -> kms::ListSymmetricKeyVersionsResponse;
    GET "/kms/v1/keys/{}/operations" "keyId" key_id:
        kms::ListSymmetricKeyOperationsRequest => keys.list_operations -> kms::ListSymmetricKeyOperationsResponse;
    PATCH "/kms/v1/keys/{}" "keyId" key_id: kms::UpdateSymmetricKeyRequest => keys.update -> operation::Operation;
    DELETE "/kms/v1/keys/{}" "keyId" key_id: kms::DeleteSymmetricKeyRequest => keys.delete -> operation::Operation;
    POST "/kms/v1/keys/{}:rotate" "keyId" key_id: kms::RotateSymmetricKeyRequest => keys.rotate -> operation::Operation;
    POST "/kms/v1/keys/{}:setPrimaryVersion" "keyId" key_id:
        kms::SetPrimarySymmetricKeyVersionRequest => keys.set_primary_version -> operation::Operation;
    POST "/kms/v1/keys/{}:scheduleVersionDestruction" "keyId" key_id:
        kms::ScheduleSymmetricKeyVersionDestructionRequest => keys.schedule_version_destruction -> operation::Operation;
    POST "/kms/v1/keys/{}:cancelVersionDestruction" "keyId" key_id:
        kms::CancelSymmetricKeyVersionDestructionRequest => keys.cancel_version_destruction -> operation::Operation;
    GET "/kms/v1/keys/{}:listAccessBindings" "resourceId" resource_id:
        access::ListAccessBindingsRequest => keys.list_access_bindings -> access::ListAccessBindingsResponse;
    POST "/kms/v1/keys/{}:setAccessBindings" "resourceId" resource_id:
        access::SetAccessBindingsRequest => keys.set_access_bindings -> operation::Operation;
    POST "/kms/v1/keys/{}:updateAccessBindings" "resourceId" resource_id:
        access::UpdateAccessBindingsRequest => keys.update_access_bindings -> operation::Operation;
    POST "/kms/v1/keys/{}:encrypt" "keyId" key_id:
        kms::SymmetricEncryptRequest => crypto.encrypt -> kms::SymmetricEncryptResponse;
    POST "/kms/v1/keys/{}:decrypt" "keyId" key_id:
        kms::SymmetricDecryptRequest => crypto.decrypt -> kms::SymmetricDecryptResponse;
    POST "/kms/v1/keys/{}:reEncrypt" "keyId" key_id:
        kms::SymmetricReEncryptRequest => crypto.re_encrypt -> kms::SymmetricReEncryptResponse;
    POST "/kms/v1/keys/{}:generateDataKey" "keyId" key_id:
        kms::GenerateDataKeyRequest => crypto.generate_data_key -> kms::GenerateDataKeyResponse;
    POST "/iam/v1/tokens" "": iam::CreateIamTokenRequest => logins.create -> iam::CreateIamTokenResponse;
    GET "/operations/{}" "operationId" operation_id:
        operation::GetOperationRequest => operations.get -> operation::Operation;
    POST "/operations/{}:cancel" "operationId" operation_id:
        operation::CancelOperationRequest => operations.cancel -> operation::Operation;
}

/// An id as a path segment.
fn in_path(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    id.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Api {
    /// Both protocols over both listeners.
    pub async fn all(dev: &Dev) -> Vec<Self> {
        let mut all = Self::both(dev).await;
        all.push(Self { name: "gRPC over TLS", transport: Transport::Grpc(dev.grpc_tls().await) });
        all.push(Self { name: "REST over TLS", transport: Transport::Rest(dev.rest_tls()) });
        all
    }

    /// Both protocols in the clear.
    pub async fn both(dev: &Dev) -> Vec<Self> {
        vec![Self::grpc(dev).await, Self::rest(dev)]
    }

    pub async fn grpc(dev: &Dev) -> Self {
        Self { name: "gRPC", transport: Transport::Grpc(dev.grpc().await) }
    }

    pub fn rest(dev: &Dev) -> Self {
        Self { name: "REST", transport: Transport::Rest(dev.rest()) }
    }

    /// The same way with another token; an empty one is not sent.
    pub fn with_token(&self, token: &str) -> Self {
        let transport = match &self.transport {
            Transport::Grpc(grpc) => Transport::Grpc(grpc.with_token(token)),
            Transport::Rest(rest) => Transport::Rest(rest.with_token(token)),
        };
        Self { name: self.name, transport }
    }

    /// The answer, or the refusal.
    pub async fn call<M: Rpc>(&self, message: M) -> Result<M::Reply, Refusal> {
        match &self.transport {
            Transport::Grpc(grpc) => {
                message.over_grpc(grpc).await.map(Response::into_inner).map_err(|status| refusal_of(&status))
            }
            Transport::Rest(rest) => over_rest(rest, &message).await,
        }
    }

    /// The answer, or any failure, one of the connection too.
    pub async fn attempt<M: Rpc>(&self, message: M) -> Result<M::Reply, String> {
        match &self.transport {
            Transport::Grpc(grpc) => {
                message.over_grpc(grpc).await.map(Response::into_inner).map_err(|status| format!("{status:?}"))
            }
            Transport::Rest(rest) => {
                let answer = rest_request(rest, &message).send().await.map_err(|error| error.to_string())?;
                let status = answer.status().as_u16();
                let text = answer.text().await.map_err(|error| error.to_string())?;
                if status == 200 { serde_json::from_str(&text).map_err(|error| error.to_string()) } else { Err(text) }
            }
        }
    }

    /// The answer to a request that must go well.
    pub async fn ok<M: Rpc>(&self, message: M) -> M::Reply {
        match self.call(message).await {
            Ok(reply) => reply,
            Err(refusal) => panic!("{} over {}: {refusal:?}", M::full_name(), self.name),
        }
    }

    /// The refusal of a request that must not go well.
    pub async fn refused<M: Rpc>(&self, case: &str, message: M) -> Refusal {
        match self.call(message).await {
            Ok(_) => panic!("{case}: {} over {} went well", M::full_name(), self.name),
            Err(refusal) => refusal,
        }
    }
}

/// Every refusal of ours has the request's id in its details and in its head.
fn refusal_of(status: &Status) -> Refusal {
    let details = rpc::Status::decode(status.details()).unwrap();
    assert_eq!(details.code, status.code() as i32, "{status:?}");
    let id = status.metadata().get("x-request-id").map(|value| value.to_str().unwrap().to_owned());
    let info: rpc::RequestInfo = details.details.first().and_then(|any| any.unpack()).unwrap();
    assert_eq!(Some(info.request_id), id, "{status:?}");
    Refusal { code: status.code(), text: status.message().to_owned() }
}

fn rest_request<M: Rpc>(rest: &Rest, message: &M) -> RequestBuilder {
    let (method, path, field) = message.route();
    let Value::Object(mut members) = serde_json::to_value(message).unwrap() else { panic!("not an object") };
    members.remove(field);
    if [Method::GET, Method::DELETE].contains(&method) {
        rest.request(method, &format!("{path}{}", query(&members)))
    } else if path.ends_with(":rotate") {
        // That one has no body at all in the documented mapping.
        rest.request(method, &path)
    } else {
        rest.request(method, &path).json(&members)
    }
}

async fn over_rest<M: Rpc>(rest: &Rest, message: &M) -> Result<M::Reply, Refusal> {
    let answer = rest.send(rest_request(rest, message)).await;
    match answer.status {
        200 => Ok(serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{error}: {}", answer.text))),
        _ => Err(rest_refusal(&answer)),
    }
}

fn query(members: &serde_json::Map<String, Value>) -> String {
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={}", in_path(text)),
        other => format!("{name}={other}"),
    };
    let pairs: Vec<String> = members.iter().map(pair).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Reads an error body, and checks that it is as the specification draws it.
#[track_caller]
pub fn rest_refusal(answer: &crate::support::client::Answer) -> Refusal {
    let body = answer.json();
    let code = Code::from_i32(body["code"].as_i64().unwrap().try_into().unwrap());
    assert_eq!(answer.status, http_status(code), "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    let id = answer.headers["x-request-id"].to_str().unwrap();
    let details = serde_json::json!([{ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id }]);
    assert_eq!(body["details"], details, "{}", answer.text);
    Refusal { code, text: body["message"].as_str().unwrap().to_owned() }
}

/// The table of the specification, written down a second time.
pub fn http_status(code: Code) -> u16 {
    let table = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    table[code as usize]
}
