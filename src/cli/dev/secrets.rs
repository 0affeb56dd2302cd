//! The administrator's credentials of a development server: those of the file as long as they are valid, else new ones.

use super::credentials::{self, AccessKeyPair, Kept, Secrets};
use crate::service::Kms;
use crate::service::directory::Recognised;
use crate::service::ports::Principal;
use anyhow::Context;
use std::path::Path;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The name of the API tokens that `dev` issues and revokes.
const TOKEN: &str = "dev";
/// The name of the access key pairs that `dev` issues and revokes. Another one, so that a new token leaves the pair alone.
const ACCESS_KEY: &str = "dev-access-key";

/// Credentials that are in force. Where those in the file are not, or others could read them, what `dev` issued before of this kind is revoked.
pub async fn of(kms: &Kms, administrator: &Principal, file: &Path) -> anyhow::Result<Secrets> {
    let Kept { exposed, token, access_key } = credentials::read(file).context("credentials.env")?;
    if exposed {
        tracing::warn!(
            file = %file.display(),
            "other users could read or change this file: the credentials in it are revoked, and new ones are in it now"
        );
    }
    Ok(Secrets {
        token: token_of(kms, administrator, token).await?,
        access_key: access_key_of(kms, administrator, access_key).await?,
    })
}

async fn token_of(
    kms: &Kms,
    administrator: &Principal,
    kept: Option<Zeroizing<String>>,
) -> anyhow::Result<Zeroizing<String>> {
    if let Some(token) = kept {
        let recognised = kms.directory().by_token(&token).await.context("credentials")?;
        if matches!(recognised, Recognised::InForce(caller) if caller.principal_id == administrator.id) {
            return Ok(token);
        }
    }
    kms.revoke_credentials(administrator.id, TOKEN).await.context("revoking credentials")?;
    Ok(kms.issue_token(administrator, TOKEN, None).await.context("issuing a credential")?.text)
}

async fn access_key_of(
    kms: &Kms,
    administrator: &Principal,
    kept: Option<AccessKeyPair>,
) -> anyhow::Result<AccessKeyPair> {
    if let Some(pair) = kept
        && is_valid(kms, administrator, &pair).await?
    {
        return Ok(pair);
    }
    kms.revoke_credentials(administrator.id, ACCESS_KEY).await.context("revoking credentials")?;
    let issued = kms.issue_access_key(administrator, ACCESS_KEY).await.context("issuing a credential")?;
    Ok(AccessKeyPair { id: issued.access_key_id, secret: issued.secret })
}

/// Whether the pair is in force, the administrator's, and its two halves belong together.
async fn is_valid(kms: &Kms, administrator: &Principal, pair: &AccessKeyPair) -> anyhow::Result<bool> {
    let recognised = kms.directory().access_key(&pair.id).await.context("credentials")?;
    Ok(recognised.in_force().is_some_and(|key| {
        key.caller().principal_id == administrator.id && bool::from(key.secret().ct_eq(pair.secret.as_bytes()))
    }))
}
