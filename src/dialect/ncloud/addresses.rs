//! The address list (IP ACL) of a key.

use super::call::Call;
use super::error::NcloudError;
use super::input::Input;
use super::output::Output;
use super::route::Operation;
use crate::domain::address::AddressList;
use crate::domain::id::KeyId;
use crate::service::addresses::AddressChange;
use serde::Serialize;
use std::net::Ipv4Addr;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Acl {
    key_tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_acl_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_ip_list: Option<Vec<Ipv4Addr>>,
}

/// What of a list an answer shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    State,
    Addresses,
    Both,
}

fn answer(call: &Call<'_>, key_id: KeyId, list: &AddressList, shown: Shown) -> Result<Output, NcloudError> {
    call.answer(&Acl {
        key_tag: key_id.simple(),
        is_acl_enabled: (shown != Shown::Addresses).then(|| list.is_enabled()),
        allowed_ip_list: (shown != Shown::State).then(|| list.addresses().collect()),
    })
}

/// GET .../acl
///
/// # Errors
/// NOT_FOUND.
pub async fn acl(call: &Call<'_>) -> Result<Output, NcloudError> {
    let view = call.kms.key(&call.ctx, call.key()?).await?;
    answer(call, view.key.id, &view.key.addresses, Shown::Both)
}

/// POST .../acl/enable and .../acl/disable
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn switch(call: &Call<'_>) -> Result<Output, NcloudError> {
    let key_id = call.key()?;
    let change = AddressChange::Enable(call.route.operation == Operation::EnableAcl);
    let list = call.kms.change_addresses(&call.ctx, key_id, change).await?;
    answer(call, key_id, &list, Shown::State)
}

/// POST .../acl and DELETE .../acl
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn change(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let key_id = call.key()?;
    let given = given_addresses(&mut input)?;
    let change = match call.route.operation {
        Operation::AddAclAddresses => AddressChange::Add(given),
        _ => AddressChange::Remove(given),
    };
    let list = call.kms.change_addresses(&call.ctx, key_id, change).await?;
    answer(call, key_id, &list, Shown::Addresses)
}

/// The member `ipList`, which older pages of the cloud's documents spell `IpList`.
fn given_addresses(input: &mut Input) -> Result<Vec<Ipv4Addr>, NcloudError> {
    let name = if input.has("IpList") && !input.has("ipList") { "IpList" } else { "ipList" };
    let texts = input.list(name)?;
    let wrong = |_| NcloudError::invalid("ipList must hold IPv4 addresses, such as 192.0.2.1");
    texts.iter().map(|text| text.parse().map_err(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#"{"ipList":["192.0.2.1","10.0.0.1"]}"#, 2)]
    #[case(r#"{"IpList":["192.0.2.1"]}"#, 1)]
    #[case(r#"{"ipList":[],"IpList":["192.0.2.1"]}"#, 0)]
    #[case(r#"{"ipList":[]}"#, 0)]
    #[case(r#"{"ipList":"192.0.2.1"}"#, 0)]
    #[case(r#"{"ipList":["192.0.2.0/24"]}"#, 0)]
    #[case(r#"{"ipList":["::1"]}"#, 0)]
    #[case(r#"{"ipList":["192.0.2"]}"#, 0)]
    #[case(r#"{"ipList":["192.0.2.01"]}"#, 0)]
    #[case(r#"{"ipList":[" 192.0.2.1"]}"#, 0)]
    #[case("{}", 0)]
    fn addresses_are_ipv4(#[case] body: &str, #[case] count: usize) {
        let mut input = Input::read(body.as_bytes()).unwrap();
        assert_eq!(given_addresses(&mut input).map_or(0, |addresses| addresses.len()), count);
    }
}
