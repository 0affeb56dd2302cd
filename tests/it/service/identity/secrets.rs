//! Secrets of credentials are shown once: nothing prints, logs or stores them in clear.

use super::{Office, Shown, every_kind, log_in, shown};
use crate::service::in_own_process;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use claviger::service::ports::{CredentialLookup, CredentialSecret, Store};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A secret in each form in which it might be found.
fn forms(shown: &Shown) -> Vec<Vec<u8>> {
    let (text, bytes) = match shown {
        Shown::Token(text) => {
            let random = text.split_once('_').unwrap().1;
            (text, URL_SAFE_NO_PAD.decode(random).unwrap())
        }
        Shown::AccessKey { secret, .. } => (secret, STANDARD.decode(secret.as_str()).unwrap()),
        Shown::Certificate(_) | Shown::PublicKey(_) => return Vec::new(),
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{bytes:?}");
    let list = list.trim_matches(['[', ']']);
    let end = text.len() - 20;
    vec![text.as_bytes()[end..].to_vec(), hex.into_bytes(), list.as_bytes().to_vec(), bytes]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The database with everything that SQLite keeps beside it.
fn database_files(database: &Path) -> Vec<u8> {
    let name = database.file_name().unwrap().to_str().unwrap();
    let entries = std::fs::read_dir(database.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let ours = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
    ours.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn no_secret_is_in_the_database_the_log_or_a_debug_text() {
    in_own_process(module_path!(), "no_secret_is_in_the_database_the_log_or_a_debug_text", async |core| {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        subscriber.with_writer(move || writer.clone()).init();
        let office = Office::start(core).await;
        let (account, directory) = (office.account().await, office.kms().directory());
        let (mut printed, mut secrets, mut public) = (String::new(), Vec::new(), Vec::new());
        for kind in every_kind(1) {
            let issued = office.try_to_issue(&account, kind, None).await.unwrap();
            printed += &format!("{issued:?}{:?}", issued.secret);
            let id = issued.record.id;
            let credential = shown(issued);
            assert!(office.accepts(&credential).await);
            match &credential {
                Shown::Token(text) => printed += &format!("{:?}", directory.by_token(text).await.unwrap()),
                Shown::AccessKey { id, .. } => {
                    printed += &format!("{:?}", directory.access_key(id).await.unwrap());
                    public.push(id.clone());
                }
                Shown::Certificate(_) => {}
                Shown::PublicKey(_) => {
                    let token = log_in(office.kms(), id).await.unwrap();
                    printed += &format!("{token:?}");
                    assert!(office.accepts(&Shown::Token(token.text.clone())).await);
                    secrets.extend(forms(&Shown::Token(token.text)));
                }
            }
            printed += &format!("{:?}", office.kms().credential(office.root(), id).await.unwrap());
            secrets.extend(forms(&credential));
            office.revoke(id).await;
        }
        office.kms().maintain().await.unwrap();
        let (stored, logged) = (database_files(&office.service.core.database), log.0.lock().unwrap().clone());
        assert!(public.iter().all(|id| holds(&stored, id.as_bytes())), "the search finds what is there");
        assert!(holds(&logged, account.id.to_string().as_bytes()), "and so does that of the log");
        assert_eq!(secrets.len(), 12);
        for secret in secrets {
            assert!(!holds(&stored, &secret), "in the database");
            assert!(!holds(&logged, &secret), "in the log");
            assert!(!holds(printed.as_bytes(), &secret), "in a debug text");
        }
    });
}

#[test]
fn the_sealed_secret_of_one_access_key_is_no_use_to_another() {
    in_own_process(module_path!(), "the_sealed_secret_of_one_access_key_is_no_use_to_another", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let mut sealed = Vec::new();
        for _ in 0..2 {
            let (id, _) = office.issue(&account, claviger::service::identity::NewCredential::AccessKey).await;
            let stored = office.service.store.credential(CredentialLookup::Id(id)).await.unwrap().unwrap().value;
            let CredentialSecret::AccessKey { sealed: secret, .. } = stored.secret else { unreachable!() };
            sealed.push((id, secret));
        }
        let token = &office.service.core.token;
        assert!(token.open_secret(sealed[0].0, sealed[0].1.clone()).await.is_ok());
        assert!(token.open_secret(sealed[1].0, sealed[0].1.clone()).await.is_err());
    });
}
