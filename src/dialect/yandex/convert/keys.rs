//! Requests of `SymmetricKeyService` that change something.

use super::super::proto::yandex::cloud::kms::v1::{
    CreateSymmetricKeyRequest, ScheduleSymmetricKeyVersionDestructionRequest, UpdateSymmetricKeyRequest,
    symmetric_key::Status,
};
use super::{IdText, algorithm, invalid, period};
use crate::domain::id::{KeyId, MaterialId};
use crate::domain::key::Switch;
use crate::domain::text::{Description, Labels, Name};
use crate::service::error::{Missing, ServiceError};
use crate::service::request::{CreateKey, Idempotency, KeyPatch};
use aws_lc_rs::digest;
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest description of this dialect, in characters.
const MAX_DESCRIPTION_CHARS: usize = 1024;
/// The longest idempotency key, in characters; clients send UUIDs.
const MAX_IDEMPOTENCY_KEY_CHARS: usize = 100;

/// Reads a create request. `idempotency_key` is the header of that name.
///
/// # Errors
/// [`ServiceError::Invalid`], [`ServiceError::Value`] or [`ServiceError::NotFound`].
pub fn create_key(
    message: CreateSymmetricKeyRequest,
    idempotency_key: Option<String>,
) -> Result<CreateKey, ServiceError> {
    let idempotency = idempotency_key.map(|key| idempotency(key, &message)).transpose()?;
    let folder = IdText::required("folder_id", &message.folder_id)?;
    let algorithm = algorithm("default_algorithm", message.default_algorithm)?;
    let rotation_period = message.rotation_period.map(|p| period("rotation_period", p)).transpose()?;
    let (name, description) = (Name::new(message.name)?, Description::new(message.description, MAX_DESCRIPTION_CHARS)?);
    let labels = Labels::new(message.labels)?;
    Ok(CreateKey {
        key_name: None,
        convergent: false,
        folder_id: folder.folder().ok_or_else(|| folder.missing(Missing::Folder))?,
        name,
        description,
        labels,
        tags: BTreeMap::new(),
        algorithm,
        rotation_period,
        deletion_protection: message.deletion_protection,
        idempotency,
    })
}

/// The encoding of a message is the same for equal messages, since its only map is ordered.
fn idempotency(key: String, message: &CreateSymmetricKeyRequest) -> Result<Idempotency, ServiceError> {
    if key.is_empty() || key.chars().count() > MAX_IDEMPOTENCY_KEY_CHARS {
        return Err(invalid(format!("idempotency-key must be 1 to {MAX_IDEMPOTENCY_KEY_CHARS} characters long")));
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest::digest(&digest::SHA256, &message.encode_to_vec()).as_ref());
    Ok(Idempotency { key, fingerprint })
}

/// Reads an update request: the fields that the mask names.
///
/// # Errors
/// [`ServiceError::Invalid`], [`ServiceError::Value`] or [`ServiceError::NotFound`].
pub fn update_key(message: &UpdateSymmetricKeyRequest) -> Result<(KeyId, KeyPatch), ServiceError> {
    let key_id = IdText::required("key_id", &message.key_id)?;
    let paths = message.update_mask.as_ref().map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() {
        return Err(invalid("update_mask is required"));
    }
    let mut patch = KeyPatch::default();
    for path in paths {
        set(&mut patch, path, message)?;
    }
    Ok((key_id.key()?, patch))
}

/// Puts the field of one path of the mask into the patch.
fn set(patch: &mut KeyPatch, path: &str, message: &UpdateSymmetricKeyRequest) -> Result<(), ServiceError> {
    match path {
        "name" => patch.name = Some(Name::new(message.name.clone())?),
        "description" => {
            patch.description = Some(Description::new(message.description.clone(), MAX_DESCRIPTION_CHARS)?);
        }
        "status" => patch.switch = Some(switch(message.status)?),
        "labels" => patch.labels = Some(Labels::new(message.labels.clone())?),
        "default_algorithm" => {
            patch.default_algorithm = Some(algorithm("default_algorithm", message.default_algorithm)?);
        }
        "rotation_period" => {
            patch.rotation_period = Some(message.rotation_period.map(|p| period("rotation_period", p)).transpose()?);
        }
        "deletion_protection" => patch.deletion_protection = Some(message.deletion_protection),
        unknown => return Err(invalid(format!("update_mask: unknown path {unknown:?}"))),
    }
    Ok(())
}

