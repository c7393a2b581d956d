//! The graph of a crate's modules: a file is a module, and a path to what another file defines is an edge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::sources;
use crate::support::root;

/// The names of a module from the crate's root on.
type Name = Vec<String>;

/// A file of a crate.
#[derive(Default)]
struct Module {
    /// The modules that define what it uses.
    uses: BTreeSet<Name>,
    /// Paths to what a module above only imports.
    detours: Vec<String>,
}

/// Fails on modules that need each other, and on paths through a module above to what is defined in another.
#[track_caller]
pub(crate) fn form_no_circle(dir: &str) {
    let modules = graph(&root().join(dir));
    assert!(modules.len() > 10, "{dir}: {} modules", modules.len());
    let mut wrong: Vec<String> = Vec::new();
    for (name, module) in &modules {
        wrong.extend(
            module.detours.iter().map(|path| format!("{}: {path} is defined elsewhere", shown(name))),
        );
        if let Some(circle) = circle(&modules, name) {
            wrong.push(circle.iter().map(shown).collect::<Vec<_>>().join(" → "));
        }
    }
    assert!(wrong.is_empty(), "{dir}:\n{}", wrong.join("\n"));
}

fn shown(name: &Name) -> String {
    if name.is_empty() { "lib".into() } else { name.join("::") }
}

/// The shortest way from a module back to it, if it is the first of that circle in the order of names.
fn circle(modules: &BTreeMap<Name, Module>, start: &Name) -> Option<Vec<Name>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in &modules[way.last()?].uses {
                if next == start {
                    return Some([way, vec![start.clone()]].concat());
                }
                if next > start && seen.insert(next.clone()) {
                    longer.push([&way[..], std::slice::from_ref(next)].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

fn graph(dir: &Path) -> BTreeMap<Name, Module> {
    let mut files = BTreeMap::new();
    // The crates in folders below are others.
    let is_own = |path: &PathBuf| {
        path.ancestors()
            .skip(1)
            .take_while(|above| *above != dir)
            .all(|above| !above.join("Cargo.toml").exists())
    };
    for path in sources(dir).into_iter().filter(is_own) {
        let words = path.strip_prefix(dir).unwrap().with_extension("");
        let mut name: Name = words.iter().map(|word| word.to_str().unwrap().into()).collect();
        if name.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            name.pop();
        }
        files.insert(name, tokens(&read_to_string(path).unwrap()));
    }
    let is_module = |name: &[String]| files.contains_key(name);
    let paths: BTreeMap<_, _> =
        files.iter().map(|(name, tokens)| (name, Paths::new(name, tokens, &is_module))).collect();
    let module = |name: &Name| {
        let mut module = Module::default();
        let mut paths_left = paths[name].used.clone();
        while let Some(path) = paths_left.pop() {
            let depth = (0..=path.len()).rev().find(|depth| is_module(&path[..*depth])).unwrap();
            let (found, rest) = path.split_at(depth);
            let (of, item) = (&paths[&found.to_vec()], rest.first());
            if found == name {
                continue;
            }
            if name.starts_with(found) && item.is_some_and(|item| of.imported.contains(item)) {
                module.detours.push(path.join("::"));
            }
            match of.exported.iter().find(|exported| item.is_some() && exported.last() == item) {
                Some(exported) => paths_left.push(exported.clone()),
                None => drop(module.uses.insert(found.to_vec())),
            }
        }
        module
    };
    files.keys().map(|name| (name.clone(), module(name))).collect()
}

/// A file's code as words, `::` and single characters: without comments, literals and the tests at its end.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text.split_once("#[cfg(test)]\nmod ").map_or(text, |(code, _)| code);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let len = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => string(rest),
            // A lifetime has no quote behind it.
            '\'' if rest[1..].starts_with('\\') => 3 + rest[3..].find('\'').unwrap() + 1,
            '\'' if rest.chars().nth(2) == Some('\'') => 2 + rest[1..].chars().next().unwrap().len_utf8(),
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                let len = if rest.starts_with("::") { 2 } else { word.max(first.len_utf8()) };
                tokens.push(rest[..len].into());
                len
            }
        };
        rest = &rest[len..];
    }
    tokens
}

/// The length of the literal that a text begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap() + 2
}

/// The paths that a file's code names.
#[derive(Default)]
struct Paths {
    /// From the crate's root, to what it uses.
    used: Vec<Name>,
    /// The same, to what it only exports again.
    exported: Vec<Name>,
    /// The last words of all that it imports or exports again, of whatever crate.
    imported: BTreeSet<String>,
}

impl Paths {
    fn new(name: &Name, tokens: &[String], is_module: &dyn Fn(&[String]) -> bool) -> Paths {
        let mut paths = Paths::default();
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token == word);
        // Where a `pub use` or `pub(crate) use` ends.
        let (mut export, mut at) = (0, 0);
        while at < tokens.len() {
            let after = if is(at + 1, "(") { at + 4 } else { at + 1 };
            if is(at, "pub") && is(after, "use") {
                export = tree(tokens, after + 1).1;
            }
            if is(at, "use") {
                paths.imported.extend(tree(tokens, at + 1).0.into_iter().filter_map(|mut path| path.pop()));
            }
            let is_path = is(at + 1, "::") && (at == 0 || !is(at - 1, "::"));
            let base = match tokens[at].as_str() {
                _ if !is_path => None,
                "crate" => Some((&[][..], 1)),
                "self" => Some((&name[..], 1)),
                "super" => Some((&name[..name.len() - 1], 1)),
                word => is_module(&[&name[..], &[word.into()]].concat()).then_some((&name[..], 0)),
            };
            let Some((base, skipped)) = base else {
                at += 1;
                continue;
            };
            let (found, end) = tree(tokens, at);
            let found = found.into_iter().map(|path| {
                let above = path[skipped..].iter().take_while(|word| *word == "super").count();
                [&base[..base.len() - above], &path[skipped + above..]].concat()
            });
            if at < export {
                paths.exported.extend(found)
            } else {
                paths.used.extend(found)
            }
            at = end;
        }
        paths
    }
}

/// The paths of a tree such as `a::{b, c::d}` that begins at a token, and where it ends.
fn tree(tokens: &[String], mut at: usize) -> (Vec<Name>, usize) {
    let mut path = Name::new();
    loop {
        match tokens[at].as_str() {
            "{" => {
                let mut paths = Vec::new();
                at += 1;
                while tokens[at] != "}" {
                    let (below, end) = tree(tokens, at);
                    paths.extend(below.into_iter().map(|below| [&path[..], &below].concat()));
                    at = end + usize::from(tokens[end] == ",");
                }
                return (paths, at + 1);
            }
            // `a::{self}` is `a`.
            "self" if at > 0 && matches!(tokens[at - 1].as_str(), "{" | ",") => {}
            word => path.push(word.into()),
        }
        at += 1;
        match tokens.get(at).map(String::as_str) {
            Some("::") => at += 1,
            // Under another name.
            Some("as") => return (vec![path], at + 2),
            _ => return (vec![path], at),
        }
    }
}
