//! The little that the store needs of an SQL database. Statements use `?N` placeholders.

use crate::service::ports::StoreError;

/// A column's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// NULL.
    Null,
    /// 64-bit integer.
    Int(i64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// One row of a result.
pub(super) type Row = Vec<Value>;

/// A database connection, used by one thread at a time.
pub(super) trait Sql {
    /// Runs a statement that gives no rows; says how many rows it changed.
    fn execute(&self, sql: &str, params: &[Value]) -> Result<usize, StoreError>;
    /// Runs a statement and collects its rows. The caller bounds them by `LIMIT` or by a unique key.
    fn query(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError>;
    /// Whether a transaction is open. Some errors end it.
    fn in_transaction(&self) -> bool;

    /// The first row of a statement's result.
    fn query_one(&self, sql: &str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Blob(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// An unsigned number as SQL holds it. Nothing that is counted here comes near 2^63.
pub(super) fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Reads the columns of a row one after the other.
pub(super) struct Fields<'a> {
    table: &'static str,
    values: std::slice::Iter<'a, Value>,
}

impl<'a> Fields<'a> {
    /// Starts at the first column.
    pub(super) fn new(table: &'static str, row: &'a [Value]) -> Self {
        Self { table, values: row.iter() }
    }

    /// The error for a row that carries our MAC and still makes no sense: we wrote it so.
    pub(super) fn nonsense(&self) -> StoreError {
        StoreError::Bug(format!("a row of {} does not decode", self.table))
    }

    fn next(&mut self) -> Result<&'a Value, StoreError> {
        self.values.next().ok_or_else(|| StoreError::Bug(format!("a row of {} is too short", self.table)))
    }

    /// Passes over a column.
    pub(super) fn skip(&mut self) -> Result<(), StoreError> {
        self.next().map(|_| ())
    }

    /// An integer or NULL.
    pub(super) fn optional_int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            Value::Text(_) | Value::Blob(_) => Err(self.nonsense()),
        }
    }

    /// An integer.
    pub(super) fn int(&mut self) -> Result<i64, StoreError> {
        self.optional_int()?.ok_or_else(|| self.nonsense())
    }

    /// An integer that fits another type.
    pub(super) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        T::try_from(self.int()?).map_err(|_| self.nonsense())
    }

    /// 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.int()? != 0)
    }

    /// Text or NULL.
    pub(super) fn optional_text(&mut self) -> Result<Option<&'a str>, StoreError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Int(_) | Value::Blob(_) => Err(self.nonsense()),
        }
    }

    /// Text.
    pub(super) fn text(&mut self) -> Result<&'a str, StoreError> {
        self.optional_text()?.ok_or_else(|| self.nonsense())
    }

    /// Bytes or NULL.
    pub(super) fn optional_bytes(&mut self) -> Result<Option<&'a [u8]>, StoreError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Blob(bytes) => Ok(Some(bytes)),
            Value::Int(_) | Value::Text(_) => Err(self.nonsense()),
        }
    }

    /// Exactly `N` bytes, or NULL.
    pub(super) fn optional_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, StoreError> {
        let bytes = self.optional_bytes()?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| self.nonsense())).transpose()
    }

    /// Exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        self.optional_array()?.ok_or_else(|| self.nonsense())
    }

    /// A value kept as JSON, or NULL.
    pub(super) fn optional_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let value = self.optional_text()?.map(serde_json::from_str);
        value.transpose().map_err(|_| self.nonsense())
    }

    /// A value kept as JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        serde_json::from_str(self.text()?).map_err(|_| self.nonsense())
    }
}

/// A value as JSON text.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<Value, StoreError> {
    serde_json::to_string(value).map(Value::Text).map_err(|error| StoreError::Bug(error.to_string()))
}
