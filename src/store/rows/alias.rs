//! Aliases.

use crate::domain::alias::{Alias, AliasName, AliasPlace};
use crate::domain::id::{FolderId, KeyId};
use crate::service::ports::{StoreError, Stored};
use crate::store::seal::sha256;
use crate::store::sql::{Row, Value};
use crate::store::view::Checked;

/// The primary key of an alias: it follows from the place, so that one that is not there has no head either.
pub(in crate::store) fn alias_id(place: &AliasPlace) -> [u8; 16] {
    let parts = [place.folder_id.as_bytes().as_slice(), place.region.as_bytes(), place.name.as_str().as_bytes()];
    let mut message = b"claviger-alias-1".to_vec();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(&message)[..16]);
    id
}

/// The columns of an alias.
pub(in crate::store) fn alias_row(alias: &Alias) -> Row {
    vec![
        Value::from(&alias_id(&alias.place)),
        Value::from(alias.place.folder_id.as_bytes()),
        Value::from(alias.place.region.as_str()),
        Value::from(alias.place.name.as_str()),
        Value::from(alias.key_id.as_ref().map(KeyId::as_bytes)),
        Value::from(alias.created_at),
        Value::from(alias.updated_at),
    ]
}

/// An alias.
pub(in crate::store) fn alias(row: &Checked) -> Result<Stored<Alias>, StoreError> {
    let mut fields = row.fields();
    fields.skip()?;
    let place = AliasPlace {
        folder_id: FolderId::from_bytes(fields.bytes()?),
        region: fields.text()?.to_owned(),
        name: AliasName::new(fields.text()?).map_err(|_| fields.nonsense())?,
    };
    let value = Alias {
        place,
        key_id: fields.optional_array()?.map(KeyId::from_bytes),
        created_at: fields.instant()?,
        updated_at: fields.instant()?,
    };
    Ok(Stored { value, row_seq: row.row_seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(folder: u8, region: &str, name: &str) -> [u8; 16] {
        let name = AliasName::new(name).unwrap();
        alias_id(&AliasPlace { folder_id: FolderId::from_bytes([folder; 16]), region: region.into(), name })
    }

    /// The value was computed by another implementation of the rule.
    #[test]
    fn the_id_of_an_alias_follows_from_folder_region_and_name() {
        let hex: String = id(3, "us-east-1", "alias/orders").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0c475383070cbd5fc116e21648f591e4");
        let others = [
            id(4, "us-east-1", "alias/orders"),
            id(3, "us-east-2", "alias/orders"),
            id(3, "us-east-1", "alias/order"),
            id(3, "us-east-1alias/", "alias/orders"),
        ];
        assert!(others.iter().all(|other| *other != id(3, "us-east-1", "alias/orders")));
    }
}
