//! Ours through a swarm beside kiwix-serve on the disk: every entry the same.

use std::path::Path;

use super::beside::Beside;
use super::encyclopedia::{Encyclopedia, encyclopedia};
use super::kiwix::Kiwix;
use super::served::Served;

/// How many answers were compared.
fn beside_kiwix(zim: &Path) -> usize {
    let kiwix = Kiwix::serving(zim, &["--nosearchbar", "--nolibrarybutton"]);
    let ours = Served::through_a_swarm(zim, &["--no-bar"]);
    let asked = Beside::new(&ours.url, &kiwix.url(), zim).every_entry(zim).are_the_same();
    ours.ends_well();
    asked
}

#[test]
fn every_entry_of_an_encyclopedia_is_what_kiwix_serve_says_it_is() {
    let asked = beside_kiwix(&encyclopedia().zim);
    println!("{asked} answers are the same");
    assert!(asked > 5000, "of {asked} answers");
}

#[test]
fn a_book_with_blanks_in_its_name_and_without_an_index_is_the_same_too() {
    let book = Encyclopedia::without_index("Le plus bel été+1.zim");
    let asked = beside_kiwix(&book.zim);
    assert!(asked > 500, "of {asked} answers");
}

#[test]
fn kiwix_serve_is_what_it_says_it_is() {
    let zim = &encyclopedia().zim;
    let [one, other] = [(); 2].map(|()| Kiwix::serving(zim, &["--nosearchbar", "--nolibrarybutton"]));
    assert!(Beside::new(&one.url(), &other.url(), zim).every_entry(zim).are_the_same() > 5000);
}
