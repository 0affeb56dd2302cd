//! A data key that was unwrapped into the token.

use super::owner::OwnerJob;
use crossbeam_channel::Sender;
use cryptoki::object::ObjectHandle;
use cryptoki_sys::CK_SESSION_HANDLE;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whose object a handle is. Neither part is ever valid in another module generation: tokens use the same numbers
/// again for other keys (seen: a handle of before a re-initialisation encrypted under the next key made, with CKR_OK).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The start of the library.
    pub generation: u64,
    /// The owner session in which the object was made, and with which it dies.
    pub owner_session: CK_SESSION_HANDLE,
}

/// A borrowed handle. The token's object is destroyed when the last borrower has dropped it.
pub struct KeyHandle {
    object: ObjectHandle,
    tag: Tag,
    owner: Sender<OwnerJob>,
    gone: AtomicBool,
}

impl KeyHandle {
    /// A handle whose object the owner behind `owner` will destroy.
    pub const fn new(object: ObjectHandle, tag: Tag, owner: Sender<OwnerJob>) -> Self {
        Self { object, tag, owner, gone: AtomicBool::new(false) }
    }

    /// The object, if the handle belongs to this generation.
    pub fn object(&self, generation: u64) -> Option<ObjectHandle> {
        (self.tag.generation == generation && !self.gone.load(Ordering::Relaxed)).then_some(self.object)
    }

    /// Notes that the token does not know the object any more: its number must not be destroyed, it may be given
    /// to another object.
    pub fn mark_gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Drop for KeyHandle {
    fn drop(&mut self) {
        if !*self.gone.get_mut() {
            // Fails only after the owner has stopped, when all its objects are gone with its session.
            let _ = self.owner.send(OwnerJob::Destroy { object: self.object, tag: self.tag });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::raw_data::object_handle;
    use super::*;

    #[test]
    fn a_handle_is_valid_in_its_own_generation_only() {
        let (sender, _receiver) = crossbeam_channel::unbounded();
        let handle = KeyHandle::new(object_handle(118), Tag { generation: 1, owner_session: 7 }, sender);
        assert_eq!(handle.object(1), Some(object_handle(118)));
        assert_eq!(handle.object(2), None);
        handle.mark_gone();
        assert_eq!(handle.object(1), None);
    }

    #[test]
    fn the_last_borrower_gives_the_object_back_to_its_owner() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let tag = Tag { generation: 1, owner_session: 7 };
        let handle = std::sync::Arc::new(KeyHandle::new(object_handle(118), tag, sender));
        let borrower = handle.clone();
        drop(handle);
        assert!(receiver.try_recv().is_err());
        drop(borrower);
        assert!(
            matches!(receiver.try_recv(), Ok(OwnerJob::Destroy { object, tag: t }) if (object, t) == (object_handle(118), tag))
        );
    }

    #[test]
    fn an_object_that_the_token_lost_is_not_destroyed() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let handle = KeyHandle::new(object_handle(118), Tag { generation: 1, owner_session: 7 }, sender);
        handle.mark_gone();
        drop(handle);
        assert!(receiver.try_recv().is_err());
    }
}
