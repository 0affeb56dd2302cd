//! The rpcs, each once: a message in, one service call, a message or a [`ServiceError`] out. gRPC and REST both call
//! these functions. Limits that a message breaks are refused before the core is called.

use super::convert::{self, IdText, List};
use super::proto::yandex::cloud::access::{
    ListAccessBindingsRequest, ListAccessBindingsResponse, SetAccessBindingsRequest, UpdateAccessBindingsRequest,
};
use super::proto::yandex::cloud::kms::v1::{
    CancelSymmetricKeyVersionDestructionRequest, CreateSymmetricKeyRequest, DeleteSymmetricKeyRequest,
    GenerateDataKeyRequest, GenerateDataKeyResponse, GetSymmetricKeyRequest, ListSymmetricKeyOperationsRequest,
    ListSymmetricKeyOperationsResponse, ListSymmetricKeyVersionsRequest, ListSymmetricKeyVersionsResponse,
    ListSymmetricKeysRequest, ListSymmetricKeysResponse, RotateSymmetricKeyRequest,
    ScheduleSymmetricKeyVersionDestructionRequest, SetPrimarySymmetricKeyVersionRequest, SymmetricDecryptRequest,
    SymmetricDecryptResponse, SymmetricEncryptRequest, SymmetricEncryptResponse, SymmetricKey,
    SymmetricReEncryptRequest, SymmetricReEncryptResponse, UpdateSymmetricKeyRequest,
};
use super::proto::yandex::cloud::operation::{CancelOperationRequest, GetOperationRequest, Operation};
use super::render;
use crate::domain::operation as domain;
use crate::service::Kms;
use crate::service::error::ServiceError;
use crate::service::ports::Cursor;
use crate::service::request::{OnDemandRules, RequestContext};

/// What the asymmetric services answer.
pub const NO_ASYMMETRIC_KEYS: ServiceError = ServiceError::NotImplemented("asymmetric keys");

type Answer<T> = Result<T, ServiceError>;

/// `SymmetricKeyService.Create`; `idempotency_key` is the header of that name.
pub async fn create(
    kms: &Kms,
    ctx: &RequestContext,
    message: CreateSymmetricKeyRequest,
    idempotency_key: Option<String>,
) -> Answer<Operation> {
    let request = convert::create_key(message, idempotency_key)?;
    kms.create_key(ctx, request).await.map(render::operation)
}

/// `SymmetricKeyService.Get`.
pub async fn key(kms: &Kms, ctx: &RequestContext, message: GetSymmetricKeyRequest) -> Answer<SymmetricKey> {
    kms.key(ctx, convert::key_id(&message.key_id)?).await.map(render::key)
}

/// `SymmetricKeyService.List`. A folder that cannot exist has no keys, as any unknown one.
pub async fn list(
    kms: &Kms,
    ctx: &RequestContext,
    message: ListSymmetricKeysRequest,
) -> Answer<ListSymmetricKeysResponse> {
    let folder_id = IdText::required("folder_id", &message.folder_id)?.folder();
    let resource = folder_id.map_or([0; 16], |id| *id.as_bytes());
    let limit = convert::page_size(message.page_size)?;
    let after = convert::page_after(List::Keys, &resource, &message.page_token)?;
    let Some(folder_id) = folder_id else {
        return Ok(ListSymmetricKeysResponse::default());
    };
    let found = kms.keys(ctx, folder_id, after, limit).await?;
    let (keys, next) = convert::render_page(found, render::key, |view| Cursor {
        at: view.key.created_at.as_micros(),
        id: *view.key.id.as_bytes(),
    });
    Ok(ListSymmetricKeysResponse { keys, next_page_token: convert::next_token(List::Keys, &resource, next) })
}

/// `SymmetricKeyService.ListVersions`.
pub async fn list_versions(
    kms: &Kms,
    ctx: &RequestContext,
    message: ListSymmetricKeyVersionsRequest,
) -> Answer<ListSymmetricKeyVersionsResponse> {
    let limit = convert::page_size(message.page_size)?;
    let key_id = convert::key_id(&message.key_id)?;
    let after = convert::page_after(List::Versions, key_id.as_bytes(), &message.page_token)?;
    let found = kms.versions(ctx, key_id, after, limit).await?;
    let (key_versions, next) = convert::render_page(
        found,
        |view| render::version(&view),
        |view| Cursor { at: view.version.number.into(), id: *view.version.id.as_bytes() },
    );
    let next_page_token = convert::next_token(List::Versions, key_id.as_bytes(), next);
    Ok(ListSymmetricKeyVersionsResponse { key_versions, next_page_token })
}

