//! The tables of docs/access.md.

use std::collections::BTreeMap;

/// What a table says of a role and an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    Allowed,
    Denied,
    Hidden,
}

/// One table: rows are operations, columns are roles.
pub struct Table {
    rows: Vec<(String, BTreeMap<String, Cell>)>,
}

/// The roles that the documentation writes as one column.
const ASYMMETRIC: &str = "kms.asymmetric*";

impl Table {
    /// The table below a heading that begins with this text.
    pub fn read(heading: &str) -> Self {
        let document = include_str!("../../../docs/access.md");
        let (_, section) = document.split_once(&format!("\n{heading}")).unwrap();
        let mut lines =
            section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let roles = cells(lines.next().unwrap());
        lines.next().unwrap();
        let row = |line: &str| {
            let cells = cells(line);
            assert_eq!(cells.len(), roles.len(), "{line}");
            let pairs = roles.iter().cloned().zip(cells.iter().map(|cell| meaning(cell))).skip(1);
            (cells[0].clone(), pairs.map(|(role, cell)| (role, cell.unwrap_or_else(|| panic!("{line}")))).collect())
        };
        let rows: Vec<_> = lines.map(row).collect();
        assert!(!rows.is_empty(), "no table below {heading:?}");
        Self { rows }
    }

    /// The operations, in the order of the table.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|(operation, _)| operation.as_str())
    }

    /// What the table says.
    pub fn cell(&self, operation: &str, role: &str) -> Cell {
        let column = if role.starts_with("kms.asymmetric") { ASYMMETRIC } else { role };
        let (_, row) = self.rows.iter().find(|(name, _)| name == operation).unwrap();
        *row.get(column).unwrap_or_else(|| panic!("{role} is not in the table"))
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn meaning(cell: &str) -> Option<Cell> {
    match cell {
        "yes" => Some(Cell::Allowed),
        "no" => Some(Cell::Denied),
        "\u{2013}" => Some(Cell::Hidden),
        _ => None,
    }
}
