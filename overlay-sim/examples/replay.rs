fn main() {
    let mut args = std::env::args().skip(1);
    let a: u64 = args.next().unwrap().parse().unwrap();
    let u: u64 = args.next().unwrap().parse().unwrap();
    let s = overlay_sim::schedule(a);
    println!("{s}");
    let (v, lines) = overlay_sim::replay(&s, u).unwrap();
    for l in lines {
        println!("{l}");
    }
    if let Some(f) = v.failure {
        println!("{f}");
    }
}
