//! Inventories: CSV files with one tenant per row. A column sets a key of the tenant, or is a field for the defaults.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::Value;

use crate::{
    diagnostic::Diagnostic,
    draft::Draft,
    hidden::refuse_hidden,
    location::Location,
    mask::is_secret_key,
    reader::Reader,
    row::Row,
    source::mask_span,
    suggest::{find_nearest, suggest},
    template::Fields,
    text::read_text,
    tree::{Entry, Node, Shape, Table},
};

/// What a column sets.
enum ColumnRole {
    Name,
    AppData,
    /// Sets the key at this path, such as `provider`, `domain`.
    Key(Vec<String>),
    Field,
    /// Has no name; accepted while all of its cells are empty.
    Nameless,
}

struct Column {
    name: String,
    role: ColumnRole,
    at: Location,
}

impl Reader {
    /// Reads the inventories that the configuration names.
    pub(crate) fn read_inventories(&mut self, root: &Table, used: &BTreeSet<String>) -> Vec<Draft> {
        let Some(entry) = root.get("inventory") else { return vec![] };
        let nodes = entry.node.as_list().unwrap_or(std::slice::from_ref(&entry.node));
        let mut drafts = Vec::new();
        for node in nodes {
            let Some(text) = node.as_text() else {
                self.refuse_kind("inventory", node, "the path of a CSV file, or a list of them");
                continue;
            };
            if let Some(path) = self.read_path("inventory", text, node) {
                drafts.extend(self.read_inventory(&path, node.at, used));
            }
        }
        drafts
    }

