//! Every parser that reads what somebody else wrote, as plain functions over bytes.
//!
//! In: any bytes. Out: whether the parser took them. An entry point panics where a parser does, and where a parser breaks
//! a promise: most often that what it accepted, written out again, is read as the same. The tests here run every entry
//! point on seeded mutations (`make test`); `fuzz/` hands the same list to libFuzzer (`make fuzz`).
//!
//! A new parser gets a function in one of the modules below and a line in [`ENTRY_POINTS`].

mod aws;
mod certificates;
mod credentials;
mod dialect;
mod ncloud;
mod signatures;
mod stored;
#[cfg(test)]
mod tests;
mod text;

/// A parser, and well-formed inputs of it.
pub struct EntryPoint {
    /// Its name: letters, digits and hyphens.
    pub name: &'static str,
    /// Inputs that are accepted, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Runs the parser; false if it refused the input. Panics if something is wrong with the parser.
    pub run: fn(&[u8]) -> bool,
}

/// All parsers.
pub const ENTRY_POINTS: &[EntryPoint] = &[
    EntryPoint { name: "bearer-header", seeds: credentials::bearer_seeds, run: credentials::bearer_header },
    EntryPoint { name: "jwt", seeds: credentials::jwt_seeds, run: credentials::signed_jwt },
    EntryPoint { name: "jwt-header", seeds: credentials::jwt_header_seeds, run: credentials::jwt_header },
    EntryPoint { name: "jwt-claims", seeds: credentials::jwt_claims_seeds, run: credentials::jwt_claims },
    EntryPoint { name: "login-token", seeds: credentials::login_token_seeds, run: credentials::login_token },
    EntryPoint { name: "sigv4-header", seeds: signatures::authorization_seeds, run: signatures::authorization },
    EntryPoint { name: "sigv4-request", seeds: signatures::request_seeds, run: signatures::signed_request },
    EntryPoint { name: "certificate-pem", seeds: certificates::pem_seeds, run: certificates::certificate_pem },
    EntryPoint { name: "client-certificate", seeds: certificates::der_seeds, run: certificates::client_certificate },
    EntryPoint { name: "public-key", seeds: certificates::public_key_seeds, run: certificates::public_key },
    EntryPoint { name: "envelope", seeds: stored::envelope_seeds, run: stored::envelope },
    EntryPoint { name: "context-bytes", seeds: stored::context_seeds, run: stored::context_bytes },
    EntryPoint { name: "context-pairs", seeds: stored::context_seeds, run: stored::context_pairs },
    EntryPoint { name: "bindings", seeds: stored::bindings_seeds, run: stored::bindings },
    EntryPoint { name: "rest-create-key", seeds: dialect::create_key_seeds, run: dialect::create_key },
    EntryPoint { name: "rest-update-key", seeds: dialect::update_key_seeds, run: dialect::update_key },
    EntryPoint { name: "rest-encrypt", seeds: dialect::encrypt_seeds, run: dialect::encrypt },
    EntryPoint { name: "rest-decrypt", seeds: dialect::decrypt_seeds, run: dialect::decrypt },
    EntryPoint { name: "rest-data-key", seeds: dialect::data_key_seeds, run: dialect::data_key },
    EntryPoint { name: "rest-query", seeds: dialect::query_seeds, run: dialect::query },
    EntryPoint { name: "page-token", seeds: dialect::page_token_seeds, run: dialect::page_token },
    EntryPoint { name: "aws-encrypt", seeds: aws::encrypt_seeds, run: aws::encrypt },
    EntryPoint { name: "aws-create-key", seeds: aws::create_key_seeds, run: aws::create_key },
    EntryPoint { name: "aws-list", seeds: aws::list_seeds, run: aws::list },
    EntryPoint { name: "aws-marker", seeds: aws::marker_seeds, run: aws::marker },
    EntryPoint { name: "aws-key-name", seeds: aws::key_name_seeds, run: aws::key_name },
    EntryPoint { name: "ncloud-request", seeds: ncloud::request_seeds, run: ncloud::signed_request },
    EntryPoint { name: "ncloud-path", seeds: ncloud::path_seeds, run: ncloud::path },
    EntryPoint { name: "ncloud-body", seeds: ncloud::body_seeds, run: ncloud::body },
    EntryPoint { name: "ncloud-query", seeds: ncloud::query_seeds, run: ncloud::query },
    EntryPoint { name: "ncloud-hours", seeds: ncloud::hours_seeds, run: ncloud::hours },
    EntryPoint { name: "ncloud-ciphertext", seeds: ncloud::ciphertext_seeds, run: ncloud::ciphertext },
    EntryPoint { name: "ncloud-token", seeds: ncloud::token_seeds, run: ncloud::token },
    EntryPoint { name: "id", seeds: text::id_seeds, run: text::id },
    EntryPoint { name: "period", seeds: text::period_seeds, run: text::period },
    EntryPoint { name: "lists", seeds: text::list_seeds, run: text::lists },
    EntryPoint { name: "listen", seeds: text::listen_seeds, run: text::listen },
    EntryPoint { name: "settings", seeds: text::settings_seeds, run: text::settings },
    EntryPoint { name: "pkcs11-uri", seeds: text::uri_seeds, run: text::pkcs11_uri },
    EntryPoint { name: "pin-source", seeds: text::pin_source_seeds, run: text::pin_source },
];

/// A PIN that stands in seeds where an operator may have put one by mistake.
const PIN: &str = "735102";

/// Whether `input` has the PIN once, right behind `before`: then it can only be a PIN, and no text about the input may
/// repeat it.
fn holds_pin_behind(input: &str, before: &str) -> bool {
    let mut places = input.match_indices(PIN);
    matches!((places.next(), places.next()), (Some((at, _)), None) if input[..at].ends_with(before))
}

/// The bytes of these texts.
fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}
