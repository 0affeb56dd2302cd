//! Heartbeat and remembered requests.

use crate::domain::id::{OperationId, PrincipalId};
use crate::service::ports::{BootInstant, Heartbeat, RememberedRequest, StoreError};
use crate::store::sql::{Fields, Row, Value};
use crate::store::view::Checked;

/// The columns of the heartbeat.
pub(in crate::store) fn heartbeat_row(beat: &Heartbeat) -> Row {
    vec![
        Value::Int(1),
        Value::from(beat.at),
        Value::from(&*beat.boot.boot_id),
        Value::from(beat.boot.elapsed),
        Value::from(beat.held.as_deref()),
    ]
}

/// The heartbeat.
pub(in crate::store) fn heartbeat(row: &Checked) -> Result<Heartbeat, StoreError> {
    let mut fields = row.fields();
    let _id = fields.int()?;
    Ok(Heartbeat {
        at: fields.instant()?,
        boot: BootInstant { boot_id: fields.text()?.into(), elapsed: fields.period()? },
        held: fields.optional_text()?.map(str::to_owned),
    })
}

/// The columns of a remembered request.
pub(in crate::store) fn remembered_row(request: &RememberedRequest) -> Row {
    vec![
        Value::from(request.principal_id.as_bytes()),
        Value::from(request.key.as_str()),
        Value::from(&request.fingerprint),
        Value::from(request.operation_id.as_bytes()),
        Value::from(request.expires_at),
    ]
}

/// A remembered request.
pub(in crate::store) fn remembered(row: &[Value]) -> Result<RememberedRequest, StoreError> {
    let mut fields = Fields::new("remembered_requests", row);
    Ok(RememberedRequest {
        principal_id: PrincipalId::from_bytes(fields.bytes()?),
        key: fields.text()?.to_owned(),
        fingerprint: fields.bytes()?,
        operation_id: OperationId::from_bytes(fields.bytes()?),
        expires_at: fields.instant()?,
    })
}
