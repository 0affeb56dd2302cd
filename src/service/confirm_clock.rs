//! An operator's word that the wall clock is right.

use super::error::ServiceError;
use super::kms::Kms;
use super::request::RequestContext;
use crate::domain::access::Permission;

impl Kms {
    /// Releases destructions that are held because the clock leapt.
    ///
    /// # Errors
    /// [`ServiceError::Denied`], and those of the store.
    pub async fn confirm_clock(&self, ctx: &RequestContext) -> Result<(), ServiceError> {
        self.on_service(ctx, Permission::ConfirmClock, || async {
            let _turn = self.clock_guard.beating.lock().await;
            let beat = self.clock_guard.confirm(self.clock.now(), self.clock.boot());
            self.store.beat(beat.clone()).await?;
            self.clock_guard.stored(beat.at);
            tracing::warn!(principal = %ctx.caller.principal_id, "the clock was confirmed: destructions go on");
            self.schedule_changed.notify_one();
            Ok(())
        })
        .await
    }
}
