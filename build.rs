//! Build script: Rust code and JSON forms for the wire messages of the native dialect, made from our own
//! .proto files without `protoc`.

use prost::Message as _;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Where the .proto files are; also the root of their imports.
const ROOT: &str = "src/dialect/yandex/proto";
/// Our own forms of the well-known types: their JSON forms are not what a derive makes.
const WELL_KNOWN_TYPES: &str = "crate::dialect::yandex::wkt";
/// Messages that hold plaintext or credentials: they have no `Debug` from the generator, so that they cannot get into a
/// log.
const SECRET: [&str; 6] = [
    ".yandex.cloud.iam.v1.CreateIamTokenRequest",
    ".yandex.cloud.iam.v1.CreateIamTokenResponse",
    ".yandex.cloud.iam.v1.RevokeIamTokenRequest",
    ".yandex.cloud.kms.v1.SymmetricEncryptRequest",
    ".yandex.cloud.kms.v1.SymmetricDecryptResponse",
    ".yandex.cloud.kms.v1.GenerateDataKeyResponse",
];

#[expect(clippy::disallowed_methods, reason = "Cargo tells build scripts through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    println!("cargo:rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut files = Vec::new();
    proto_files(Path::new(ROOT), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [ROOT])?;
    let encoded = descriptors.encode_to_vec();
    std::fs::write(out_dir.join("descriptors.bin"), &encoded)?;
    let mut config = prost_build::Config::new();
    config.enable_type_names().type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure()
        .btree_map(".")
        .extern_path(".google.protobuf", WELL_KNOWN_TYPES)
        .compile_well_known_types(true)
        .skip_debug(SECRET)
        .compile_fds_with_config(descriptors, config)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .btree_map(["."])
        .extern_path(".google.protobuf", WELL_KNOWN_TYPES)
        .build(&[".yandex.cloud", ".google.rpc"])?;
    Ok(())
}

fn proto_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            proto_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}
