//! Measures kwalk against its peers, in one run, and prints a table of it in Markdown.

mod assembler;
mod btf;
mod race;

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(btf::COLD) {
        return btf::cold(args);
    }
    println!("| what | unit | kwalk | peer | | ratio |");
    println!("|---|---|---:|---:|---|---:|");
    for result in assembler::races().into_iter().chain(btf::races()) {
        println!("{result}");
    }
}
