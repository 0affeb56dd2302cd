//! The certificate authority of a development server.
//!
//! Its key stays in the data directory, so that clients keep their CA file over restarts. The server's own key
//! and certificate are made anew at every start and never stored. Attributes satisfy `X509_V_FLAG_X509_STRICT`
//! (RFC 5280, 4.2.1), which Python 3.13 sets.

use super::files;
use super::tls::Identity;
use crate::domain::time::Timestamp;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp as Instant, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::io;
use std::path::{Path, PathBuf};

const CA_DAYS: i64 = 10 * 365;
/// Renewed at a start this near to its end, so that a server's certificate never outlives its CA.
const CA_RENEWAL_DAYS: i64 = 400;
/// Browsers and some libraries refuse more than 398.
const SERVER_DAYS: i64 = 397;

/// The CA's file for clients, and the server's identity that it signed.
#[derive(Debug)]
pub struct Issued {
    /// PEM file with the CA certificate.
    pub ca_file: PathBuf,
    /// Certificate and key for the listener.
    pub identity: Identity,
}

/// Reuses or makes the CA in `dir` and issues a server certificate for localhost.
///
/// # Errors
/// If the directory cannot be read or written.
pub fn issue(dir: &Path, now: Timestamp) -> io::Result<Issued> {
    let today = date_of(now);
    let key = load(dir, today)?.map_or_else(|| make(dir, today), Ok)?;
    let issuer = Issuer::new(ca_params(today)?, key);
    let server_key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = server_params(today)?.signed_by(&server_key, &issuer).map_err(io::Error::other)?;
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(server_key.serialize_der());
    let identity = Identity { chain: vec![certificate.der().clone()], key: key.into() };
    Ok(Issued { ca_file: dir.join("ca.pem"), identity })
}

/// The CA's key, if it is there whole and not near its end.
fn load(dir: &Path, today: Date) -> io::Result<Option<KeyPair>> {
    let read = |name: &str| match std::fs::read_to_string(dir.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (Some(_), Some(key), Some(end)) = (read("ca.pem")?, read("ca.key")?, read("ca.expires")?) else {
        return Ok(None);
    };
    let fresh = end.trim().parse::<Date>().is_ok_and(|end| plus_days(today, CA_RENEWAL_DAYS) < end);
    Ok(if fresh { KeyPair::from_pem(&key).ok() } else { None })
}

/// Makes a CA. The date comes last: without it the other files are of a run that was cut off.
fn make(dir: &Path, today: Date) -> io::Result<KeyPair> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = ca_params(today)?.self_signed(&key).map_err(io::Error::other)?;
    files::remove(&dir.join("ca.expires"))?;
    files::replace(&dir.join("ca.key"), key.serialize_pem().as_bytes())?;
    files::replace(&dir.join("ca.pem"), certificate.pem().as_bytes())?;
    files::replace(&dir.join("ca.expires"), plus_days(today, CA_DAYS).to_string().as_bytes())?;
    Ok(key)
}

fn ca_params(today: Date) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Claviger development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, today, CA_DAYS);
    Ok(params)
}

fn server_params(today: Date) -> io::Result<CertificateParams> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, today, SERVER_DAYS);
    Ok(params)
}

/// From the day before, because clients' clocks may be behind.
fn valid(params: &mut CertificateParams, today: Date, days: i64) {
    let day = |date: Date| date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
    params.not_before = day(plus_days(today, -1));
    params.not_after = day(plus_days(today, days));
}

fn plus_days(date: Date, days: i64) -> Date {
    date.saturating_add(SignedDuration::from_hours(24 * days))
}

fn date_of(now: Timestamp) -> Date {
    let instant = Instant::from_microsecond(now.as_micros()).unwrap_or(Instant::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(instant).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

    fn at_day(day: i64) -> Timestamp {
        Timestamp::from_micros((20_000 + day) * DAY_MICROS)
    }

    fn ca_after(dir: &Path, day: i64) -> String {
        issue(dir, at_day(day)).unwrap();
        std::fs::read_to_string(dir.join("ca.pem")).unwrap()
    }

    #[test]
    fn the_ca_is_kept_until_its_end_is_near() {
        let dir = tempfile::tempdir().unwrap();
        let first = ca_after(dir.path(), 0);
        assert_eq!(ca_after(dir.path(), 2000), first);
        assert_ne!(ca_after(dir.path(), CA_DAYS - CA_RENEWAL_DAYS), first);
    }

    #[test]
    fn a_ca_whose_making_was_cut_off_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let first = ca_after(dir.path(), 0);
        std::fs::remove_file(dir.path().join("ca.expires")).unwrap();
        assert_ne!(ca_after(dir.path(), 0), first);
    }
}
