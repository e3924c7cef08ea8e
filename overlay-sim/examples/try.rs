fn main() {
    let mut args = std::env::args().skip(1);
    let a: u64 = args.next().unwrap().parse().unwrap();
    let b: u64 = args.next().unwrap().parse().unwrap();
    let mut cov = overlay_sim::Coverage::default();
    let t = std::time::Instant::now();
    let mut events = 0;
    let mut fails = 0;
    for seed in a..b {
        let s = overlay_sim::schedule(seed);
        let v = overlay_sim::run(&s).unwrap();
        cov.merge(&v.coverage);
        events += v.events;
        if let Some(f) = v.failure {
            fails += 1;
            println!("seed {seed} steps {}: {f}", s.steps.len());
        }
    }
    println!(
        "{fails} failures, {events} events, {:?}, {:.2} µs/event",
        t.elapsed(),
        t.elapsed().as_micros() as f64 / events as f64
    );
    println!("missing {:?}", cov.missing());
}
