//! An encyclopedia of some thousand articles, written by nobody and bound by zimwriterfs: pictures, redirects, names that hurt,
//! and a film.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::films::program;

/// So many articles have a plain name.
const ARTICLES: usize = 2500;
const PICTURES: usize = 40;

/// The article with the film.
pub const FILM_ARTICLE: &str = "The_film_of_the_lighthouse";
/// An article with pictures.
pub const PICTURE_ARTICLE: &str = "An_album_of_pictures";
/// In the text of one article and in no other's.
pub const RARE_WORD: &str = "zyzzogeton";
/// The article with the rare word.
pub const RARE_ARTICLE: &str = "Leafhoppers_of_the_south";

/// Names that are wrong in one place or another if somebody forgets something.
const AWKWARD: &[&str] = &[
    "What is it?",
    "What_is_it?&how=this",
    "C#_and_F#",
    "100%",
    "100%25",
    "AC\\DC",
    "Tom & Jerry",
    "\"Quoted\"",
    "<i>",
    "a+b",
    "a;b=c",
    "it's",
    "Čapek",
    "Caf\u{e9}",
    "Nai\u{308}ve",
    "Çatalhöyük",
    "東京",
    "Ελλάδα",
    "القاهرة",
    "🦀",
    "A/B/C",
    "C/main",
    "~tilde~",
    "index.htm",
];

pub struct Encyclopedia {
    /// As zimwriterfs wrote it.
    pub zim: PathBuf,
    _folder: TempDir,
}

/// The encyclopedia, bound at the first call.
pub fn encyclopedia() -> &'static Encyclopedia {
    static BOUND: OnceLock<Encyclopedia> = OnceLock::new();
    BOUND.get_or_init(|| Encyclopedia::new("encyclopedia.zim", ARTICLES, &[]))
}

impl Encyclopedia {
    /// A small one, without an index of its text.
    pub fn without_index(file_name: &str) -> Encyclopedia {
        Encyclopedia::new(file_name, 200, &["--withoutFTIndex"])
    }

    fn new(file_name: &str, articles: usize, flags: &[&str]) -> Encyclopedia {
        let folder = TempDir::new().expect("a temporary folder");
        let tree = folder.path().join("tree");
        write_tree(&tree, articles);
        let zim = folder.path().join(file_name);
        bind(&tree, &zim, flags);
        fs::remove_dir_all(&tree).expect("ours to remove");
        Encyclopedia { zim, _folder: folder }
    }
}

fn bind(tree: &Path, zim: &Path, more: &[&str]) {
    let out = program("zimwriterfs", "zim-tools")
        .args(["--welcome=index.html", "--illustration=pictures/illustration.png", "--language=eng"])
        .args(["--title=The Encyclopedia of Nothing", "--description=Articles that nobody wrote"])
        .args([
            "--creator=nobody",
            "--publisher=peerflix",
            "--name=nothing_en_all",
            "--tags=nothing;_pictures:yes",
        ])
        // In bytes (its help says otherwise): small enough for many clusters, large enough to be packed in seconds.
        .args(["--clusterSize=131072", "--threads=2"])
        .args(more)
        .args([tree, zim])
        .output()
        .expect("zimwriterfs runs");
    assert!(
        out.status.success() && zim.is_file(),
        "zimwriterfs: {} {}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
}

fn write_tree(tree: &Path, articles: usize) {
    fs::create_dir_all(tree.join("pictures")).expect("creates");
    fs::create_dir_all(tree.join("style")).expect("creates");
    draw(tree);
    let put = |path: &str, text: &str| {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().expect("below the tree")).expect("creates");
        fs::write(path, text).expect("writes");
    };
    put(
        "style/page.css",
        "body { font-family: sans-serif; background: url(../pictures/ground.svg) } h1 { color: #246 }\n",
    );
    put("style/page.js", "document.documentElement.classList.add('scripts-run');\n");
    put(
        "pictures/ground.svg",
        "<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><rect width='8' height='8' fill='#fdfdf8'/></svg>\n",
    );
    let mut chance = Chance(0x5eed);
    let names = names(articles, &mut chance);
    for (number, name) in names.iter().enumerate() {
        put(name, &article(name, number, &names, &mut chance));
    }
    let to = |name: &str| format!("<a href=\"{}\">{}</a>", link(name, 0), escape(&title(name)));
    let film = "<p>It was filmed.</p><video controls preload=\"metadata\" width=\"320\" src=\"pictures/film.webm\"></video>";
    put(FILM_ARTICLE, &page("The film of the lighthouse", film, 0));
    let album: String =
        (1..=12).map(|n| format!("<img src=\"pictures/p{n:02}.jpg\" alt=\"Picture {n}\">\n")).collect();
    put(PICTURE_ARTICLE, &page("An album of pictures", &album, 0));
    let rare = format!("<p>The {RARE_WORD} is a leafhopper. See also {}.</p>", to(PICTURE_ARTICLE));
    put(RARE_ARTICLE, &page("Leafhoppers of the south", &rare, 0));
    let linked: Vec<_> = [FILM_ARTICLE, PICTURE_ARTICLE, RARE_ARTICLE].into_iter().map(to).collect();
    let others: Vec<_> = names.iter().step_by(97).map(|name| to(name)).collect();
    let body = format!("<p>Welcome: {}.</p><p>{}</p>", linked.join(", "), others.join(" · "));
    put("index.html", &page("The Encyclopedia of Nothing", &body, 0));

    // Debian's zimwriterfs takes no list of redirects (its check of the lines holds for none), but pages that refresh to another.
    let redirect = |name: &str, to: &str| {
        let (title, to) = (escape(name), link(to, 0));
        let html = format!(
            "<!DOCTYPE html><html><head><title>{title}</title>\
             <meta http-equiv=\"refresh\" content=\"0;url={to}\"></head><body></body></html>"
        );
        put(name, &html);
    };
    for (number, name) in names.iter().enumerate().step_by(9) {
        redirect(&format!("Redirect_{number}"), name);
    }
    redirect("Überleitung", "Çatalhöyük");
    redirect("Tokyo?", "東京");
    // One that leads to one that leads on.
    redirect("Far_away", "Tokyo?");
}

