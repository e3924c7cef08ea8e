fn main() {
    let a: Vec<String> = std::env::args().collect();
    let policy = overlay_sim::policy(&a[3]).unwrap();
    let g = overlay_sim::Growth {
        degree: a[2].parse().unwrap(),
        policy,
        profile: a[4].parse().unwrap(),
        rate: 1000,
        seed: 1,
    };
    let t = overlay_sim::Turnover {
        growth: g,
        nodes: a[1].parse().unwrap(),
        times: 2.0,
        rate: a[5].parse().unwrap(),
        way: a[6].parse().unwrap(),
    };
    println!("{:?}", overlay_sim::churn(&t, |_, _| {}).unwrap());
}
