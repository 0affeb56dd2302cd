//! Tags. They are apart from the labels of the native dialect.

use super::call::{Call, Naming};
use super::error::{AwsError, Code};
use super::input::Input;
use super::keys::update;
use super::lists::{self, Rest};
use super::marker::{List, Wanted};
use super::output::Output;
use crate::domain::key::MAX_TAGS;
use crate::service::ports::Cursor;
use crate::service::request::{KeyPatch, TagChange};
use aws_lc_rs::digest;
use serde::Serialize;
use std::collections::BTreeMap;

/// Tags of a request as a set. Lengths are checked by the table of the operation.
///
/// # Errors
/// TagException for more than 50 tags, two of one name, and names that begin with `aws:` in any case.
pub fn checked(tags: &[(String, String)]) -> Result<BTreeMap<String, String>, AwsError> {
    if tags.len() > MAX_TAGS {
        return Err(too_many());
    }
    let mut set = BTreeMap::new();
    for (name, value) in tags {
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(AwsError::new(Code::Tag, "Tags beginning with aws: are reserved"));
        }
        if set.insert(name.clone(), value.clone()).is_some() {
            return Err(AwsError::new(Code::Tag, "Duplicate tag keys"));
        }
    }
    Ok(set)
}

/// Refuses more tags than a key may have.
#[must_use]
pub fn too_many() -> AwsError {
    AwsError::new(Code::Tag, format!("Too many tags: a key has at most {MAX_TAGS}"))
}

/// TagResource.
///
/// # Errors
/// TagException, NotFoundException, KMSInvalidStateException.
pub async fn tag_resource(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let set = checked(input.tags("Tags"))?;
    update(call, &input, KeyPatch { tags: TagChange { set, remove: Vec::new() }, ..KeyPatch::default() }).await
}

/// UntagResource. A tag that is not there is no mistake.
///
/// # Errors
/// NotFoundException, KMSInvalidStateException.
pub async fn untag_resource(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let remove = input.texts("TagKeys").to_vec();
    update(call, &input, KeyPatch { tags: TagChange { set: BTreeMap::new(), remove }, ..KeyPatch::default() }).await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tags<'a> {
    tags: Vec<Tag<'a>>,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    tag_key: &'a str,
    tag_value: &'a str,
}

/// ListResourceTags, by name.
///
/// # Errors
/// NotFoundException, InvalidMarkerException.
pub async fn list_resource_tags(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let wanted = lists::wanted_of_key(call, &input, List::Tags)?;
    let key = call.key(&input, "KeyId", Naming::IdOrArn).await?;
    let view = call.kms.key(&call.ctx, key.id()).await.map_err(|error| call.refused(error, &key))?;
    let (tags, next) = page(&view.key.tags, wanted)
        .ok_or_else(|| AwsError::new(Code::InvalidMarker, "The tag that the marker leads to is gone: list anew."))?;
    let rest = Rest::of(lists::of(call, List::Tags, key.id().as_bytes()), next);
    Output::of(&Tags { tags, rest })
}

/// A page of tags, and where the next one begins: after the tag whose name hashes to the cursor's id. `None` if there
/// is no such tag any more.
fn page(tags: &BTreeMap<String, String>, wanted: Wanted) -> Option<(Vec<Tag<'_>>, Option<Cursor>)> {
    let from = match wanted.after {
        None => 0,
        Some(cursor) => 1 + tags.keys().position(|name| cursor_at(name) == cursor)?,
    };
    let limit = usize::try_from(wanted.limit).unwrap_or(MAX_TAGS);
    let shown: Vec<Tag<'_>> =
        tags.iter().skip(from).take(limit).map(|(tag_key, tag_value)| Tag { tag_key, tag_value }).collect();
    let more = tags.len() > from + shown.len();
    let next = shown.last().filter(|_| more).map(|tag| cursor_at(tag.tag_key));
    Some((shown, next))
}

fn cursor_at(name: &str) -> Cursor {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_ref()[..16]);
    Cursor { at: 0, id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn set(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), format!("{name}!"))).collect()
    }

    fn given(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), String::new())).collect()
    }

    #[rstest]
    #[case(&["a", "b", "a"], "Duplicate tag keys")]
    #[case(&["a", "aws:b"], "Tags beginning with aws: are reserved")]
    #[case(&["AwS:"], "Tags beginning with aws: are reserved")]
    fn tags_that_cannot_be_are_refused(#[case] names: &[&str], #[case] text: &str) {
        let error = checked(&given(names)).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::Tag, text));
    }

    #[test]
    fn at_most_50_tags_are_taken() {
        let names: Vec<String> = (0..51).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(checked(&given(&names[..50])).unwrap().len(), 50);
        assert_eq!(checked(&given(&names)).unwrap_err().code, Code::Tag);
    }

    #[rstest]
    #[case("aws")]
    #[case("aw:s")]
    #[case("xaws:")]
    #[case("A")]
    #[case("\u{e4}\u{e4}\u{e4}:")]
    fn other_names_are_taken(#[case] name: &str) {
        assert_eq!(checked(&given(&[name])).unwrap().len(), 1);
    }

    #[test]
    fn pages_have_every_tag_once_in_order() {
        let tags = set(&["b", "a", "d", "c", "e"]);
        let mut after = None;
        let mut found = Vec::new();
        for expected in [2, 2, 1] {
            let (shown, next) = page(&tags, Wanted { after, limit: 2 }).unwrap();
            assert_eq!(shown.len(), expected);
            found.extend(shown.into_iter().map(|tag| tag.tag_key.to_owned()));
            after = next;
        }
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
        assert_eq!(after, None);
    }

    #[test]
    fn a_page_that_is_full_to_the_last_tag_has_no_next() {
        let tags = set(&["a", "b"]);
        assert_eq!(page(&tags, Wanted { after: None, limit: 2 }).unwrap().1, None);
    }

    #[test]
    fn a_marker_survives_other_changes_and_not_the_loss_of_its_tag() {
        let wanted = Wanted { after: Some(cursor_at("b")), limit: 9 };
        let (shown, _) = page(&set(&["b", "c"]), wanted).map(|(shown, next)| (shown.len(), next)).unwrap();
        assert_eq!(shown, 1);
        assert!(page(&set(&["a", "c"]), wanted).is_none());
    }
}
