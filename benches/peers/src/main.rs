//! Measures kwalk against its peers, in one run, and prints a table of it in Markdown.

mod assembler;
mod race;

fn main() {
    println!("| what | unit | kwalk | peer | | ratio |");
    println!("|---|---|---:|---:|---|---:|");
    for result in assembler::races() {
        println!("{result}");
    }
}
