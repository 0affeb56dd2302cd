//! The generated wire messages, clients and servers. The .proto files beside this file are their source;
//! `build.rs` makes them.

/// All .proto files, compiled, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Shared messages of Google's.
pub mod google {
    /// Status and error details.
    pub mod rpc {
        include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
        include!(concat!(env!("OUT_DIR"), "/google.rpc.serde.rs"));
    }
}

/// The native dialect.
pub mod yandex {
    /// Its services.
    pub mod cloud {
        /// Who may do what.
        pub mod access {
            include!(concat!(env!("OUT_DIR"), "/yandex.cloud.access.rs"));
            include!(concat!(env!("OUT_DIR"), "/yandex.cloud.access.serde.rs"));
        }
        /// Which service answers where.
        pub mod endpoint {
            include!(concat!(env!("OUT_DIR"), "/yandex.cloud.endpoint.rs"));
            include!(concat!(env!("OUT_DIR"), "/yandex.cloud.endpoint.serde.rs"));
        }
        /// Identities.
        pub mod iam {
            /// Logins.
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yandex.cloud.iam.v1.rs"));
                include!(concat!(env!("OUT_DIR"), "/yandex.cloud.iam.v1.serde.rs"));
            }
        }
        /// Long-running operations.
        pub mod operation {
            include!(concat!(env!("OUT_DIR"), "/yandex.cloud.operation.rs"));
            include!(concat!(env!("OUT_DIR"), "/yandex.cloud.operation.serde.rs"));
        }
        /// Key management.
        pub mod kms {
            /// Symmetric keys.
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yandex.cloud.kms.v1.rs"));
                include!(concat!(env!("OUT_DIR"), "/yandex.cloud.kms.v1.serde.rs"));
                /// Key pairs for encryption.
                pub mod asymmetricencryption {
                    include!(concat!(env!("OUT_DIR"), "/yandex.cloud.kms.v1.asymmetricencryption.rs"));
                    include!(concat!(env!("OUT_DIR"), "/yandex.cloud.kms.v1.asymmetricencryption.serde.rs"));
                }
                /// Key pairs for signatures.
                pub mod asymmetricsignature {
                    include!(concat!(env!("OUT_DIR"), "/yandex.cloud.kms.v1.asymmetricsignature.rs"));
                    include!(concat!(env!("OUT_DIR"), "/yandex.cloud.kms.v1.asymmetricsignature.serde.rs"));
                }
            }
        }
    }
}
