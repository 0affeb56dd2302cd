//! The gRPC services: each method takes the caller from the request's extensions and calls its function in [`rpc`].

use super::discovery::Discovery;
use super::errors::{WireError, grpc_status};
use super::gate;
use super::iam::{self, IamTokens};
use super::proto::yandex::cloud::access::{
    ListAccessBindingsRequest, ListAccessBindingsResponse, SetAccessBindingsRequest, UpdateAccessBindingsRequest,
};
use super::proto::yandex::cloud::endpoint::api_endpoint_service_server::ApiEndpointService;
use super::proto::yandex::cloud::endpoint::{
    ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsRequest, ListApiEndpointsResponse,
};
use super::proto::yandex::cloud::iam::v1::iam_token_service_server::IamTokenService;
use super::proto::yandex::cloud::iam::v1::{
    CreateIamTokenForServiceAccountRequest, CreateIamTokenRequest, CreateIamTokenResponse, RevokeIamTokenRequest,
    RevokeIamTokenResponse,
};
use super::proto::yandex::cloud::kms::v1::symmetric_crypto_service_server::SymmetricCryptoService;
use super::proto::yandex::cloud::kms::v1::symmetric_key_service_server::SymmetricKeyService;
use super::proto::yandex::cloud::kms::v1::{
    CancelSymmetricKeyVersionDestructionRequest, CreateSymmetricKeyRequest, DeleteSymmetricKeyRequest,
    GenerateDataKeyRequest, GenerateDataKeyResponse, GetSymmetricKeyRequest, ListSymmetricKeyOperationsRequest,
    ListSymmetricKeyOperationsResponse, ListSymmetricKeyVersionsRequest, ListSymmetricKeyVersionsResponse,
    ListSymmetricKeysRequest, ListSymmetricKeysResponse, RotateSymmetricKeyRequest,
    ScheduleSymmetricKeyVersionDestructionRequest, SetPrimarySymmetricKeyVersionRequest, SymmetricDecryptRequest,
    SymmetricDecryptResponse, SymmetricEncryptRequest, SymmetricEncryptResponse, SymmetricKey,
    SymmetricReEncryptRequest, SymmetricReEncryptResponse, UpdateSymmetricKeyRequest,
};
use super::proto::yandex::cloud::operation::operation_service_server::OperationService;
use super::proto::yandex::cloud::operation::{CancelOperationRequest, GetOperationRequest, Operation};
use super::rpc;
use crate::dialect::RequestId;
use crate::service::Kms;
use crate::service::error::ServiceError;
use crate::service::request::RequestContext;
use crate::telemetry::RequestNotes;
use std::sync::Arc;
use tonic::{Extensions, Request, Response, Status};

type Reply<T> = Result<Response<T>, Status>;

/// The services over the core.
#[derive(Clone)]
pub struct Services {
    kms: Arc<Kms>,
}

impl Services {
    /// Services that call `kms`.
    #[must_use]
    pub const fn new(kms: Arc<Kms>) -> Self {
        Self { kms }
    }

    /// Runs one rpc.
    async fn run<M, R>(
        &self,
        request: Request<M>,
        call: impl AsyncFnOnce(&Kms, &RequestContext, M) -> Result<R, ServiceError>,
    ) -> Reply<R> {
        let (_, extensions, message) = request.into_parts();
        let answer = match extensions.get::<RequestContext>() {
            Some(ctx) => call(&self.kms, ctx, message).await,
            None => Err(ServiceError::Unauthenticated),
        };
        reply(answer, &extensions)
    }
}

/// An answer, or a refusal, whose cause goes to the log.
fn reply<R>(answer: Result<R, ServiceError>, extensions: &Extensions) -> Reply<R> {
    answer.map(Response::new).map_err(|error| {
        let error = WireError::from(error);
        error.note(extensions.get::<RequestNotes>());
        let request_id = extensions.get::<RequestId>().cloned().unwrap_or_default();
        grpc_status(&error, &request_id)
    })
}

