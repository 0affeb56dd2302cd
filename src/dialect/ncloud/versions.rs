//! Versions of keys.

use super::call::Call;
use super::error::NcloudError;
use super::output::{Output, millis};
use super::route::Operation;
use super::view::version_status;
use crate::domain::key::Switch;
use crate::domain::operation::VersionView;
use serde::Serialize;

/// Versions that are read at once.
const PAGE: u32 = 1000;
/// Most versions of one answer: the API has no pages for them. Older ones are left out.
const MAX_LISTED: u32 = 10_000;

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
    let view = call.kms.key(&call.ctx, call.key()?).await?;
    let mut after = view.key.latest_version_number.saturating_sub(MAX_LISTED);
    let mut version_list = Vec::new();
    loop {
        let page = call.kms.versions_by_age(&call.ctx, view.key.id, after, PAGE).await?;
        version_list.extend(page.items.iter().map(Entry::of));
        match page.next {
            Some(next) => after = u32::try_from(next.at).unwrap_or(u32::MAX),
            None => break,
        }
    }
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
