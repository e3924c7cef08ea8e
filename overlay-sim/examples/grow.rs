fn main() {
    let a: Vec<String> = std::env::args().collect();
    let policy = overlay_sim::policy(&a[3]).unwrap();
    let g = overlay_sim::Growth {
        degree: a[2].parse().unwrap(),
        policy,
        profile: a[4].parse().unwrap(),
        rate: a[5].parse().unwrap(),
        seed: 1,
    };
    let mut t = overlay_sim::Growing::new(g).unwrap();
    t.more(a[1].parse::<u32>().unwrap() - 1).unwrap();
    t.settle().unwrap();
    let r = t.report();
    println!(
        "{r:?} {:.3} µs/event",
        r.wall.as_micros() as f64 / r.events as f64
    );
}
