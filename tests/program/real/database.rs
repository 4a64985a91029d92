//! A database read where it lies: what is asked for is fetched, and no more than a little around it.

use tempfile::TempDir;

use super::mounted::{Mounted, program};
use crate::seeds::{Seeds, Torrent};

const MADE: &str = "
    create table film (number integer primary key, title text, story text);
    with recursive count(number) as (select 1 union all select number + 1 from count where number < 60000)
        insert into film select number, 'film ' || (number * 7919 % 60000), printf('%.*c', 400, 'x') || number from count;
    create index by_title on film (title);
";

fn sqlite(database: &str, sql: &str) -> String {
    let out = program("sqlite3", "sqlite3")
        .args(["-batch", "-bail", database, sql])
        .output()
        .expect("sqlite3 runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && errors.is_empty(), "sqlite3: {errors}");
    String::from_utf8(out.stdout).expect("text")
}

#[test]
fn sqlite_answers_from_a_database_of_which_little_is_there() {
    let folder = TempDir::new().expect("a temporary folder");
    let made = folder.path().join("films.db");
    let made = made.to_str().expect("a plain name");
    sqlite(made, MADE);
    let database = std::fs::read(made).expect("made before");
    let torrent = Torrent::of_folder("Data", &[("films.db", &database), ("read me.txt", b"hello\n")]);
    let seeds = Seeds::of(&torrent, 2);
    let mounted = Mounted::of(&[&torrent], &seeds.flags());
    let shown = mounted.path("Data/films.db");
    let shown = shown.to_str().expect("a plain name");

    let one = "select number, length(story) from film where title = 'film 4711'";
    assert_eq!(sqlite(shown, one), sqlite(made, one));
    let percent: f64 = mounted.told("Data/films.db", "percent").parse().expect("a number");
    assert!(percent < 50.0, "{percent} % of the database for one row by its index");

    let all = "select count(*), sum(number), sum(length(story)) from film; pragma integrity_check";
    assert_eq!(sqlite(shown, all), sqlite(made, all));
    mounted.ends_well();
}
