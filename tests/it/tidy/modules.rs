//! The modules of a crate form layers: no two of them import each other, directly or through others.
//!
//! Only siblings count. A module and the modules inside it belong together and may use each other, and so may the root of a
//! crate and its modules. A name that a module only passes on (`pub use`) counts as an import from where it is defined.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    iter::Peekable,
    path::Path,
    str::FromStr,
};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree, token_stream::IntoIter};

use super::walk;
use crate::support::repository;

/// The crates whose modules form layers.
const LAYERED: [&str; 10] =
    ["attest", "config", "conformance", "contract", "engine", "host", "recording", "report", "sim", "store"];

/// A module by its path within the crate; the root is empty.
type Module = Vec<String>;

/// A path, and the name under which it is imported.
type Named = (Vec<String>, String);

/// The arrows from each module to its siblings, each with the file of an import.
type Arrows = BTreeMap<Module, BTreeMap<Module, String>>;

#[test]
fn no_modules_import_each_other_in_a_cycle() {
    let mut cycles = Vec::new();
    for name in LAYERED {
        let arrows = read_arrows(&repository().join("crates").join(name).join("src"));
        assert!(!arrows.is_empty(), "no module of {name} imports another one");
        cycles.extend(find_cycle(&arrows).map(|cycle| format!("{name}: {cycle}")));
    }
    assert!(cycles.is_empty(), "modules import each other in a cycle:\n{}", cycles.join("\n"));
}

#[test]
fn a_cycle_is_found_and_named() {
    let dir = crate::support::folder();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("lib.rs", "mod a; mod b; mod c; pub use c::{Thing as Other, d::Deep};");
    write("a.rs", "use crate::{b::{self, X}, Unknown}; #[cfg(test)] mod tests { use crate::c::Thing; }");
    write("b.rs", "// use crate::a::Y;\nfn f() -> &'static str { \"use crate::a::Y;\" }");
    fs::create_dir(dir.path().join("c")).unwrap();
    write("c/mod.rs", "mod d; use super::b::X;");
    write("c/d.rs", "use super::super::a::Y; use super::Thing;");
    assert_eq!(find_cycle(&read_arrows(dir.path())), None);

    write("b.rs", "fn f() { crate::Other::new() }");
    let cycle = find_cycle(&read_arrows(dir.path())).unwrap();
    assert_eq!(cycle, "b → c (b.rs), c → b (c/mod.rs)");
    write("b.rs", "use crate::a::Y;");
    assert_eq!(find_cycle(&read_arrows(dir.path())).unwrap(), "a → b (a.rs), b → a (b.rs)");
}

/// The arrows between the modules below a folder of sources.
fn read_arrows(folder: &Path) -> Arrows {
    let mut files: Vec<(Module, Imports)> = Vec::new();
    for path in walk(folder) {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        let Some(stem) = name.strip_suffix(".rs") else { continue };
        let mut module: Module = stem.split('/').map(str::to_owned).collect();
        module.pop_if(|last| ["lib", "main", "mod"].contains(&last.as_str()));
        let mut imports = Imports { file: name, ..Imports::default() };
        let text = fs::read_to_string(&path).unwrap();
        imports.read(TokenStream::from_str(&text).unwrap(), &module);
        files.push((module, imports));
    }
    let for_tests: Vec<Module> = files.iter().flat_map(|(_, imports)| imports.for_tests.clone()).collect();
    files.retain(|(module, _)| !for_tests.iter().any(|test| module.starts_with(test)));
    let modules: BTreeMap<&Module, &Imports> = files.iter().map(|(module, imports)| (module, imports)).collect();
    let mut arrows = Arrows::new();
    for (module, imports) in &files {
        for path in &imports.paths {
            let target = resolve(path, &modules, 0);
            let shared = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if shared < module.len() && shared < target.len() {
                let to = arrows.entry(module[..=shared].to_vec()).or_default();
                to.entry(target[..=shared].to_vec()).or_insert_with(|| imports.file.clone());
            }
        }
    }
    arrows
}

/// The module that defines what a path leads to.
fn resolve(path: &[String], modules: &BTreeMap<&Module, &Imports>, depth: usize) -> Module {
    let len = (0..=path.len()).rev().find(|len| modules.contains_key(&path[..*len].to_vec())).unwrap_or(0);
    let module = path[..len].to_vec();
    let passed_on = path.get(len).and_then(|name| modules.get(&module)?.names.get(name));
    match passed_on {
        // Names that lead to each other in a circle do not compile, but a name can hide another one.
        Some(origin) if depth < 8 => resolve(origin, modules, depth + 1),
        _ => module,
    }
}

/// What one file imports, by paths from the root of its crate.
#[derive(Default)]
struct Imports {
    file: String,
    paths: BTreeSet<Vec<String>>,
    /// The names that `use` brings into the module, and where they come from.
    names: BTreeMap<String, Vec<String>>,
    /// The modules inside that only tests see.
    for_tests: Vec<Module>,
}