/// `SymmetricKeyService.ListOperations`.
pub async fn list_operations(
    kms: &Kms,
    ctx: &RequestContext,
    message: ListSymmetricKeyOperationsRequest,
) -> Answer<ListSymmetricKeyOperationsResponse> {
    let limit = convert::page_size(message.page_size)?;
    let key_id = convert::key_id(&message.key_id)?;
    let after = convert::page_after(List::Operations, key_id.as_bytes(), &message.page_token)?;
    let found = kms.key_operations(ctx, key_id, after, limit).await?;
    let (operations, next) = convert::render_page(found, render::operation, |record| Cursor {
        at: record.created_at.as_micros(),
        id: *record.id.as_bytes(),
    });
    let next_page_token = convert::next_token(List::Operations, key_id.as_bytes(), next);
    Ok(ListSymmetricKeyOperationsResponse { operations, next_page_token })
}

/// `SymmetricKeyService.Update`.
pub async fn update(kms: &Kms, ctx: &RequestContext, message: UpdateSymmetricKeyRequest) -> Answer<Operation> {
    let (key_id, patch) = convert::update_key(&message)?;
    kms.update_key(ctx, key_id, patch).await.map(render::operation)
}

/// `SymmetricKeyService.Delete`.
pub async fn delete(kms: &Kms, ctx: &RequestContext, message: DeleteSymmetricKeyRequest) -> Answer<Operation> {
    kms.delete_key(ctx, convert::key_id(&message.key_id)?, None).await.map(render::operation)
}

/// `SymmetricKeyService.Rotate`.
pub async fn rotate(kms: &Kms, ctx: &RequestContext, message: RotateSymmetricKeyRequest) -> Answer<Operation> {
    kms.rotate_key(ctx, convert::key_id(&message.key_id)?, OnDemandRules::default()).await.map(render::operation)
}

/// `SymmetricKeyService.SetPrimaryVersion`.
pub async fn set_primary_version(
    kms: &Kms,
    ctx: &RequestContext,
    message: SetPrimarySymmetricKeyVersionRequest,
) -> Answer<Operation> {
    let (key_id, version_id) = convert::version_of_key(&message.key_id, &message.version_id)?;
    kms.set_primary_version(ctx, key_id, version_id).await.map(render::operation)
}

/// `SymmetricKeyService.ScheduleVersionDestruction`.
pub async fn schedule_version_destruction(
    kms: &Kms,
    ctx: &RequestContext,
    message: ScheduleSymmetricKeyVersionDestructionRequest,
) -> Answer<Operation> {
    let (key_id, version_id, wait) = convert::schedule_destruction(&message)?;
    kms.schedule_version_destruction(ctx, key_id, version_id, wait).await.map(render::operation)
}

/// `SymmetricKeyService.CancelVersionDestruction`.
pub async fn cancel_version_destruction(
    kms: &Kms,
    ctx: &RequestContext,
    message: CancelSymmetricKeyVersionDestructionRequest,
) -> Answer<Operation> {
    let (key_id, version_id) = convert::version_of_key(&message.key_id, &message.version_id)?;
    kms.cancel_version_destruction(ctx, key_id, version_id).await.map(render::operation)
}

/// `SymmetricKeyService.ListAccessBindings`.
pub async fn list_access_bindings(
    kms: &Kms,
    ctx: &RequestContext,
    message: ListAccessBindingsRequest,
) -> Answer<ListAccessBindingsResponse> {
    let scope = convert::key_scope(&message.resource_id)?;
    let page = convert::bindings_page(scope, &message)?;
    render::bindings_page(page, &kms.access_bindings(ctx, scope).await?)
}

