//! Pages: their size, and the markers that lead from one to the next.

use super::error::{AwsError, Code};
use super::input::Input;
use crate::dialect::page_token::{self, Place};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// If the request names none.
    pub default: u32,
    /// What larger ones are cut to. The operation's table refuses those above 1000.
    pub max: u32,
}

impl List {
    /// The list's page sizes, as the service model's texts have them.
    #[must_use]
    pub const fn sizes(self) -> Sizes {
        match self {
            Self::Keys | Self::Rotations | Self::Policies => Sizes { default: 100, max: 1000 },
            Self::Aliases => Sizes { default: 50, max: 100 },
            Self::Tags => Sizes { default: 50, max: 50 },
        }
    }

    /// Numbers that no list of another dialect has.
    const fn code(self) -> u8 {
        match self {
            Self::Keys => 101,
            Self::Aliases => 102,
            Self::Tags => 103,
            Self::Rotations => 104,
            Self::Policies => 105,
        }
    }
}

/// A list of one folder or key in one region.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Which list.
    pub list: List,
    /// The id of the folder or key.
    pub resource: &'a [u8; 16],
    /// The region of the request.
    pub region: &'a str,
}

impl<'a> Listed<'a> {
    const fn place(self) -> Place<'a> {
        Place { list: self.list.code(), resource: self.resource, region: self.region }
    }
}

/// A page that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Where it begins; `None` is the first page.
    pub after: Option<Cursor>,
    /// Most rows.
    pub limit: u32,
}

/// Reads `Limit` and `Marker`. A limit above the list's own maximum is cut to it, because a page may always have fewer rows
/// than were asked for.
///
/// # Errors
/// InvalidMarkerException for a marker that this list did not hand out.
pub fn wanted(input: &Input, listed: Listed<'_>) -> Result<Wanted, AwsError> {
    let sizes = listed.list.sizes();
    let limit = input.int("Limit").map_or(sizes.default, |limit| u32::try_from(limit).unwrap_or(sizes.max));
    let after = input.text("Marker").map(|marker| page_token::read(listed.place(), marker).ok_or_else(bad_marker));
    Ok(Wanted { after: after.transpose()?, limit: limit.clamp(1, sizes.max) })
}

/// The marker of the page after `next`.
#[must_use]
pub fn next(listed: Listed<'_>, next: Option<Cursor>) -> Option<String> {
    next.map(|cursor| page_token::write(listed.place(), cursor))
}

fn bad_marker() -> AwsError {
    AwsError::new(Code::InvalidMarker, "The marker is not one that this list has handed out in this region")
}

#[cfg(test)]
mod tests;
