//! Making and finding the KEK.

use super::{CeremonyError, Step};
use crate::service::ports::{Protection, TokenError, WrapMechanism};
use crate::token::access::Access;
use crate::token::module::{Module, ckr_text, unavailable};
use crate::token::pin::Pin;
use crate::token::raw_attr::Attr;
use crate::token::template::{self, KEY_BYTES};
use crate::token::uri::{Pkcs11Uri, UriError};
use cryptoki::error::Error;
use cryptoki::object::ObjectHandle;
use cryptoki::session::UserType;
use cryptoki_sys::{CKA_VALUE_LEN, CKM_AES_KEY_GEN};

/// How an operator names a KEK to adopt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KekName {
    /// By its label.
    Label(String),
    /// By a PKCS#11 URI with `object` or `id`.
    Uri(Pkcs11Uri),
}

impl std::str::FromStr for KekName {
    type Err = UriError;

    /// A text that begins with `pkcs11:` is a URI, any other a label.
    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.starts_with("pkcs11:") {
            return text.parse().map(Self::Uri);
        }
        Ok(Self::Label(text.to_owned()))
    }
}

/// Who makes KEKs, and how.
pub(super) struct KekMaker<'a> {
    pub(super) module: &'a Module,
    pub(super) access: Access<'a>,
    pub(super) so_pin: Option<&'a Pin>,
    pub(super) user_pin: &'a Pin,
    /// Whether a public KEK may exist for a moment: only in a staging directory.
    pub(super) private_directory: bool,
    pub(super) on_step: &'a dyn Fn(Step),
}

/// The names that an object will have.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) id: Vec<u8>,
    pub(super) label: String,
}

impl Names {
    fn attributes(&self) -> Vec<Attr> {
        template::names(&self.id, &self.label)
    }
}

/// A KEK was not made.
pub(super) enum NotMade {
    /// The token does not do it this way: another profile may work.
    Unsupported(String),
    /// It cannot go on.
    Failed(CeremonyError),
}

impl From<TokenError> for NotMade {
    fn from(error: TokenError) -> Self {
        Self::Failed(error.into())
    }
}

impl KekMaker<'_> {
    /// Makes a KEK of a profile. The user is logged in before and after.
    pub(super) fn make(
        &self,
        protection: Protection,
        mechanism: WrapMechanism,
        names: &Names,
    ) -> Result<ObjectHandle, NotMade> {
        let mut attributes = names.attributes();
        attributes.push(Attr::ulong(CKA_VALUE_LEN, KEY_BYTES));
        match protection {
            Protection::Trusted => self.make_trusted(mechanism, names, attributes),
            Protection::NonExtractable | Protection::Weak => {
                attributes.extend(template::kek(protection, mechanism));
                let made = self.access.generate(CKM_AES_KEY_GEN, &attributes);
                made.map_err(|error| NotMade::Unsupported(format!("C_GenerateKey: {}", ckr_text(&error))))
            }
        }
    }

    /// The security officer makes it private where the token lets it, else public and the user copies it.
    fn make_trusted(
        &self,
        mechanism: WrapMechanism,
        names: &Names,
        common: Vec<Attr>,
    ) -> Result<ObjectHandle, NotMade> {
        let Some(so_pin) = self.so_pin else {
            return Err(NotMade::Unsupported("the security officer's PIN was not given".into()));
        };
        let (mut private, mut public) = (common.clone(), common);
        private.extend(template::kek(Protection::Trusted, mechanism));
        public.extend(template::public_kek(mechanism));
        self.switch_to(UserType::So, so_pin)?;
        let made = match self.access.generate(CKM_AES_KEY_GEN, &private) {
            Ok(_) => Ok(false),
            Err(error) if !self.private_directory => Err(error),
            Err(_) => self.access.generate(CKM_AES_KEY_GEN, &public).map(|_| true),
        };
        if matches!(made, Ok(true)) {
            (self.on_step)(Step::PublicKekMade);
        }
        self.switch_to(UserType::User, self.user_pin)?;
        match made {
            Ok(true) => self.make_private(names),
            Ok(false) => self.only_one(names),
            Err(error) => Err(NotMade::Unsupported(format!("C_GenerateKey by the SO: {}", ckr_text(&error)))),
        }
    }

    fn switch_to(&self, user: UserType, pin: &Pin) -> Result<(), TokenError> {
        let session = self.access.session;
        session.logout().map_err(|error| unavailable("C_Logout", &error))?;
        self.module.login_once(session, self.access.slot, user, pin)
    }

    /// Copies the public KEK to a private one that cannot be changed any more, and destroys the public one.
    fn make_private(&self, names: &Names) -> Result<ObjectHandle, NotMade> {
        let public = self.only_one(names)?;
        let copied = self.access.copy(public, &template::private_copy());
        (self.on_step)(Step::PrivateKekCopied);
        let destroyed = self.access.session.destroy_object(public);
        destroyed.map_err(|error| unavailable("destroying the public KEK", &error))?;
        (self.on_step)(Step::PublicKekDestroyed);
        copied.map_err(|error| NotMade::Unsupported(format!("C_CopyObject: {}", ckr_text(&error))))
    }

    fn only_one(&self, names: &Names) -> Result<ObjectHandle, NotMade> {
        match find_by_id(&self.access, &names.id)?.as_slice() {
            [kek] => Ok(*kek),
            [] => Err(NotMade::Unsupported("the KEK that the SO made is not visible to the user".into())),
            _ => Err(TokenError::Untrusted(format!("there is a twin of {}", names.label)).into()),
        }
    }
}

pub(super) fn find_by_id(access: &Access<'_>, id: &[u8]) -> Result<Vec<ObjectHandle>, TokenError> {
    access.by_id(id).map_err(|error: Error| unavailable("C_FindObjects", &error))
}
