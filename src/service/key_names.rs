//! Ncloud's names of keys, each of which one key of a folder has.
//!
//! The database lets no two keys have one name. It is looked for before a change as well, so that a taken name is told from
//! another conflict; and after one, because somebody else may have taken it meanwhile. Whoever may give names in a folder
//! is told that one is taken, also by a key that it may not view.

use super::error::ServiceError;
use super::kms::Kms;
use crate::domain::id::{FolderId, KeyId};
use crate::domain::text::ShortName;

impl Kms {
    /// Refuses a name that another key of the folder has.
    ///
    /// # Errors
    /// [`ServiceError::Exists`], and those of the store.
    pub(super) async fn require_free_name(
        &self,
        folder_id: FolderId,
        name: &ShortName,
        key_id: Option<KeyId>,
    ) -> Result<(), ServiceError> {
        match self.store.key_named(folder_id, name.clone()).await? {
            Some(other) if Some(other) != key_id => Err(ServiceError::Exists("a key with this keyName already exists")),
            _ => Ok(()),
        }
    }

    /// The outcome of a change that may give a key a name: a conflict is told to be a taken name where it is one.
    ///
    /// # Errors
    /// [`ServiceError::Exists`] if the name is taken, that of the change, and those of the store.
    pub(super) async fn unless_taken<T>(
        &self,
        done: Result<T, ServiceError>,
        folder_id: FolderId,
        name: Option<&ShortName>,
        key_id: Option<KeyId>,
    ) -> Result<T, ServiceError> {
        if let (true, Some(name)) = (matches!(done, Err(ServiceError::Conflict)), name) {
            self.require_free_name(folder_id, name, key_id).await?;
        }
        done
    }
}
