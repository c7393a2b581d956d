//! Runs `tests/vectors/*.txt`.
//!
//! A vector is a paragraph of lines, each a key and what belongs to it: `text` as it is read, `prints`
//! as it is printed, its bytes in either order (`little`, `big`); or what is wrong with it, `error`,
//! from the text, or from the bytes if no text is given. A line with `#` is for people. The bytes are
//! decoded as a whole program, so that jumps have to lead somewhere, only where there is an `error`.

use std::fs;
use std::path::Path;

use kwalk_asm::{Decoded, Endian, Insn, Listing, parse};

/// Where the values begin.
const COLUMN: usize = 8;

#[derive(Default, Debug)]
struct Vector {
    text: Vec<String>,
    prints: Vec<String>,
    little: Option<Vec<u8>>,
    big: Option<Vec<u8>>,
    error: Option<String>,
}

fn read(paragraph: &str) -> Result<Vector, String> {
    let mut vector = Vector::default();
    for line in paragraph.lines().filter(|line| !line.starts_with('#')) {
        let (key, value) = line.split_at_checked(COLUMN).unwrap_or((line, ""));
        let bytes = || {
            let byte = |byte| u8::from_str_radix(byte, 16).map_err(|error| format!("{line}: {error}"));
            value.split_whitespace().map(byte).collect::<Result<_, _>>().map(Some)
        };
        match key.trim_end() {
            "text" => vector.text.push(value.into()),
            "prints" => vector.prints.push(value.into()),
            "little" => vector.little = bytes()?,
            "big" => vector.big = bytes()?,
            "error" => vector.error = Some(value.into()),
            _ => return Err(format!("unknown key in: {line}")),
        }
    }
    Ok(vector)
}

fn encoded(program: &[Decoded], endian: Endian) -> Vec<u8> {
    let mut bytes = Vec::new();
    program.iter().for_each(|decoded| decoded.encode(endian, &mut bytes));
    bytes
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, expected: T) -> Result<(), String> {
    if is == expected { Ok(()) } else { Err(format!("{what}: is {is:x?}, not {expected:x?}")) }
}

/// The first line of what is wrong with the text, or with the program if the text can be read.
fn fault(vector: &Vector) -> Result<(), String> {
    let endian = if vector.big.is_some() { Endian::Big } else { Endian::Little };
    let bytes = match vector.big.as_ref().or(vector.little.as_ref()) {
        Some(bytes) => bytes.clone(),
        None => {
            let program = parse(&vector.text.join("\n"));
            let program =
                program.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
            encoded(&program, endian)
        }
    };
    Insn::decode_program(&bytes, endian).map(|_| ()).map_err(|error| error.to_string())
}

fn check(vector: &Vector) -> Result<(), String> {
    if let Some(expected) = &vector.error {
        return same("error", fault(vector), Err(expected.clone()));
    }
    let program = parse(&vector.text.join("\n")).map_err(|error| error.to_string())?;
    same(
        "prints",
        Listing::new(&program).to_string().lines().collect(),
        Vec::from_iter(vector.prints.iter().map(|s| &**s)),
    )?;
    for (endian, bytes) in [(Endian::Little, &vector.little), (Endian::Big, &vector.big)] {
        let bytes = bytes.as_ref().ok_or("bytes are missing")?;
        same("bytes", &encoded(&program, endian), bytes)?;
        same("decoded", Decoded::all(bytes, endian), Ok(program.clone()))?;
    }
    Ok(())
}

#[test]
fn every_vector_holds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file = fs::read_to_string(&path).unwrap();
        let vectors =
            file.split("\n\n").filter(|paragraph| paragraph.lines().any(|line| !line.starts_with('#')));
        for paragraph in vectors {
            count += 1;
            if let Err(error) = read(paragraph).and_then(|vector| check(&vector)) {
                failed.push(format!("{}:\n{paragraph}\n  => {error}\n", path.display()));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count} don't hold:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 300, "only {count} vectors were found");
}
