//! try
use disklayer_sqlite::{harness::*, script::*};
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut w = World::new(Some(std::path::Path::new("/dev/shm"))).unwrap();
    for medium in [Medium::Memory, Medium::Files] {
    for s in Suite::ALL {
        let p = Profile::new(s);
        let t = std::time::Instant::now();
        let mut sum = Summary::default();
        let mut gen_t = std::time::Duration::ZERO;
        for case in 0..n {
            let g = std::time::Instant::now();
            let mut script = Script::generate(&p, &mut SeedChoices::new(1, case));
            script.shape.medium = medium;
            gen_t += g.elapsed();
            match prove(&script, &mut w) {
                Ok(x) => sum.add(&x),
                Err(d) => {
                    println!("{s:?} case {case} {}", d.story());
                    let m = minimize(d, &mut |s| prove(s, &mut w).map(drop));
                    println!("{m}");
                    break;
                }
            }
        }
        let e = t.elapsed().as_secs_f64();
        println!("{s:?} {medium:?} {:.0} scripts/s {:.0} ops/script {:.1}% refused {} sectors/s gen {:.3} median len {}", n as f64 / e, sum.exercise.executed() as f64 / n as f64,
          100.0*sum.exercise.refused as f64/sum.exercise.executed() as f64, (sum.sectors as f64/e) as u64, gen_t.as_secs_f64()/e, sum.exercise.median_length());
    }}
}
