//! PKCS#11 URIs (RFC 7512), as far as they select a token or an object.
//!
//! In: text that an operator typed. Out: [`Pkcs11Uri`]. PINs in a URI are refused: they would stand on a command line.

/// The parts of a URI that this service knows. Absent parts match everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `serial`: the token's serial number.
    pub serial: Option<String>,
    /// `manufacturer` of the token.
    pub manufacturer: Option<String>,
    /// `model` of the token.
    pub model: Option<String>,
    /// `object`: an object's label.
    pub object: Option<String>,
    /// `id`: an object's `CKA_ID`.
    pub id: Option<Vec<u8>>,
}

/// Why a text is not a URI that is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not begin with `pkcs11:`.
    #[error("a PKCS#11 URI begins with pkcs11:")]
    Scheme,
    /// A part is not `name=value` with percent-encoding. Only its name is repeated: the value may be a PIN.
    #[error("the part {0:?} of the PKCS#11 URI is malformed")]
    Malformed(String),
    /// A part occurs twice.
    #[error("the attribute {0} occurs twice in the PKCS#11 URI")]
    Duplicate(String),
    /// A part would have to be ignored.
    #[error("the attribute {0} is not supported in a PKCS#11 URI here")]
    Unsupported(String),
}

impl std::str::FromStr for Pkcs11Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(UriError::Scheme)?;
        if let Some((_, query)) = rest.split_once('?') {
            let name = query.split('=').next().unwrap_or_default();
            return Err(UriError::Unsupported(name.to_owned()));
        }
        let mut uri = Self::default();
        for part in rest.split(';').filter(|part| !part.is_empty()) {
            uri.take(part)?;
        }
        Ok(uri)
    }
}

impl Pkcs11Uri {
    fn take(&mut self, part: &str) -> Result<(), UriError> {
        let (name, value) = part.split_once('=').ok_or_else(|| UriError::Malformed(part.to_owned()))?;
        let malformed = || UriError::Malformed(name.to_owned());
        let bytes = percent_decoded(value).ok_or_else(malformed)?;
        if name == "id" {
            return set(&mut self.id, bytes, name);
        }
        let text = String::from_utf8(bytes).map_err(|_| malformed())?;
        match name {
            "token" => set(&mut self.token, text, name),
            "serial" => set(&mut self.serial, text, name),
            "manufacturer" => set(&mut self.manufacturer, text, name),
            "model" => set(&mut self.model, text, name),
            "object" => set(&mut self.object, text, name),
            "type" if text == "secret-key" => Ok(()),
            _ => Err(UriError::Unsupported(name.to_owned())),
        }
    }
}

fn set<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), UriError> {
    if place.replace(value).is_some() {
        return Err(UriError::Duplicate(name.to_owned()));
    }
    Ok(())
}

/// The bytes of a percent-encoded text (RFC 3986, 2.1).
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            out.push(*first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = tail;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_object_and_id_are_decoded() {
        let uri: Pkcs11Uri = "pkcs11:token=my%20token;serial=12ab;object=kek;id=%00%fF".parse().unwrap();
        assert_eq!(uri.token.as_deref(), Some("my token"));
        assert_eq!(uri.serial.as_deref(), Some("12ab"));
        assert_eq!(uri.object.as_deref(), Some("kek"));
        assert_eq!(uri.id, Some(vec![0x00, 0xff]));
    }

    #[test]
    fn a_pin_that_is_no_percent_encoding_is_not_repeated() {
        let error = "pkcs11:token=a;pin-value=12%34%5".parse::<Pkcs11Uri>().unwrap_err();
        assert_eq!(error, UriError::Malformed("pin-value".into()));
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        let parse = |text: &str| text.parse::<Pkcs11Uri>();
        assert_eq!(parse("pkcs11:slot-id=3"), Err(UriError::Unsupported("slot-id".into())));
        assert_eq!(parse("pkcs11:token=a?pin-value=1234"), Err(UriError::Unsupported("pin-value".into())));
        assert_eq!(parse("pkcs11:token=a;token=b"), Err(UriError::Duplicate("token".into())));
        assert_eq!(parse("pkcs11:token=%4"), Err(UriError::Malformed("token".into())));
        assert_eq!(parse("pkcs11:token"), Err(UriError::Malformed("token".into())));
        assert_eq!(parse("token=a"), Err(UriError::Scheme));
    }
}
