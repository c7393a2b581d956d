//! Any text: it is a program, and the same one after it was printed in whatever way, or an error within it.

#![no_main]

use kwalk_asm::{Decoded, Endian, Listing, Named, ParseError, assemble, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // With a blank at the end of each line, none is read the short way.
    let long = parse(&(text.replace('\n', " \n") + " "));
    match parse(text) {
        Ok(program) => {
            assert_eq!(long.as_ref(), Ok(&program));
            is_the_same(&program);
        }
        Err(error) => {
            assert!(long.is_err_and(|long| (long.line, long.expected) == (error.line, error.expected)));
            within(text, &error);
        }
    }
});

fn is_the_same(program: &[Decoded]) {
    let names = |named: Named| match named {
        Named::Helper(id) => Some(id.known().map_or("x # ; \n y", |helper| helper.name())),
        _ => Some("*/ z"),
    };
    let plain = Listing::new(program);
    for listing in [plain, plain.labels(), plain.slots(), plain.slots().labels().map_ids().names(&names)] {
        let printed = listing.to_string();
        assert_eq!(parse(&printed).as_deref(), Ok(program), "{printed}");
    }
    for one in program {
        let printed = one.to_string();
        assert_eq!(parse(&printed).as_deref(), Ok(&[*one][..]), "{printed}");
    }

    let mut bytes = Vec::new();
    for endian in [Endian::Little, Endian::Big] {
        bytes.clear();
        program.iter().for_each(|one| one.encode(endian, &mut bytes));
        assert_eq!(assemble(&Listing::new(program).to_string(), endian).as_ref(), Ok(&bytes));
        // Raw bytes may say an instruction; others come back.
        if !program.iter().any(|one| matches!(one, Decoded::Raw(_))) {
            assert_eq!(Decoded::all(&bytes, endian).as_deref(), Ok(program));
        }
    }
}

fn within(text: &str, error: &ParseError) {
    let line = text.split('\n').nth(error.line - 1).expect("the line is there");
    assert_eq!(error.source, line);
    assert!(error.column <= line.chars().count() + 1);
    let rest: String = line.chars().skip(error.column - 1).collect();
    assert!(rest.starts_with(&error.found));
    assert!(!error.to_string().is_empty());
}