/// `SymmetricKeyService.SetAccessBindings`.
pub async fn set_access_bindings(
    kms: &Kms,
    ctx: &RequestContext,
    message: SetAccessBindingsRequest,
) -> Answer<Operation> {
    let bindings = convert::binding_set(message.access_bindings)?;
    let scope = convert::key_scope(&message.resource_id)?;
    kms.set_access_bindings(ctx, scope, bindings).await.and_then(recorded)
}

/// `SymmetricKeyService.UpdateAccessBindings`.
pub async fn update_access_bindings(
    kms: &Kms,
    ctx: &RequestContext,
    message: UpdateAccessBindingsRequest,
) -> Answer<Operation> {
    let deltas = convert::binding_deltas(message.access_binding_deltas)?;
    let scope = convert::key_scope(&message.resource_id)?;
    kms.update_access_bindings(ctx, scope, deltas).await.and_then(recorded)
}

/// Changes of keys leave a record, those of folders and of the service do not.
fn recorded(record: Option<domain::Operation>) -> Answer<Operation> {
    let record = record.ok_or_else(|| ServiceError::Bug("a change of a key's bindings left no record".into()))?;
    Ok(render::operation(record))
}

/// `OperationService.Get`.
pub async fn operation(kms: &Kms, ctx: &RequestContext, message: GetOperationRequest) -> Answer<Operation> {
    let id = convert::operation_id(&message.operation_id)?;
    kms.operation(ctx, id).await.map(render::operation)
}

/// `OperationService.Cancel`.
pub async fn cancel_operation(kms: &Kms, ctx: &RequestContext, message: CancelOperationRequest) -> Answer<Operation> {
    let id = convert::operation_id(&message.operation_id)?;
    kms.cancel_operation(ctx, id).await.map(render::operation)
}

/// `SymmetricCryptoService.Encrypt`.
pub async fn encrypt(
    kms: &Kms,
    ctx: &RequestContext,
    message: SymmetricEncryptRequest,
) -> Answer<SymmetricEncryptResponse> {
    let request = convert::encrypt(message)?;
    let key_id = request.key_id.to_string();
    let done = kms.encrypt(ctx, request).await?;
    Ok(SymmetricEncryptResponse { key_id, version_id: done.version_id.to_string(), ciphertext: done.ciphertext })
}

/// `SymmetricCryptoService.Decrypt`.
pub async fn decrypt(
    kms: &Kms,
    ctx: &RequestContext,
    message: SymmetricDecryptRequest,
) -> Answer<SymmetricDecryptResponse> {
    let request = convert::decrypt(message)?;
    let key_id = request.key_id.to_string();
    let mut done = kms.decrypt(ctx, request).await?;
    let plaintext = std::mem::take(&mut *done.plaintext);
    Ok(SymmetricDecryptResponse { key_id, version_id: done.version_id.to_string(), plaintext })
}

/// `SymmetricCryptoService.ReEncrypt`.
pub async fn re_encrypt(
    kms: &Kms,
    ctx: &RequestContext,
    message: SymmetricReEncryptRequest,
) -> Answer<SymmetricReEncryptResponse> {
    let request = convert::re_encrypt(message)?;
    let (key_id, source_key_id) = (request.key_id.to_string(), request.source.key_id.to_string());
    let done = kms.re_encrypt(ctx, request).await?;
    Ok(SymmetricReEncryptResponse {
        key_id,
        version_id: done.encrypted.version_id.to_string(),
        source_key_id,
        source_version_id: done.source_version_id.to_string(),
        ciphertext: done.encrypted.ciphertext,
    })
}

/// `SymmetricCryptoService.GenerateDataKey`.
pub async fn generate_data_key(
    kms: &Kms,
    ctx: &RequestContext,
    message: GenerateDataKeyRequest,
) -> Answer<GenerateDataKeyResponse> {
    let skip_plaintext = message.skip_plaintext;
    let request = convert::generate_data_key(message)?;
    let key_id = request.key_id.to_string();
    let mut made = kms.generate_data_key(ctx, request).await?;
    let data_key_plaintext = if skip_plaintext { Vec::new() } else { std::mem::take(&mut *made.plaintext) };
    Ok(GenerateDataKeyResponse {
        key_id,
        version_id: made.encrypted.version_id.to_string(),
        data_key_plaintext,
        data_key_ciphertext: made.encrypted.ciphertext,
    })
}
