use super::*;
use std::collections::BTreeMap;

/// The rows of the cloud's table for Enabled, Disabled and PendingDeletion: `+` is taken, `-` is refused. Rows that
/// depend on imported material or custom key stores are those of keys without either; that of UpdateAlias is of its new
/// key. The last rows are of operations that are newer than the table: those that use material are as Encrypt.
const MATRIX: &str = "
    CancelKeyDeletion                    - - +
    CreateAlias                          + + -
    CreateGrant                          + - -
    Decrypt                              + - -
    DeleteAlias                          + + +
    DeleteImportedKeyMaterial            + + +
    DescribeKey                          + + +
    DisableKey                           + + -
    DisableKeyRotation                   + - -
    EnableKey                            + + -
    EnableKeyRotation                    + - -
    Encrypt                              + - -
    GenerateDataKey                      + - -
    GenerateDataKeyPair                  + - -
    GenerateDataKeyPairWithoutPlaintext  + - -
    GenerateDataKeyWithoutPlaintext      + - -
    GenerateMac                          + - -
    GetKeyPolicy                         + + +
    GetKeyRotationStatus                 + + +
    GetParametersForImport               + + -
    GetPublicKey                         + - -
    ImportKeyMaterial                    + + -
    ListAliases                          + + +
    ListGrants                           + + +
    ListKeyPolicies                      + + +
    ListResourceTags                     + + +
    PutKeyPolicy                         + + +
    ReEncrypt                            + - -
    ReplicateKey                         + - -
    RetireGrant                          + + +
    RevokeGrant                          + + +
    ScheduleKeyDeletion                  + + -
    Sign                                 + - -
    TagResource                          + + -
    UntagResource                        + + -
    UpdateAlias                          + + -
    UpdateKeyDescription                 + + -
    UpdatePrimaryRegion                  + - -
    Verify                               + - -
    VerifyMac                            + - -
    Decapsulate                          + - -
    DeriveSharedSecret                   + - -
    Encapsulate                          + - -
    GetKeyLastUsage                      + + +
    ListKeyRotations                     + + +
    RotateKeyOnDemand                    + - -
";

fn rows() -> BTreeMap<&'static str, [bool; 3]> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        (cells[0], [1, 2, 3].map(|column| cells[column] == "+"))
    };
    MATRIX.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}

fn cells(asks: Asks) -> [bool; 3] {
    match asks {
        Asks::Nothing => [true; 3],
        Asks::Live => [true, true, false],
        Asks::Active => [true, false, false],
        Asks::PendingDeletion => [false, false, true],
    }
}

#[test]
fn the_table_is_that_of_the_cloud() {
    let rows = rows();
    for operation in Operation::ALL {
        let expected = rows.get(operation.name()).copied();
        assert_eq!(asks(*operation).map(cells), expected, "{}", operation.name());
    }
}

#[test]
fn every_row_is_of_an_operation() {
    assert_eq!(rows().len(), 46);
    assert!(rows().keys().all(|name| Operation::parse(name).is_some()));
}

#[test]
fn changes_of_rotation_ask_for_an_enabled_key_and_others_for_a_live_one() {
    assert_eq!(requires(Operation::EnableKeyRotation), Requires::Active);
    assert_eq!(requires(Operation::DisableKeyRotation), Requires::Active);
    assert_eq!(requires(Operation::TagResource), Requires::Live);
    assert_eq!(requires(Operation::EnableKey), Requires::Live);
}
