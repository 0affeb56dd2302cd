//! What will be made, before it is made: the intent that the store keeps.

use super::kek::Names;
use super::{CeremonyRequest, hex};
use crate::domain::id::ClusterId;
use crate::service::ports::{
    Assurance, InternalKey, InternalKeyRole, KekRecord, Protection, TokenBinding, TokenCapabilities, TokenIdentity,
};
use crate::token::softhsm;

/// The throw-away KEK on which the attacks are played. Blobs never name it.
pub(super) const TRIAL: u32 = 0;
/// The first KEK.
pub(super) const FIRST: u32 = 1;
/// The internal keys, in the order in which they are made. Numbers are unique among them.
const INTERNAL: [(InternalKeyRole, u32); 4] = [
    (InternalKeyRole::SoftwareVersions, 1),
    (InternalKeyRole::Credentials, 2),
    (InternalKeyRole::RowMac, 3),
    (InternalKeyRole::AuditSignature, 4),
];

/// The label of a KEK.
pub(super) fn kek_label(number: u32, cluster: ClusterId) -> String {
    match number {
        TRIAL => format!("claviger-trial-kek-{cluster}"),
        _ => format!("claviger-kek-{number}-{cluster}"),
    }
}

/// The label of an internal key.
pub(super) fn internal_label(role: InternalKeyRole, cluster: ClusterId) -> String {
    let role = match role {
        InternalKeyRole::SoftwareVersions => "software-versions",
        InternalKeyRole::Credentials => "credentials",
        InternalKeyRole::RowMac => "row-mac",
        InternalKeyRole::AuditSignature => "audit-signature",
    };
    format!("claviger-{role}-{cluster}")
}

/// The names of a planned KEK.
pub(super) fn kek_names(record: &KekRecord, cluster: ClusterId) -> Names {
    Names { id: hex::decode(&record.object_id).unwrap_or_default(), label: kek_label(record.number, cluster) }
}

/// The names of a planned internal key.
pub(super) fn internal_names(key: &InternalKey, cluster: ClusterId) -> Names {
    Names { id: hex::decode(&key.object_id).unwrap_or_default(), label: internal_label(key.role, cluster) }
}

/// The intent: an incomplete binding with the ids of all objects that will be made.
///
/// A run that was cut off hands its ids on: its objects may still be in the token's place, to be replaced only
/// when this run's token gets there.
pub(super) fn intent(
    request: &CeremonyRequest<'_>,
    identity: TokenIdentity,
    capabilities: TokenCapabilities,
    cut_off: Option<&TokenBinding>,
) -> TokenBinding {
    let new_id = || hex::encode(&request.ids.id());
    let kek = |number| KekRecord {
        number,
        object_id: new_id(),
        canary: String::new(),
        canary_check: String::new(),
        check_value: None,
        adopted: false,
    };
    let mut keks = cut_off.map(|intent| intent.keks.clone()).unwrap_or_default();
    if request.adopt_kek.is_none() {
        let missing = [TRIAL, FIRST].map(|number| (number, keks.iter().all(|kek| kek.number != number)));
        keks.extend(missing.into_iter().filter(|(_, missing)| *missing).map(|(number, _)| kek(number)));
    }
    let key = |(role, number)| InternalKey { role, number, object_id: new_id(), public_key: None };
    let internal_keys = cut_off.map(|intent| intent.internal_keys.clone());
    let software = softhsm::is_softhsm(&identity);
    TokenBinding {
        cluster_id: request.cluster_id,
        complete: false,
        created_at: request.created_at,
        identity,
        capabilities,
        protection: Protection::Weak,
        assurance: if software { Assurance::Software } else { request.assurance.clone() },
        attacks: Vec::new(),
        keks,
        internal_keys: internal_keys.unwrap_or_else(|| INTERNAL.map(key).to_vec()),
    }
}
