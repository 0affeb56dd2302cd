//! Versions of keys.

use super::call::Call;
use super::error::NcloudError;
use super::output::{Output, millis};
use super::route::Operation;
use super::view::version_status;
use crate::domain::key::Switch;
use crate::domain::operation::VersionView;
use serde::Serialize;

/// Most versions of one answer: the API has no pages for them. Older ones are left out.
const MAX_LISTED: usize = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    key_tag: String,
    current_version: u32,
    version_list: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    version: u32,
    status: &'static str,
    status_date: i64,
    rotated_date: i64,
}

impl Entry {
    fn of(view: &VersionView) -> Self {
        let version = &view.version;
        Self {
            version: version.number,
            status: version_status(version.state),
            status_date: millis(version.state_since()),
            rotated_date: millis(version.created_at),
        }
    }
}

/// GET .../versions, oldest first.
///
/// # Errors
/// NOT_FOUND.
pub async fn list(call: &Call<'_>) -> Result<Output, NcloudError> {
    let (view, versions) = call.kms.key_with_versions(&call.ctx, call.key()?, MAX_LISTED).await?;
    let version_list = versions.iter().map(Entry::of).collect();
    call.answer(&Versions { key_tag: view.key.key_tag, current_version: view.primary.number, version_list })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Switched {
    version: u32,
    status: &'static str,
    status_date: i64,
}

/// POST .../versions/{version}/enable and .../disable
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY for the newest version, or unless the key is enabled.
pub async fn switch(call: &Call<'_>) -> Result<Output, NcloudError> {
    let switch = match call.route.operation {
        Operation::EnableVersion => Switch::Active,
        _ => Switch::Inactive,
    };
    let VersionView { version, .. } =
        call.kms.switch_version(&call.ctx, call.key()?, call.route.version, switch).await?;
    call.answer(&Switched {
        version: version.number,
        status: version_status(version.state),
        status_date: millis(version.state_since()),
    })
}