impl Imports {
    /// Reads all paths that begin with `crate`, `self`, or `super`, and every `use`; leaves out what only tests see.
    fn read(&mut self, tokens: TokenStream, module: &Module) {
        let mut tokens = tokens.into_iter().peekable();
        let mut inner = None;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = tokens.peek()
                        && group.stream().to_string().replace(' ', "") == "cfg(test)"
                    {
                        let name = skip_item(&mut tokens);
                        self.for_tests.extend(name.map(|name| [&module[..], &[name]].concat()));
                    }
                }
                TokenTree::Ident(word) if word == "use" => self.read_use(&mut tokens, module),
                TokenTree::Ident(word) if word == "mod" => inner = tokens.peek().map(ToString::to_string),
                TokenTree::Ident(word) if ["crate", "self", "super"].contains(&word.to_string().as_str()) => {
                    let mut found = Vec::new();
                    read_path(&mut tokens, vec![word.to_string()], true, &mut found);
                    self.paths.extend(found.into_iter().filter_map(|(path, _)| absolute(path, module)));
                }
                TokenTree::Group(group) => {
                    let name = inner.take().filter(|_| group.delimiter() == Delimiter::Brace);
                    self.read(group.stream(), &module.iter().cloned().chain(name).collect());
                }
                TokenTree::Punct(mark) if mark.as_char() == ';' => inner = None,
                _ => {}
            }
        }
    }

    fn read_use(&mut self, tokens: &mut Peekable<IntoIter>, module: &Module) {
        let mut found = Vec::new();
        read_path(tokens, vec![], false, &mut found);
        for (path, name) in found {
            // A path without a keyword begins with a module inside this one, or with another crate.
            let is_relative = !["crate", "self", "super"].contains(&path[0].as_str());
            let path = if is_relative { [vec!["self".to_owned()], path].concat() } else { path };
            if let Some(path) = absolute(path, module) {
                self.names.insert(name, path.clone());
                self.paths.extend((!is_relative).then_some(path));
            }
        }
    }
}

/// Reads a path to its end, such as `::a::{b, c as d}` after `path`. Finds every path in it, with the name that it gets.
fn read_path(tokens: &mut Peekable<IntoIter>, mut path: Vec<String>, is_begun: bool, found: &mut Vec<Named>) {
    let mut expects_part = !is_begun || skip_colons(tokens);
    while expects_part {
        match tokens.peek() {
            // `a::{self}` is `a`.
            Some(TokenTree::Ident(word)) if word == "self" && !path.is_empty() => {}
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let mut inner = group.stream().into_iter().peekable();
                while inner.peek().is_some() {
                    read_path(&mut inner, path.clone(), false, found);
                    // The comma.
                    inner.next();
                }
                tokens.next();
                return;
            }
            _ => break,
        }
        tokens.next();
        expects_part = skip_colons(tokens);
    }
    let is_renamed = tokens.next_if(|token| matches!(token, TokenTree::Ident(word) if word == "as")).is_some();
    let name = if is_renamed { tokens.next().map(|name| name.to_string()) } else { path.last().cloned() };
    if path.len() > 1 {
        found.extend(name.map(|name| (path, name)));
    }
}

/// Passes over `::`, if it is next.
fn skip_colons(tokens: &mut Peekable<IntoIter>) -> bool {
    let is_joint = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Joint);
    let is_path = tokens.next_if(is_joint).is_some();
    if is_path {
        tokens.next();
    }
    is_path
}

/// The path from the root of the crate. `None` if it leads out of the crate.
fn absolute(path: Vec<String>, module: &Module) -> Option<Vec<String>> {
    let mut base = if path[0] == "crate" { vec![] } else { module.clone() };
    let mut rest = path.into_iter().skip_while(|part| part == "crate" || part == "self").peekable();
    while rest.next_if(|part| part == "super").is_some() {
        base.pop()?;
    }
    Some(base.into_iter().chain(rest).collect())
}

/// Passes over an attribute and the item after it. If that is a module, this is its name.
fn skip_item(tokens: &mut Peekable<IntoIter>) -> Option<String> {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(mark) => mark.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let item: Vec<String> = tokens.take_while(|token| !is_end(token)).map(|token| token.to_string()).collect();
    item.iter().skip_while(|word| *word != "mod").nth(1).cloned()
}

/// The shortest cycle, arrow by arrow.
fn find_cycle(arrows: &Arrows) -> Option<String> {
    let cycles = arrows.keys().filter_map(|start| shortest_way_back(start, arrows));
    let cycle = cycles.min_by_key(Vec::len)?;
    let ends = cycle.iter().zip(cycle.iter().cycle().skip(1));
    let shown = ends.map(|(from, to)| format!("{} → {} ({})", from.join("::"), to.join("::"), arrows[from][to]));
    Some(shown.collect::<Vec<_>>().join(", "))
}

/// The modules on the shortest way from a module back to itself.
fn shortest_way_back(start: &Module, arrows: &Arrows) -> Option<Vec<Module>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in arrows.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push([way.clone(), vec![next.clone()]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}
