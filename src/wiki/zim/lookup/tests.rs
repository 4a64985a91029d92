use std::sync::Arc;

use super::*;
use crate::wiki::zim::far::{Cost, Far, Source};
use crate::wiki::zim::made_up::MadeUp;

const MEBIBYTE: u64 = 1024 * 1024;

impl Source for Arc<MadeUp> {
    fn length(&self) -> u64 {
        MadeUp::length(self)
    }

    fn read(&self, range: Range<u64>) -> Bytes {
        MadeUp::read(self, range)
    }
}

fn lookup(far: &Far) -> Lookup {
    let archive = far.archive();
    let length = archive.length();
    let head = far.run(archive.read(0..4096)).0.unwrap();
    Lookup::new(archive, Header::read(&head, length).unwrap())
}

fn show(what: &str, mut costs: Vec<Cost>) {
    costs.sort();
    let count = costs.len();
    let mut by = std::collections::BTreeMap::<usize, usize>::new();
    costs.iter().for_each(|cost| *by.entry(cost.trips).or_default() += 1);
    let pieces = costs.iter().map(|cost| cost.pieces).sum::<u64>() as f64 / count as f64;
    let bytes = costs.iter().map(|cost| cost.bytes).sum::<u64>() as f64 / count as f64 / MEBIBYTE as f64;
    println!("{what}: trips {by:?}, pieces {pieces:.1}, MiB {bytes:.1}");
}

#[test]
fn measure() {
    let entries: u32 = std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let many: u32 = std::env::var("M").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let started = std::time::Instant::now();
    let file = Arc::new(MadeUp::new(entries));
    println!("{} bytes, {:?}", MadeUp::length(&file), started.elapsed());
    for number in (0..15).map(|n| n * (entries / 15)) {
        println!("{:?}", file.path(number));
    }
    for piece in [MEBIBYTE / 4, MEBIBYTE, 4 * MEBIBYTE] {
        println!("-- pieces of {piece}");
        let numbers: Vec<u32> =
            (0..many).map(|n| (u64::from(n) * 2_654_435_761 % u64::from(entries)) as u32).collect();
        let (mut cold, mut pinned, mut prepared) = (vec![], vec![], vec![]);
        for &number in &numbers {
            let (namespace, path) = file.path(number);
            let far = Far::new(file.clone(), piece);
            let lookup = lookup(&far);
            let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
            assert_eq!(found.unwrap().unwrap().index, Some(number));
            cold.push(cost);
            far.forget();
            let lookup = self::lookup(&far);
            far.run(lookup.pin()).0.unwrap();
            let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
            assert_eq!(found.unwrap().unwrap().index, Some(number));
            pinned.push(cost);
        }
        show("cold", cold);
        show("pinned", pinned);
        for &number in &numbers {
            let (namespace, path) = file.path(number);
            let far = Far::new(file.clone(), piece);
            let lookup = lookup(&far);
            let (done, cost) = far.run(lookup.prepare());
            done.unwrap();
            if number == 0 {
                println!("prepare: {cost:?}");
            }
            let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
            assert_eq!(found.unwrap().unwrap().index, Some(number));
            prepared.push(cost);
        }
        show("prepared", prepared);
        let far = Far::new(file.clone(), piece);
        let lookup = lookup(&far);
        far.run(lookup.prepare()).0.unwrap();
        let mut row = vec![];
        for n in 0..400u32 {
            let number = (u64::from(n) * 2_246_822_519 % u64::from(entries)) as u32;
            let (namespace, path) = file.path(number);
            let (found, cost) = far.run(lookup.find(namespace, path.as_bytes()));
            assert_eq!(found.unwrap().unwrap().index, Some(number));
            row.push(cost);
            if n % 50 == 49 {
                show(&format!("  after {}", n + 1), std::mem::take(&mut row));
            }
        }
    }
    println!("{:?}", started.elapsed());
}
