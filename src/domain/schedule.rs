//! When a key is rotated without being asked.

use super::Dialect;
use super::error::ValueError;
use super::time::{MAX_PERIOD, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A rotation schedule. It remembers the dialect that set it last, because that one's rules decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationSchedule {
    /// Time between two automatic rotations.
    pub period: Duration,
    /// When the next automatic rotation is due. Stored, never derived.
    pub next_rotation_at: Timestamp,
    /// The dialect that set the schedule last.
    pub owner: Dialect,
}

impl RotationSchedule {
    /// A schedule of the native dialect: the first rotation is due one period after the last one.
    ///
    /// # Errors
    /// [`ValueError::RotationPeriod`] if `period` is below `min` or above [`MAX_PERIOD`].
    pub fn native(period: Duration, rotated_at: Timestamp, min: Duration) -> Result<Self, ValueError> {
        if period < min || period > MAX_PERIOD || period.is_zero() {
            return Err(ValueError::RotationPeriod { min, max: MAX_PERIOD });
        }
        Ok(Self { period, next_rotation_at: rotated_at.plus(period), owner: Dialect::Yandex })
    }

    /// A schedule of the AWS dialect: the first rotation is due one period after `now`, when rotation is enabled
    /// (`RotationPeriodInDays` of `EnableKeyRotation`), also where only the period is changed.
    ///
    /// # Errors
    /// [`ValueError::RotationPeriod`] if `period` is below `min` or above [`MAX_PERIOD`].
    pub fn aws(period: Duration, now: Timestamp, min: Duration) -> Result<Self, ValueError> {
        let schedule = Self::native(period, now, min)?;
        Ok(Self { owner: Dialect::Aws, ..schedule })
    }

    /// A schedule of the Ncloud dialect: the first rotation is due one period after `now`, when rotation is enabled or its
    /// period is set (`nextRotationDate` of enable-auto-rotation).
    ///
    /// # Errors
    /// [`ValueError::RotationPeriod`] if `period` is below `min` or above [`MAX_PERIOD`].
    pub fn ncloud(period: Duration, now: Timestamp, min: Duration) -> Result<Self, ValueError> {
        let schedule = Self::native(period, now, min)?;
        Ok(Self { owner: Dialect::Ncloud, ..schedule })
    }

    /// The schedule if `before` is another one, and `before` itself if it has the same owner and period.
    ///
    /// For schedules that begin when they are set: AWS does not say what becomes of the date when rotation is enabled
    /// again as it was. A tool that does so on each of its runs must not put the rotation off each time.
    #[must_use]
    pub fn unless_set_again(self, before: Option<Self>) -> Self {
        before.filter(|before| (before.owner, before.period) == (self.owner, self.period)).unwrap_or(self)
    }

    /// The schedule after a rotation that a caller asked for at `now`.
    ///
    /// Yandex restarts the period; AWS and Ncloud keep their date.
    #[must_use]
    pub fn after_manual_rotation(self, now: Timestamp) -> Self {
        match self.owner {
            Dialect::Yandex => Self { next_rotation_at: now.plus(self.period), ..self },
            Dialect::Aws | Dialect::Ncloud => self,
        }
    }

    /// The schedule after its own rotation at `now`: one period after the planned date, so that dates do not
    /// drift, or after `now` where that is past already. Rotations missed in a downtime are made once, not one by one.
    #[must_use]
    pub fn after_automatic_rotation(self, now: Timestamp) -> Self {
        let planned = self.next_rotation_at.plus(self.period);
        let next_rotation_at = if planned > now { planned } else { now.plus(self.period) };
        Self { next_rotation_at, ..self }
    }

    /// Whether it fires while the key is inactive. Only Ncloud keeps disabled keys in their cycle;
    /// overdue schedules of the others fire when the key is active again.
    #[must_use]
    pub const fn fires_while_inactive(&self) -> bool {
        matches!(self.owner, Dialect::Ncloud)
    }
}

#[cfg(test)]
mod tests;
