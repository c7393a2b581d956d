//! The graph of a crate's modules: a file is a module, and a path to what another file defines is an edge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::path::Path;

use super::sources;
use crate::support::root;

/// The names of a module from the crate's root on.
type Name = Vec<String>;

/// A file of a crate.
struct Module {
    /// The modules that its paths lead to.
    uses: BTreeSet<Name>,
    /// Paths that lead to a name which another module only imports.
    detours: Vec<String>,
}

/// Fails on modules that need each other, and on paths through a module that only imports what is wanted.
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
            wrong.push(circle.iter().map(|name| shown(name)).collect::<Vec<_>>().join(" → "));
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
                    longer.push([&way[..], &[next.clone()]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

fn graph(dir: &Path) -> BTreeMap<Name, Module> {
    let mut files = BTreeMap::new();
    for path in sources(dir) {
        let mut name: Name = path
            .strip_prefix(dir)
            .unwrap()
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().into())
            .collect();
        if name.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            name.pop();
        }
        files.insert(name, tokens(&read_to_string(path).unwrap()));
    }
    let imports: BTreeMap<_, _> = files.iter().map(|(name, tokens)| (name, imported(tokens))).collect();
    let module = |name: &Name, tokens: &[String]| {
        let mut module = Module { uses: BTreeSet::new(), detours: Vec::new() };
        for path in paths(name, tokens, |child| files.contains_key(&[&name[..], &[child.into()]].concat())) {
            let depth = (0..=path.len()).rev().find(|depth| files.contains_key(&path[..*depth])).unwrap();
            let (found, rest) = path.split_at(depth);
            if found == name {
                continue;
            }
            module.uses.insert(found.to_vec());
            if rest.first().is_some_and(|item| imports[&found.to_vec()].contains(item)) {
                module.detours.push(path.join("::"));
            }
        }
        module
    };
    files.iter().map(|(name, tokens)| (name.clone(), module(name, tokens))).collect()
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

/// The names that a file imports or exports again.
fn imported(tokens: &[String]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "use") {
        names.extend(tree(tokens, at + 1).0.into_iter().filter_map(|mut path| path.pop()));
    }
    names
}

/// The paths from the crate's root that a file's code names; not those that it only exports again.
fn paths(name: &Name, tokens: &[String], is_child: impl Fn(&str) -> bool) -> Vec<Name> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_first = at == 0 || tokens[at - 1] != "::";
        let is_path = is_first && tokens.get(at + 1).is_some_and(|next| next == "::");
        let base = match tokens[at].as_str() {
            "pub" => {
                // `pub use` or `pub(crate) use`.
                let visible =
                    if tokens.get(at + 1).is_some_and(|next| next == "(") { at + 4 } else { at + 1 };
                if tokens.get(visible).is_some_and(|word| word == "use") {
                    at = tree(tokens, visible + 1).1;
                }
                None
            }
            "crate" if is_path => Some((&[][..], 1)),
            "self" if is_path => Some((&name[..], 1)),
            "super" if is_path => Some((&name[..name.len() - 1], 1)),
            word if is_path && is_child(word) => Some((&name[..], 0)),
            _ => None,
        };
        let Some((base, skipped)) = base else {
            at += 1;
            continue;
        };
        let (found, end) = tree(tokens, at);
        for path in found {
            let above = path[skipped..].iter().take_while(|word| *word == "super").count();
            let base = &base[..base.len() - above];
            paths.push([base, &path[skipped + above..]].concat());
        }
        at = end;
    }
    paths
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
            "self" if !path.is_empty() => {}
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
