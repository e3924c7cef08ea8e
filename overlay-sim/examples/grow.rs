fn main() {
    let a: Vec<String> = std::env::args().collect();
    let policy = overlay_sim::policy(&a[3]).unwrap();
    let g = overlay_sim::Growth {
        nodes: a[1].parse().unwrap(),
        degree: a[2].parse().unwrap(),
        policy,
        profile: a[4].parse().unwrap(),
        rate: a[5].parse().unwrap(),
        seed: 1,
    };
    let r = overlay_sim::grow(&g, |_, _| {}).unwrap();
    println!(
        "{r:?} {:.3} µs/event",
        r.wall.as_micros() as f64 / r.events as f64
    );
}