/// Pictures and the film.
fn draw(tree: &Path) {
    let ffmpeg = |words: &[&str], to: &str| {
        let made = program("ffmpeg", "ffmpeg")
            .args(["-v", "error", "-y"])
            .args(words)
            .arg(tree.join("pictures").join(to))
            .status()
            .expect("ffmpeg runs");
        assert!(made.success(), "ffmpeg did not make {to}");
    };
    let frames = PICTURES.to_string();
    ffmpeg(&["-f", "lavfi", "-i", "testsrc2=size=240x160:rate=1", "-frames:v", &frames], "p%02d.jpg");
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=size=48x48:rate=1", "-frames:v", "1"], "illustration.png");
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4");
    let small =
        ["-i", clip, "-an", "-vf", "scale=320:-2", "-r", "10", "-c:v", "libvpx", "-b:v", "400k", "-g", "20"];
    ffmpeg(&[small.as_slice(), &["-deadline", "realtime", "-cpu-used", "8"]].concat(), "film.webm");
}

fn names(articles: usize, chance: &mut Chance) -> Vec<String> {
    let mut names: BTreeSet<String> = AWKWARD.iter().map(|name| (*name).to_owned()).collect();
    while names.len() < articles {
        let (first, second) = (chance.of(WORDS), chance.of(WORDS));
        let first = first[..1].to_uppercase() + &first[1..];
        names.insert(match chance.below(6) {
            0 => format!("List_of_{second}s_in_{first}"),
            1 => format!("{first}_{second}_({})", chance.of(WORDS)),
            2 => format!("{first},_{}", 1000 + chance.below(1000)),
            3 => format!("{first}_{second}.html"),
            _ => format!("{first}_{second}_{}", chance.below(90)),
        });
    }
    names.into_iter().collect()
}

fn article(name: &str, number: usize, names: &[String], chance: &mut Chance) -> String {
    let depth = name.matches('/').count();
    let mut body = String::new();
    if number.is_multiple_of(5) {
        let picture = 1 + number / 5 % PICTURES;
        let up = "../".repeat(depth);
        body.push_str(&format!("<img src=\"{up}pictures/p{picture:02}.jpg\" alt=\"\">\n"));
    }
    for section in 0..2 + chance.below(6) {
        body.push_str(&format!("<h2 id=\"s{section}\">{}</h2>\n<p>", chance.of(WORDS)));
        for _ in 0..20 + chance.below(120) {
            if chance.below(25) == 0 {
                let to = &names[chance.below(names.len())];
                body.push_str(&format!("<a href=\"{}\">{}</a>, ", link(to, depth), escape(&title(to))));
            } else {
                body.push_str(chance.of(WORDS));
                body.push(' ');
            }
        }
        body.push_str("</p>\n");
    }
    page(&title(name), &body, depth)
}

fn page(title: &str, body: &str, depth: usize) -> String {
    let (up, title) = ("../".repeat(depth), escape(title));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"{up}style/page.css\"><script src=\"{up}style/page.js\" defer></script></head>\n\
         <body><h1>{title}</h1>\n{body}</body></html>\n"
    )
}

fn title(name: &str) -> String {
    name.replace('_', " ")
}

/// A relative link from so many folders down.
fn link(name: &str, depth: usize) -> String {
    let up = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    up + &super::kiwix::encode_path(name)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// The same numbers each time (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

const WORDS: &[&str] = &[
    "amber", "anchor", "apple", "autumn", "barley", "basin", "beacon", "birch", "bridge", "canal", "candle",
    "castle", "cedar", "chapel", "cliff", "cloud", "copper", "coral", "crane", "delta", "desert", "dragon",
    "eagle", "ember", "falcon", "fern", "ferry", "flint", "forest", "fountain", "garden", "glacier",
    "granite", "harbour", "hazel", "heron", "hill", "island", "ivory", "jasper", "kettle", "lagoon",
    "lantern", "larch", "light", "linden", "marble", "market", "meadow", "mill", "mirror", "monument",
    "moor", "mountain", "needle", "north", "oak", "oasis", "orchard", "otter", "palace", "pebble", "pine",
    "plain", "quarry", "quartz", "quay", "rain", "raven", "reed", "river", "rowan", "saddle", "salmon",
    "saltern", "shore", "silver", "sparrow", "spring", "station", "stone", "summer", "swan", "temple",
    "thistle", "tide", "tower", "tunnel", "valley", "village", "violet", "walnut", "water", "well", "willow",
    "winter", "wolf", "yarrow", "yew", "zephyr",
];
