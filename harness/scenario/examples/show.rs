fn main() {
    let args: Vec<String> = std::env::args().collect();
    let read = |n: &str| squall_record::Source { name: n.to_owned(), text: std::fs::read_to_string(n).unwrap() };
    match squall_scenario::load(&read(&args[1]), &read(&args[2])) {
        Ok(l) => println!("{:#?}\n{}", l.scenario, l.warnings.render_as_warnings(false)),
        Err(m) => println!("{}", m.render(false)),
    }
}