    fn read_inventory(&mut self, path: &Path, named_at: Location, used: &BTreeSet<String>) -> Vec<Draft> {
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                self.refuse(error.at(named_at, "named here"));
                return vec![];
            }
        };
        let source = self.sources.next_index();
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
        // Reading cannot fail: the text is UTF-8 and in memory, and rows may have any length.
        let records: Vec<StringRecord> = reader.records().map_while(Result::ok).collect();
        let mut rows = records.iter().map(|record| Row { record, text: &text, source });
        let columns = match rows.next() {
            Some(header) => self.read_header(&header, used),
            None => {
                let error = Diagnostic::new(format!("the inventory `{}` is empty", path.display()));
                self.refuse(
                    error.at(named_at, "named here").help("start it with a row of column names that includes `name`"),
                );
                None
            }
        };
        let rows: Vec<Row<'_>> = rows.filter(|row| row.record.iter().any(|cell| !cell.is_empty())).collect();
        let mut shown = text.clone();
        let secret_columns: Vec<_> =
            columns.iter().flatten().map(|column| sets_secret_directly(&column.name)).collect();
        for row in rows.iter().filter(|_| secret_columns.contains(&true)) {
            mask_row(&mut shown, row, &secret_columns);
        }
        self.sources.add(path, shown);
        let Some(columns) = columns else { return vec![] };
        rows.iter().filter_map(|row| self.read_row(row, &columns, named_at)).collect()
    }

    fn read_header(&mut self, header: &Row<'_>, used: &BTreeSet<String>) -> Option<Vec<Column>> {
        let mut columns: Vec<Column> = Vec::new();
        let only = header.record.get(0).filter(|_| header.record.len() == 1).unwrap_or_default();
        let separator = [';', '\t'].into_iter().find(|c| only.contains(*c));
        for (index, name) in header.record.iter().enumerate() {
            let at = header.location(index);
            // The tabs of another separator are no mistake of their own.
            if let Some(error) = refuse_hidden("the name of a column", name, &[]).filter(|_| separator.is_none()) {
                self.refuse(error.at(at, ""));
            }
            if let Some(first) = columns.iter().find(|column| !name.is_empty() && column.name == name) {
                let error = Diagnostic::new(format!("two columns have the name `{name}`"));
                self.refuse(error.at(at, "second use").at(first.at, "first use"));
            }
            columns.push(Column { name: name.to_owned(), role: self.classify(name, at, used), at });
        }
        if columns.iter().any(|column| matches!(column.role, ColumnRole::Name)) {
            return Some(columns);
        }
        let error =
            Diagnostic::new("the inventory has no column `name`").at(header.whole(), "expected a column `name`");
        let nearest = find_nearest("name", columns.iter().map(|column| column.name.as_str()));
        self.refuse(match (separator, nearest) {
            (Some(_), _) => error.help("separate the columns with commas"),
            (None, Some(nearest)) => error.help(format!("rename the column `{nearest}` to `name`")),
            (None, None) => error.help("put the column names into the first row"),
        });
        None
    }

    fn classify(&mut self, name: &str, at: Location, used: &BTreeSet<String>) -> ColumnRole {
        match name {
            "" => return ColumnRole::Nameless,
            "name" => return ColumnRole::Name,
            "app_data" => return ColumnRole::AppData,
            "owner" | "accept" | "timezone" => return ColumnRole::Key(vec![name.to_owned()]),
            "domain" => return ColumnRole::Key(vec!["provider".to_owned(), "domain".to_owned()]),
            _ => {}
        }
        if sets_secret_directly(name) {
            let error = Diagnostic::new(format!("the column `{name}` holds plain-text secrets"));
            let error = error.at(at, "expected a column such as `provider.credential.file`");
            self.refuse(error.help("name the file (`….file`) or the variable (`….env`) that holds the secret"));
        } else if let Some((side, key)) = name.split_once('.') {
            let error = Diagnostic::new(format!("the column `{name}` does not set a key of a tenant"));
            if side == "labels" && !key.is_empty() {
                return ColumnRole::Key(vec![side.to_owned(), key.to_owned()]);
            } else if !matches!(side, "provider" | "directory" | "labels") {
                self.refuse(
                    error
                        .at(at, "expected `provider.…`, `directory.…`, or `labels.…`")
                        .help(suggest(side, ["provider", "directory", "labels"])),
                );
            } else if key.split('.').any(str::is_empty) {
                self.refuse(error.at(at, "expected a key after every dot"));
            } else {
                return ColumnRole::Key(name.split('.').map(str::to_owned).collect());
            }
        } else if !used.contains(name)
            && let Some(meant) = find_nearest(name, ["accept", "app_data", "domain", "owner", "timezone"])
        {
            let error = Diagnostic::new(format!("unknown column `{name}`")).at(at, "no default uses it");
            self.refuse(error.help(format!("did you mean `{meant}`?")));
        }
        ColumnRole::Field
    }

    fn read_row(&mut self, row: &Row<'_>, columns: &[Column], named_at: Location) -> Option<Draft> {
        if let Some(index) = row.record.iter().position(|cell| cell.contains('\n')) {
            let error =
                Diagnostic::new("a cell continues past the end of its line").at(row.first_line(index), "starts here");
            self.refuse(error.help("close the quote; inside a quoted cell, write a quote twice"));
            return None;
        }
        if row.record.len() != columns.len() {
            let have = row.record.len();
            let want = columns.len();
            let cells = if have == 1 { "cell" } else { "cells" };
            let error = Diagnostic::new(format!("the row has {have} {cells}, but the header has {want}"));
            let help = if have > want {
                "put double quotes around a cell that contains a comma"
            } else {
                "write a comma for every empty cell"
            };
            self.refuse(error.at(row.whole(), "").help(help));
            return None;
        }
        let hidden = columns.iter().zip(row.record).enumerate().find_map(|(index, (column, cell))| {
            let error = refuse_hidden(&format!("the cell of `{}`", column.name), cell, &[])?;
            Some(error.at(row.location(index), ""))
        });
        if let Some(error) = hidden {
            self.refuse(error);
            return None;
        }
        let mut draft = Draft {
            name: String::new(),
            name_at: row.whole(),
            at: named_at,
            table: Table::new(),
            fields: Fields::new(),
            empty_columns: BTreeSet::new(),
            is_row: true,
        };
        for (index, (column, cell)) in columns.iter().zip(row.record).enumerate() {
            if cell.is_empty() {
                draft.empty_columns.insert(column.name.clone());
            } else {
                self.read_cell(column, cell, row.location(index), &mut draft);
            }
        }
        if draft.name.is_empty() {
            self.refuse(Diagnostic::new("a tenant has no `name`").at(row.whole(), "the `name` cell is empty"));
            return None;
        }
        Some(draft)
    }

    fn read_cell(&mut self, column: &Column, cell: &str, at: Location, draft: &mut Draft) {
        match &column.role {
            ColumnRole::Name => {
                self.check_name(cell, at);
                draft.name = cell.to_owned();
                draft.name_at = at;
            }
            ColumnRole::AppData => {
                if let Some(flag) = self.read_flag(cell, at) {
                    let node = Node { shape: Shape::Scalar(Value::Bool(flag)), at };
                    draft.table.insert(column.name.as_str().into(), Entry::new(column.at, node));
                }
            }
            ColumnRole::Key(path) => {
                if !set_nested(&mut draft.table, path, column.at, Node::text(cell, at)) {
                    let error = Diagnostic::new(format!("the column `{}` conflicts with another column", column.name));
                    self.refuse(error.at(column.at, "another column sets this key, or a key above or below it"));
                }
            }
            ColumnRole::Field => {}
            ColumnRole::Nameless => {
                let error = Diagnostic::new("a cell is in a column without a name").at(at, "expected an empty cell");
                self.refuse(error.help("name the column in the first row, or clear the cell"));
            }
        }
        draft.fields.insert(column.name.clone(), cell.to_owned());
    }

    fn read_flag(&mut self, cell: &str, at: Location) -> Option<bool> {
        match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" => return Some(true),
            "false" | "no" => return Some(false),
            _ => {}
        }
        let error = Diagnostic::new(format!("invalid value `{cell}` for `app_data`"));
        self.refuse(error.at(at, "expected `true`, `false`, `yes`, or `no`"));
        None
    }
}

fn mask_row(text: &mut String, row: &Row<'_>, secret_columns: &[bool]) {
    // In a row of the wrong length, any cell can be a secret.
    if row.record.len() != secret_columns.len() || row.record.iter().any(|cell| cell.contains('\n')) {
        return mask_span(text, row.whole().span());
    }
    for index in (0..secret_columns.len()).filter(|index| secret_columns[*index]) {
        mask_span(text, row.span(index));
    }
}

/// Whether the column sets a credential itself. Deeper in a side's table, such a name need not mean a secret.
fn sets_secret_directly(column: &str) -> bool {
    is_secret_key(column) && column.split('.').count() <= 2
}

/// Sets a nested key, and returns `false` if that would replace a value.
fn set_nested(table: &mut Table, path: &[String], key_at: Location, node: Node) -> bool {
    let Some((key, below)) = path.split_first() else { return false };
    if below.is_empty() {
        return table.insert(key.as_str().into(), Entry::new(key_at, node)).is_none();
    }
    let empty = || Entry::new(key_at, Node { shape: Shape::Table(Table::new()), at: node.at });
    match &mut Arc::make_mut(&mut table.entry(key.as_str().into()).or_insert_with(empty).node).shape {
        Shape::Table(inner) => set_nested(inner, below, key_at, node),
        _ => false,
    }
}
