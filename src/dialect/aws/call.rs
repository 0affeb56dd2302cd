//! What a handler has beside the input: the core, who calls, and how refusals are put in terms of the key that was named.

use super::arn;
use super::error::{About, AwsError};
use super::input::Input;
use super::operation::Operation;
use crate::domain::id::{AccountId, KeyId};
use crate::service::Kms;
use crate::service::error::{Missing, ServiceError};
use crate::service::request::{KeyName, Located, RequestContext};
use std::sync::Arc;

/// One authenticated request.
pub struct Call<'a> {
    /// The core.
    pub kms: &'a Kms,
    /// Who asks, in which region.
    pub ctx: RequestContext,
    /// The account of the caller's folder.
    pub account: AccountId,
    /// The caller's name in its ARN.
    pub user: Arc<str>,
    /// What is asked for.
    pub operation: Operation,
}

/// How an operation lets its key be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Key id or key ARN. An alias is not found.
    IdOrArn,
    /// Key id, key ARN, alias name or alias ARN, where the operation does not declare InvalidArnException (those that use
    /// keys): what is no ARN of a key here is not found.
    Any,
    /// As [`Any`](Self::Any), where the operation declares InvalidArnException (DescribeKey).
    AnyOrInvalidArn,
}

/// A key that a request has named.
#[derive(Debug)]
pub struct NamedKey {
    /// Where it is.
    pub located: Located,
    /// Its ARN, for answers.
    pub arn: String,
    /// What the request called it, for refusals that must not tell more than the caller knows.
    pub name: KeyName,
}

impl NamedKey {
    /// The key's id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.located.key_id
    }
}

impl Call<'_> {
    /// The region of the request.
    #[must_use]
    pub fn region(&self) -> &str {
        self.ctx.region.as_deref().unwrap_or_default()
    }

    /// The key that the member `member` of the input names, which the table of the operation requires.
    ///
    /// # Errors
    /// NotFoundException in the cloud's texts, and whatever keeps the service from looking.
    pub async fn key(&self, input: &Input, member: &str, naming: Naming) -> Result<NamedKey, AwsError> {
        self.key_named(input.text(member).unwrap_or_default(), naming).await
    }

    /// The key of this name.
    ///
    /// # Errors
    /// As [`key`](Self::key).
    pub async fn key_named(&self, given: &str, naming: Naming) -> Result<NamedKey, AwsError> {
        let name = arn::key_name(given, naming, self.region(), self.account)?;
        let located = self.kms.locate(&self.ctx, &name).await.map_err(|error| {
            let given = arn::of_name(self.region(), &name);
            self.refusal(error, &given, &given)
        })?;
        Ok(self.key_at(located, name))
    }

    /// The key that was found under a name.
    #[must_use]
    pub fn key_at(&self, located: Located, name: KeyName) -> NamedKey {
        NamedKey { located, arn: arn::of_key(self.region(), located.account_id, located.key_id), name }
    }

    /// A refusal of the core, about a key.
    #[must_use]
    pub fn refused(&self, error: ServiceError, key: &NamedKey) -> AwsError {
        self.refusal(error, &key.arn, &arn::of_name(self.region(), &key.name))
    }

    /// A refusal of the core, about the caller's folder. To a caller without any role its folder does not exist; here it has
    /// an account none the less.
    #[must_use]
    pub fn refused_in_folder(&self, error: ServiceError) -> AwsError {
        let error = match error {
            ServiceError::NotFound { what: Missing::Folder, .. } => ServiceError::Denied,
            other => other,
        };
        self.refusal(error, "*", "*")
    }

    /// A refusal of the core. `subject` is the ARN of what it is about, `given` that of what the request called it.
    #[must_use]
    pub fn refusal(&self, error: ServiceError, subject: &str, given: &str) -> AwsError {
        let user = arn::of_user(self.account, &self.user);
        AwsError::of(error, &About { user: &user, operation: self.operation.name(), subject, given })
    }
}