fn switch(status: i32) -> Result<Switch, ServiceError> {
    match Status::try_from(status) {
        Ok(Status::Active) => Ok(Switch::Active),
        Ok(Status::Inactive) => Ok(Switch::Inactive),
        Ok(Status::Unspecified | Status::Creating) | Err(_) => {
            Err(invalid("status can be set to ACTIVE or INACTIVE only"))
        }
    }
}

/// Reads a request that names a key and one of its versions.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn version_of_key(key_id: &str, version_id: &str) -> Result<(KeyId, MaterialId), ServiceError> {
    let key_id = IdText::required("key_id", key_id)?;
    let version_id = IdText::required("version_id", version_id)?;
    Ok((key_id.key()?, version_id.version()?))
}

/// Reads a request to schedule a version's destruction.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn schedule_destruction(
    message: &ScheduleSymmetricKeyVersionDestructionRequest,
) -> Result<(KeyId, MaterialId, Option<Duration>), ServiceError> {
    let wait = message.pending_period.map(|p| period("pending_period", p)).transpose()?;
    let (key_id, version_id) = version_of_key(&message.key_id, &message.version_id)?;
    Ok((key_id, version_id, wait))
}

#[cfg(test)]
mod tests {
    use super::super::super::wkt::{Duration as WireDuration, FieldMask};
    use super::*;
    use crate::domain::algorithm::Algorithm;
    use rstest::rstest;
    use std::collections::BTreeMap;

    const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

    fn create_request() -> CreateSymmetricKeyRequest {
        CreateSymmetricKeyRequest {
            folder_id: ID.into(),
            name: "n".repeat(100),
            description: "d".repeat(1024),
            labels: (0..64).map(|i| (format!("l{i}"), "v".repeat(63))).collect(),
            default_algorithm: 4,
            rotation_period: Some(WireDuration { seconds: 86_400, nanos: 0 }),
            deletion_protection: true,
        }
    }

