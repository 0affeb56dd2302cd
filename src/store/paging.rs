//! Pages of lists. A page is cut at [`MAX_ROWS`], whatever was asked for.

use super::sql::{Row, Value};
use super::view::View;
use crate::domain::time::Timestamp;
use crate::service::ports::{Cursor, Page, StoreError};

/// The most rows of one answer: a read must not hold its snapshot for long, because the WAL cannot be emptied
/// meanwhile.
pub(super) const MAX_ROWS: u32 = 1000;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The row that it follows.
    pub(super) after: Option<Cursor>,
    /// How many rows.
    pub(super) limit: u32,
}

/// A list in the order of creation time and id, oldest first.
pub(super) struct Listing<'a> {
    /// Its parameters: the filter's, then creation time and id of the row before, then the limit.
    pub(super) statement: &'a str,
    /// What the rows are chosen by.
    pub(super) filter: Row,
}

/// The place of a row in a list.
pub(super) const fn place(created_at: Timestamp, id: &[u8; 16]) -> Cursor {
    Cursor { at: created_at.as_micros(), id: *id }
}

impl Listing<'_> {
    /// One page of the list. Where the next one begins is told by what was decoded, which is checked.
    pub(super) fn page<T>(
        &self,
        view: &View<'_>,
        part: Part,
        decode: impl Fn(Row) -> Result<T, StoreError>,
        place: impl Fn(&T) -> Cursor,
    ) -> Result<Page<T>, StoreError> {
        let (at, id) = part.after.map_or((i64::MIN, Vec::new()), |cursor| (cursor.at, cursor.id.to_vec()));
        let limit = part.limit.min(MAX_ROWS);
        let mut params = self.filter.clone();
        params.extend([Value::Int(at), Value::Blob(id), Value::from(limit + 1)]);
        let (rows, more) = cut(view.sql.query(self.statement, &params)?, limit);
        let items: Vec<T> = rows.into_iter().map(decode).collect::<Result<_, _>>()?;
        let next = items.last().map(place).filter(|_| more);
        Ok(Page { items, next })
    }
}

/// At most `limit` rows, and whether there were more.
pub(super) fn cut(mut rows: Vec<Row>, limit: u32) -> (Vec<Row>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    (rows, more)
}