/// The `idempotency-key` of a request.
fn idempotency_key<M>(request: &Request<M>) -> Option<String> {
    let value = request.metadata().get("idempotency-key")?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[tonic::async_trait]
impl SymmetricCryptoService for Services {
    async fn encrypt(&self, request: Request<SymmetricEncryptRequest>) -> Reply<SymmetricEncryptResponse> {
        self.run(request, rpc::encrypt).await
    }

    async fn decrypt(&self, request: Request<SymmetricDecryptRequest>) -> Reply<SymmetricDecryptResponse> {
        self.run(request, rpc::decrypt).await
    }

    async fn re_encrypt(&self, request: Request<SymmetricReEncryptRequest>) -> Reply<SymmetricReEncryptResponse> {
        self.run(request, rpc::re_encrypt).await
    }

    async fn generate_data_key(&self, request: Request<GenerateDataKeyRequest>) -> Reply<GenerateDataKeyResponse> {
        self.run(request, rpc::generate_data_key).await
    }
}

#[tonic::async_trait]
impl SymmetricKeyService for Services {
    async fn create(&self, request: Request<CreateSymmetricKeyRequest>) -> Reply<Operation> {
        let key = idempotency_key(&request);
        self.run(request, async |kms, ctx, message| rpc::create(kms, ctx, message, key).await).await
    }

    async fn get(&self, request: Request<GetSymmetricKeyRequest>) -> Reply<SymmetricKey> {
        self.run(request, rpc::key).await
    }

    async fn list(&self, request: Request<ListSymmetricKeysRequest>) -> Reply<ListSymmetricKeysResponse> {
        self.run(request, rpc::list).await
    }

    async fn list_versions(
        &self,
        request: Request<ListSymmetricKeyVersionsRequest>,
    ) -> Reply<ListSymmetricKeyVersionsResponse> {
        self.run(request, rpc::list_versions).await
    }

    async fn update(&self, request: Request<UpdateSymmetricKeyRequest>) -> Reply<Operation> {
        self.run(request, rpc::update).await
    }

    async fn delete(&self, request: Request<DeleteSymmetricKeyRequest>) -> Reply<Operation> {
        self.run(request, rpc::delete).await
    }

    async fn set_primary_version(&self, request: Request<SetPrimarySymmetricKeyVersionRequest>) -> Reply<Operation> {
        self.run(request, rpc::set_primary_version).await
    }

    async fn schedule_version_destruction(
        &self,
        request: Request<ScheduleSymmetricKeyVersionDestructionRequest>,
    ) -> Reply<Operation> {
        self.run(request, rpc::schedule_version_destruction).await
    }

    async fn cancel_version_destruction(
        &self,
        request: Request<CancelSymmetricKeyVersionDestructionRequest>,
    ) -> Reply<Operation> {
        self.run(request, rpc::cancel_version_destruction).await
    }

    async fn rotate(&self, request: Request<RotateSymmetricKeyRequest>) -> Reply<Operation> {
        self.run(request, rpc::rotate).await
    }

    async fn list_operations(
        &self,
        request: Request<ListSymmetricKeyOperationsRequest>,
    ) -> Reply<ListSymmetricKeyOperationsResponse> {
        self.run(request, rpc::list_operations).await
    }

    async fn list_access_bindings(
        &self,
        request: Request<ListAccessBindingsRequest>,
    ) -> Reply<ListAccessBindingsResponse> {
        self.run(request, rpc::list_access_bindings).await
    }

    async fn set_access_bindings(&self, request: Request<SetAccessBindingsRequest>) -> Reply<Operation> {
        self.run(request, rpc::set_access_bindings).await
    }

    async fn update_access_bindings(&self, request: Request<UpdateAccessBindingsRequest>) -> Reply<Operation> {
        self.run(request, rpc::update_access_bindings).await
    }
}

#[tonic::async_trait]
impl OperationService for Services {
    async fn get(&self, request: Request<GetOperationRequest>) -> Reply<Operation> {
        self.run(request, rpc::operation).await
    }

    async fn cancel(&self, request: Request<CancelOperationRequest>) -> Reply<Operation> {
        self.run(request, rpc::cancel_operation).await
    }
}

#[tonic::async_trait]
impl ApiEndpointService for Discovery {
    async fn get(&self, request: Request<GetApiEndpointRequest>) -> Reply<ApiEndpoint> {
        let request_id = gate::request_id(request.extensions());
        let answer = self.endpoint(request.get_ref());
        answer.map(Response::new).map_err(|error| grpc_status(&error, &request_id))
    }

    async fn list(&self, request: Request<ListApiEndpointsRequest>) -> Reply<ListApiEndpointsResponse> {
        Ok(Response::new(self.endpoints(request.get_ref())))
    }
}

#[tonic::async_trait]
impl IamTokenService for IamTokens {
    async fn create(&self, request: Request<CreateIamTokenRequest>) -> Reply<CreateIamTokenResponse> {
        let (_, extensions, message) = request.into_parts();
        let answer = Self::create(self, message, &extensions).await;
        reply(answer, &extensions)
    }

    async fn create_for_service_account(
        &self,
        request: Request<CreateIamTokenForServiceAccountRequest>,
    ) -> Reply<CreateIamTokenResponse> {
        reply(Err(iam::NO_IMPERSONATION), request.extensions())
    }

    async fn revoke(&self, request: Request<RevokeIamTokenRequest>) -> Reply<RevokeIamTokenResponse> {
        reply(Err(iam::NO_REVOCATION), request.extensions())
    }
}