    fn label(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    fn update_request(paths: &[&str]) -> UpdateSymmetricKeyRequest {
        UpdateSymmetricKeyRequest {
            key_id: ID.into(),
            update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
            name: "new".into(),
            status: Status::Inactive.into(),
            default_algorithm: 3,
            ..Default::default()
        }
    }

    fn is_invalid<T>(result: &Result<T, ServiceError>) -> bool {
        matches!(result, Err(ServiceError::Invalid(_) | ServiceError::Value(_)))
    }

    #[test]
    fn a_create_request_at_every_limit_is_accepted() {
        let request = create_key(create_request(), None).unwrap();
        assert_eq!(request.algorithm, Algorithm::Aes256Hsm);
        assert_eq!(request.rotation_period, Some(Duration::from_secs(86_400)));
        assert_eq!(request.labels.pairs().len(), 64);
        assert!(request.deletion_protection && request.idempotency.is_none());
    }

    #[rstest]
    #[case(CreateSymmetricKeyRequest { folder_id: String::new(), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { folder_id: "f".repeat(51), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { name: "n".repeat(101), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { description: "d".repeat(1025), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { labels: (0..65).map(|i| (format!("l{i}"), String::new())).collect(), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { labels: label("1a", "v"), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { labels: label("", "v"), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { labels: label("a", "V"), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { labels: label(&"a".repeat(64), "v"), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { labels: label("a", &"v".repeat(64)), ..create_request() })]
    #[case(CreateSymmetricKeyRequest { default_algorithm: 0, ..create_request() })]
    #[case(CreateSymmetricKeyRequest { default_algorithm: 5, ..create_request() })]
    #[case(CreateSymmetricKeyRequest { default_algorithm: 99, ..create_request() })]
    #[case(CreateSymmetricKeyRequest { rotation_period: Some(WireDuration { seconds: -1, nanos: 0 }), ..create_request() })]
    fn a_create_request_outside_of_a_limit_is_refused(#[case] message: CreateSymmetricKeyRequest) {
        assert!(is_invalid(&create_key(message, None)));
    }

    #[test]
    fn a_malformed_folder_is_not_found() {
        let message = CreateSymmetricKeyRequest { folder_id: "f".into(), ..create_request() };
        assert!(matches!(create_key(message, None), Err(ServiceError::NotFound { what: Missing::Folder, .. })));
    }

    #[test]
    fn equal_requests_have_equal_fingerprints() {
        let of = |message| create_key(message, Some("u".into())).unwrap().idempotency.unwrap().fingerprint;
        let other = CreateSymmetricKeyRequest { deletion_protection: false, ..create_request() };
        assert_eq!(of(create_request()), of(create_request()));
        assert_ne!(of(create_request()), of(other));
    }

    #[rstest]
    #[case("")]
    #[case(&"x".repeat(101))]
    fn an_empty_or_overlong_idempotency_key_is_refused(#[case] key: &str) {
        assert!(is_invalid(&create_key(create_request(), Some(key.into()))));
    }

    #[test]
    fn only_fields_of_the_mask_are_patched() {
        let (key_id, patch) = update_key(&update_request(&["name"])).unwrap();
        assert_eq!(key_id.to_string(), ID);
        assert_eq!(patch.name.unwrap().as_str(), "new");
        assert!(patch.switch.is_none() && patch.default_algorithm.is_none() && patch.rotation_period.is_none());
    }

    #[test]
    fn a_rotation_period_in_the_mask_without_a_value_turns_rotation_off() {
        let (_, patch) = update_key(&update_request(&["rotation_period"])).unwrap();
        assert_eq!(patch.rotation_period, Some(None));
    }

    #[test]
    fn every_field_can_be_patched() {
        let paths = ["name", "description", "status", "labels", "default_algorithm", "deletion_protection"];
        let (_, patch) = update_key(&update_request(&paths)).unwrap();
        assert_eq!(patch.switch, Some(Switch::Inactive));
        assert_eq!(patch.default_algorithm, Some(Algorithm::Aes256));
        assert_eq!(patch.deletion_protection, Some(false));
        assert!(patch.description.is_some() && patch.labels.is_some());
    }

    #[rstest]
    #[case(&[])]
    #[case(&["nme"])]
    #[case(&["name", "key_id"])]
    #[case(&["*"])]
    #[case(&["labels.a"])]
    fn a_missing_mask_or_an_unknown_path_is_refused(#[case] paths: &[&str]) {
        assert!(is_invalid(&update_key(&update_request(paths))));
        let no_mask = UpdateSymmetricKeyRequest { update_mask: None, ..update_request(&[]) };
        assert!(is_invalid(&update_key(&no_mask)));
    }

    #[rstest]
    #[case(Status::Unspecified as i32)]
    #[case(Status::Creating as i32)]
    #[case(17)]
    fn status_can_be_set_to_active_and_inactive_only(#[case] status: i32) {
        let message = UpdateSymmetricKeyRequest { status, ..update_request(&["status"]) };
        assert!(is_invalid(&update_key(&message)));
    }

    #[test]
    fn the_pending_period_is_optional_and_not_negative() {
        let schedule = |pending_period| {
            let (key_id, version_id) = (ID.into(), ID.into());
            schedule_destruction(&ScheduleSymmetricKeyVersionDestructionRequest { key_id, version_id, pending_period })
        };
        assert_eq!(schedule(None).unwrap().2, None);
        let week = Some(WireDuration { seconds: 604_800, nanos: 0 });
        assert_eq!(schedule(week).unwrap().2, Some(Duration::from_secs(604_800)));
        assert!(is_invalid(&schedule(Some(WireDuration { seconds: 0, nanos: -1 }))));
    }

    #[test]
    fn a_version_is_required_where_one_is_changed() {
        assert!(is_invalid(&version_of_key(ID, "")));
        assert!(matches!(version_of_key(ID, "v"), Err(ServiceError::NotFound { what: Missing::Version, .. })));
    }
}
